/* tokenizer.json's normalizer and pre_tokenizer: which of our pre-tokenizers they are.
 *
 * Patterns are not run as they come from the file.  They are rewritten as ours are written (\s and \S
 * spelled out) and must then be those of a row of pretokenizers.def; what is not known is refused. */
#include "base/text.h"
#include "models/tokenizer_json.h"
#include "models/tokenizer_pretokenize.h"

#include <string.h>

struct stages {
    struct tokenizer_json *reading;
    int count;
    const char *patterns[PRETOKENIZER_STAGES_MAX];
    bool byte_level;
};

/* What ByteLevel cuts by itself: GPT-2's pattern. */
static const char byte_level_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* Parts of published patterns that ours spell otherwise. */
static const char *const spellings[][2] = {
    {"\\s", NULL}, /* by its place */
    {"\\S", "[^\\t-\\r\\x{85}\\p{Z}]"},
    {"[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]",
     "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{30ff}]"},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]", "[!-/:-@\\[-`{-~]"},
};

static const char *spelling_of(const char *at, bool brackets, size_t *length)
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        *length = strlen(spellings[i][0]);
        if (strncmp(at, spellings[i][0], *length) != 0) continue;
        if (spellings[i][1]) return spellings[i][1];
        return brackets ? "\\t-\\r\\x{85}\\p{Z}" : "[\\t-\\r\\x{85}\\p{Z}]";
    }
    return NULL;
}

static const char *rewrite(const char *pattern, struct arena *arena)
{
    struct text text = {.arena = arena};
    bool brackets = false;
    while (*pattern) {
        size_t length;
        const char *ours = spelling_of(pattern, brackets, &length);
        if (ours) {
            text_append(&text, ours);
        } else {
            length = *pattern == '\\' && pattern[1] ? 2 : 1;
            if (*pattern == '[') brackets = true;
            if (*pattern == ']') brackets = false;
            text_append_range(&text, pattern, length);
        }
        pattern += length;
    }
    return text_finish(&text);
}

static status add_pattern(struct stages *stages, const char *pattern)
{
    struct tokenizer_json *reading = stages->reading;
    if (stages->count == PRETOKENIZER_STAGES_MAX)
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer", "more than %d patterns",
                           PRETOKENIZER_STAGES_MAX);
    const char *ours = rewrite(pattern, reading->arena);
    TRY_MEMORY(ours, reading->diagnostic);
    stages->patterns[stages->count++] = ours;
    return STATUS_OK;
}

/* Matches and what lies between them are pieces; patterns that match everything may also be written
 * as removing what does not match. */
static status add_split(struct stages *stages, const json_t *node)
{
    const char *pattern = json_text(json_object_get(node, "pattern"), "Regex");
    const char *behavior = json_text(node, "behavior");
    bool invert = json_is_true(json_object_get(node, "invert"));
    bool isolated = !strcmp(behavior, "Isolated") && !invert;
    bool removed = !strcmp(behavior, "Removed") && invert;
    if (!*pattern || !(isolated || removed))
        return JSON_REFUSE(stages->reading, UNSUPPORTED, "pre_tokenizer",
                           "a split with the behavior '%.40s' is not supported", behavior);
    return add_pattern(stages, pattern);
}

static status add_byte_level(struct stages *stages, const json_t *node)
{
    const json_t *prefix = json_object_get(node, "add_prefix_space");
    const json_t *regex = json_object_get(node, "use_regex");
    if (json_is_true(prefix))
        return JSON_REFUSE(stages->reading, UNSUPPORTED, "pre_tokenizer", "%s",
                           "a space in front of text is not supported");
    stages->byte_level = true;
    return json_is_false(regex) ? STATUS_OK : add_pattern(stages, byte_level_pattern);
}

static status add_stage(struct stages *stages, const json_t *node)
{
    const char *type = json_text(node, "type");
    if (!strcmp(type, "Sequence")) {
        size_t index;
        json_t *item;
        json_array_foreach(json_object_get(node, "pretokenizers"), index, item)
            TRY(add_stage(stages, item));
        return STATUS_OK;
    }
    if (!strcmp(type, "Split")) return add_split(stages, node);
    if (!strcmp(type, "ByteLevel")) return add_byte_level(stages, node);
    if (!strcmp(type, "Digits"))
        return add_pattern(stages, json_is_true(json_object_get(node, "individual_digits"))
                                       ? "\\p{N}"
                                       : "\\p{N}+");
    return JSON_REFUSE(stages->reading, UNSUPPORTED, "pre_tokenizer",
                       "'%.40s' is not supported; byte-level tokenizers are", type);
}

/* Form C has a way of its own, if it stands alone. */
static status read_normalizer(struct tokenizer_json *reading, const json_t *node, bool *compose)
{
    const char *type = json_text(node, "type");
    if (!node || json_is_null(node)) return STATUS_OK;
    if (!strcmp(type, "Sequence")) {
        size_t index;
        json_t *item;
        json_array_foreach(json_object_get(node, "normalizers"), index, item)
            TRY(read_normalizer(reading, item, compose));
        return STATUS_OK;
    }
    if (strcmp(type, "NFC") != 0) return tokenizer_json_steps(reading, node);
    *compose = true;
    return STATUS_OK;
}

status tokenizer_json_pieces(struct tokenizer_json *reading)
{
    struct stages stages = {.reading = reading};
    bool compose = false;
    const json_t *model = json_object_get(reading->root, "model");
    TRY(read_normalizer(reading, json_object_get(reading->root, "normalizer"), &compose));
    if (reading->steps.count) { /* all of them, in their order */
        reading->steps.count = 0;
        compose = false;
        TRY(tokenizer_json_steps(reading, json_object_get(reading->root, "normalizer")));
    }
    TRY(add_stage(&stages, json_object_get(reading->root, "pre_tokenizer")));
    if (!stages.byte_level)
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer", "%s",
                           "is not of the byte-level kind, which alone is read");
    reading->source.pre = pretokenizer_match(stages.patterns, stages.count);
    if (!reading->source.pre)
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer",
                           "the pattern '%.200s' is not known",
                           stages.count ? stages.patterns[stages.count - 1] : "");
    bool whole = json_is_true(json_object_get(model, "ignore_merges"));
    reading->source.pre_flags = &reading->pre_flags;
    reading->pre_flags =
        (compose ? (unsigned)PRETOKENIZE_COMPOSE : 0) | (whole ? (unsigned)PRETOKENIZE_WHOLE : 0);
    return STATUS_OK;
}
