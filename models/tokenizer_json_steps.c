/* tokenizer.json's normalizer as steps, and Metaspace, the pre-tokenizer of SentencePiece's kinds. */
#include "models/tokenizer_internal.h"
#include "models/tokenizer_json.h"

#include <string.h>

static status add_step(struct tokenizer_json *reading, struct text_step step)
{
    if (reading->steps.count == TEXT_STEPS_MAX)
        return JSON_REFUSE(reading, UNSUPPORTED, "normalizer", "more than %d steps",
                           TEXT_STEPS_MAX);
    reading->steps.steps[reading->steps.count++] = step;
    reading->source.steps = &reading->steps;
    return STATUS_OK;
}

/* A text by another; of patterns only the one for runs of spaces is known. */
static status add_replace(struct tokenizer_json *reading, const json_t *node)
{
    const json_t *pattern = json_object_get(node, "pattern");
    const char *from = json_text(pattern, "String"), *regex = json_text(pattern, "Regex");
    const char *to = json_text(node, "content");
    if (*from)
        return add_step(reading, (struct text_step){.kind = STEP_REPLACE, .from = from, .to = to});
    if (!strcmp(regex, " {2,}"))
        return add_step(reading, (struct text_step){.kind = STEP_COLLAPSE, .to = to});
    return JSON_REFUSE(reading, UNSUPPORTED, "normalizer", "the pattern '%.60s' is not supported",
                       regex);
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static bool decode_base64(const char *text, size_t length, uint8_t *bytes, size_t *byte_count)
{
    uint32_t bits = 0;
    int held = 0;
    *byte_count = 0;
    while (length && text[length - 1] == '=') length--;
    for (size_t i = 0; i < length; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0) return false;
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes[(*byte_count)++] = (uint8_t)(bits >> held);
    }
    return true;
}

static status add_charsmap(struct tokenizer_json *reading, const json_t *node)
{
    const json_t *value = json_object_get(node, "precompiled_charsmap");
    struct text_step step = {.kind = STEP_CHARSMAP, .clusters = true};
    uint8_t *bytes;
    size_t count;
    if (!value || json_is_null(value) || !json_string_length(value)) return STATUS_OK;
    TRY_NEW(bytes, reading->arena, json_string_length(value), reading->diagnostic);
    if (!decode_base64(json_text(node, "precompiled_charsmap"), json_string_length(value), bytes,
                       &count) ||
        !charsmap_open(bytes, count, &step.map))
        return JSON_REFUSE(reading, BAD_INPUT, "normalizer", "%s",
                           "the precompiled map is damaged");
    return add_step(reading, step);
}

static status add_simple(struct tokenizer_json *reading, const json_t *node, const char *type,
                         bool *known)
{
    static const struct {
        const char *type;
        struct text_step step;
    } simple[] = {
        {"NFC", {.kind = STEP_FORM, .composed = true}},
        {"NFD", {.kind = STEP_FORM}},
        {"NFKC", {.kind = STEP_FORM, .compatible = true, .composed = true}},
        {"NFKD", {.kind = STEP_FORM, .compatible = true}},
        {"Lowercase", {.kind = STEP_LOWER}},
        {"StripAccents", {.kind = STEP_STRIP_ACCENTS}},
    };
    *known = true;
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (!strcmp(type, simple[i].type)) return add_step(reading, simple[i].step);
    if (!strcmp(type, "Prepend"))
        return add_step(reading,
                        (struct text_step){.kind = STEP_PREPEND, .to = json_text(node, "prepend")});
    if (!strcmp(type, "Strip"))
        return add_step(reading, (struct text_step){
                                     .kind = STEP_STRIP,
                                     .left = json_is_true(json_object_get(node, "strip_left")),
                                     .right = json_is_true(json_object_get(node, "strip_right"))});
    *known = false;
    return STATUS_OK;
}

/* Recursion is bounded: json_read allows 64 levels. */
status tokenizer_json_steps(struct tokenizer_json *reading, const json_t *node)
{
    const char *type = json_text(node, "type");
    bool known;
    if (!node || json_is_null(node)) return STATUS_OK;
    if (!strcmp(type, "Sequence")) {
        size_t index;
        json_t *item;
        json_array_foreach(json_object_get(node, "normalizers"), index, item)
            TRY(tokenizer_json_steps(reading, item));
        return STATUS_OK;
    }
    if (!strcmp(type, "Replace")) return add_replace(reading, node);
    if (!strcmp(type, "Precompiled")) return add_charsmap(reading, node);
    TRY(add_simple(reading, node, type, &known));
    if (known) return STATUS_OK;
    return JSON_REFUSE(reading, UNSUPPORTED, "normalizer", "'%.40s' is not supported", type);
}

static status read_metaspace(struct tokenizer_json *reading, const json_t *node)
{
    struct spacing *spacing = &reading->source.spacing;
    const char *scheme = json_text(node, "prepend_scheme");
    const json_t *old = json_object_get(node, "add_prefix_space"),
                 *split = json_object_get(node, "split");
    if (!*scheme) scheme = json_is_false(old) ? "never" : "always";
    if (strcmp(json_text(node, "replacement"), SPACE_MARK) != 0)
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer", "%s",
                           "spaces become something else than U+2581");
    reading->source.add_space_prefix = strcmp(scheme, "never") != 0;
    spacing->unless_there = true;
    spacing->first_only = !strcmp(scheme, "first");
    spacing->cuts = !json_is_false(split);
    return STATUS_OK;
}

/* Metaspace, alone or behind a cut at white space. */
status tokenizer_json_metaspace(struct tokenizer_json *reading, const json_t *node)
{
    const char *type = json_text(node, "type");
    const json_t *list = json_object_get(node, "pretokenizers");
    if (!strcmp(type, "Metaspace")) return read_metaspace(reading, node);
    bool words = !strcmp(type, "Sequence") && json_array_size(list) == 2 &&
                 !strcmp(json_text(json_array_get(list, 0), "type"), "WhitespaceSplit") &&
                 !strcmp(json_text(json_array_get(list, 1), "type"), "Metaspace");
    if (!words)
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer",
                           "'%.40s' is not supported here; Metaspace is", type);
    TRY(read_metaspace(reading, json_array_get(list, 1)));
    if (!reading->source.add_space_prefix)
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer", "%s",
                           "words without a space in front are not supported");
    reading->source.spacing.collapses = reading->source.spacing.any_white = true;
    reading->source.spacing.first_only = false;
    return STATUS_OK;
}
