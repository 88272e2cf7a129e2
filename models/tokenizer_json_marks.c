/* tokenizer.json of SentencePiece's kind (Llama 2, Mistral): spaces become U+2581, and characters
 * without a token become byte tokens.
 *
 * Such a file lists merges where SentencePiece has scores.  They are turned back into scores, after
 * checking that they say the same: all ways to put a token together, one token after the other. */
#include "base/text.h"
#include "models/tokenizer_internal.h"
#include "models/tokenizer_json.h"

#include <inttypes.h>
#include <string.h>

static bool is_text(const json_t *object, const char *key, const char *text)
{
    return !strcmp(json_text(object, key), text);
}

/* Replace: " " by U+2581 */
static bool marks_spaces(const json_t *node)
{
    return is_text(node, "type", "Replace") && is_text(node, "content", SPACE_MARK) &&
           is_text(json_object_get(node, "pattern"), "String", " ");
}

static bool prepends_mark(const json_t *node)
{
    return is_text(node, "type", "Prepend") && is_text(node, "prepend", SPACE_MARK);
}

static status read_normalizer(struct tokenizer_json *reading)
{
    const json_t *node = json_object_get(reading->root, "normalizer");
    const json_t *list = json_object_get(node, "normalizers");
    bool two = is_text(node, "type", "Sequence") && json_array_size(list) == 2;
    if (marks_spaces(node) || !node || json_is_null(node)) return STATUS_OK;
    reading->source.add_space_prefix = true;
    if (two && prepends_mark(json_array_get(list, 0)) && marks_spaces(json_array_get(list, 1)))
        return STATUS_OK;
    return JSON_REFUSE(reading, UNSUPPORTED, "normalizer",
                       "'%.40s' is not supported for tokens of bytes; marks for spaces are",
                       json_text(node, "type"));
}

/* Cutting at spaces that are no longer there does nothing. */
static status check_pieces(struct tokenizer_json *reading)
{
    const json_t *node = json_object_get(reading->root, "pre_tokenizer");
    bool idle =
        is_text(node, "type", "Split") && is_text(json_object_get(node, "pattern"), "String", " ");
    bool plain = !reading->source.add_space_prefix &&
                 !json_is_object(json_object_get(reading->root, "normalizer"));
    if (plain && is_text(node, "type", "Metaspace")) {
        TRY(tokenizer_json_metaspace(reading, node));
        if (!reading->source.spacing.cuts) return STATUS_OK;
        return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer", "%s",
                           "Metaspace with split is not supported for merges");
    }
    if (plain) return JSON_REFUSE(reading, UNSUPPORTED, "normalizer", "%s", "nothing marks spaces");
    if (!node || json_is_null(node) || idle) return STATUS_OK;
    return JSON_REFUSE(reading, UNSUPPORTED, "pre_tokenizer",
                       "'%.40s' is not supported for tokens of bytes", json_text(node, "type"));
}

static status find_bytes(struct tokenizer_json *reading)
{
    struct tokenizer_source *source = &reading->source;
    int32_t *types;
    const json_t *unknown = json_object_get(json_object_get(reading->root, "model"), "unk_token");
    TRY_NEW(types, reading->arena, source->token_count, reading->diagnostic);
    memcpy(types, source->types, (size_t)source->token_count * sizeof *types);
    for (int64_t id = 0; id < source->token_count; id++) {
        if (types[id] == TOKEN_NORMAL && json_is_byte_token(source->tokens[id]))
            types[id] = TOKEN_BYTE;
        if (json_is_string(unknown) && !strcmp(source->tokens[id], json_string_value(unknown)))
            source->unknown = id;
    }
    source->types = types;
    return STATUS_OK;
}

/* In how many ways a token falls into two others. */
static int64_t count_splits(const json_t *vocab, const char *token, char *part)
{
    size_t length = strlen(token);
    int64_t splits = 0;
    for (size_t cut = 1; cut < length; cut++) {
        if (((unsigned char)token[cut] & 0xc0) == 0x80) continue; /* within a character */
        memcpy(part, token, cut);
        part[cut] = '\0';
        splits += json_object_get(vocab, part) && json_object_get(vocab, token + cut);
    }
    return splits;
}

static status fail_merges(struct tokenizer_json *reading, const char *reason)
{
    return JSON_REFUSE(reading, UNSUPPORTED, "model.merges", "%s", reason);
}

/* The merges of one token stand together; the earlier, the higher its score. */
static status take_merges(struct tokenizer_json *reading, const json_t *vocab, float *scores)
{
    const struct tokenizer_source *source = &reading->source;
    int64_t last = -1;
    for (int64_t i = 0; i < source->merge_count; i++) {
        const char *merge = source->merges[i], *space = strchr(merge, ' ');
        if (!space) return fail_merges(reading, "a merge of one part");
        const char *joined =
            arena_print(reading->arena, "%.*s%s", (int)(space - merge), merge, space + 1);
        TRY_MEMORY(joined, reading->diagnostic);
        const json_t *value = json_object_get(vocab, joined);
        int64_t id = json_integer_value(value);
        if (!value) return fail_merges(reading, "a merge makes what is no token");
        if (id != last && scores[id] != 0)
            return fail_merges(reading, "they are not in the order of tokens");
        if (id != last) scores[id] = -(float)(i + 1);
        last = id;
    }
    return STATUS_OK;
}

/* Merges, and nothing but merges, are what SentencePiece would do by these scores. */
static status read_scores(struct tokenizer_json *reading)
{
    struct tokenizer_source *source = &reading->source;
    const json_t *vocab = json_object_get(json_object_get(reading->root, "model"), "vocab");
    int64_t splits = 0;
    float *scores;
    char *part;
    TRY_NEW(scores, reading->arena, source->token_count, reading->diagnostic);
    TRY_NEW(part, reading->arena, TOKEN_BYTES_MAX + 1, reading->diagnostic);
    TRY(take_merges(reading, vocab, scores));
    for (int64_t id = 0; id < source->token_count; id++) {
        bool ordinary = source->types[id] == TOKEN_NORMAL ||
                        (source->types[id] == TOKEN_USER_DEFINED && scores[id] != 0);
        if (ordinary) splits += count_splits(vocab, source->tokens[id], part);
        if (scores[id] == 0) scores[id] = -(float)(source->merge_count + 1);
    }
    if (splits != source->merge_count)
        return fail_merges(reading, "they are not all ways in which tokens fall into tokens");
    source->scores = scores;
    return STATUS_OK;
}

status tokenizer_json_marks(struct tokenizer_json *reading)
{
    reading->source.kind = TOKENIZER_SENTENCEPIECE;
    TRY(read_normalizer(reading));
    TRY(check_pieces(reading));
    TRY(tokenizer_json_vocabulary(reading));
    TRY(find_bytes(reading));
    return read_scores(reading);
}
