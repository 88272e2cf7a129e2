/* tokenizer.json's tokens and merges: numbers are checked before anything is allocated by them. */
#include "models/tokenizer_json.h"

#include <inttypes.h>
#include <string.h>

struct vocabulary {
    struct tokenizer_json *reading;
    int64_t count; /* ids */
    const char **tokens;
    int32_t *lengths, *types;
    uint8_t *trims; /* enum token_trim */
};

enum { HOLES_MAX = 4096 }; /* ids without a token that a small vocabulary may have */

static status take_id(struct vocabulary *vocabulary, const json_t *value, const char *text,
                      int64_t *id)
{
    *id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (*id >= 0 && *id < TOKENS_MAX) return STATUS_OK;
    return JSON_REFUSE(vocabulary->reading, BAD_INPUT, "model.vocab",
                       "the id of '%.60s' must be a whole number from 0 to %d", text,
                       TOKENS_MAX - 1);
}

/* The ids that there are; few of them may be without a token. */
static status count_ids(struct vocabulary *vocabulary, json_t *vocab, const json_t *added)
{
    int64_t id,
        entries = vocabulary->count + (int64_t)(json_object_size(vocab) + json_array_size(added));
    const char *text;
    json_t *value;
    size_t index;
    json_object_foreach(vocab, text, value)
    {
        TRY(take_id(vocabulary, value, text, &id));
        if (id >= vocabulary->count) vocabulary->count = id + 1;
    }
    json_array_foreach(added, index, value)
    {
        TRY(take_id(vocabulary, json_object_get(value, "id"), json_text(value, "content"), &id));
        if (id >= vocabulary->count) vocabulary->count = id + 1;
    }
    if (vocabulary->count <= 2 * entries + HOLES_MAX) return STATUS_OK;
    return JSON_REFUSE(vocabulary->reading, BAD_INPUT, "model.vocab",
                       "ids up to %" PRId64 " for %" PRId64 " tokens", vocabulary->count - 1,
                       entries);
}

static status put_token(struct vocabulary *vocabulary, int64_t id, const char *text,
                        enum token_type type)
{
    const char *old = vocabulary->tokens[id];
    if (old && strcmp(old, text) != 0)
        return JSON_REFUSE(vocabulary->reading, BAD_INPUT, "model.vocab",
                           "'%.60s' and '%.60s' have the id %" PRId64, old, text, id);
    size_t length = strlen(text);
    if (length > TOKEN_BYTES_MAX)
        return JSON_REFUSE(vocabulary->reading, BAD_INPUT, "model.vocab",
                           "the token %" PRId64 " has %zu bytes; at most %d are allowed", id,
                           length, TOKEN_BYTES_MAX);
    vocabulary->tokens[id] = text;
    vocabulary->lengths[id] = (int32_t)length;
    vocabulary->types[id] = type;
    return STATUS_OK;
}

/* Tokens that are looked for in the text itself. */
static status put_added(struct vocabulary *vocabulary, const json_t *token)
{
    static const char *const trims[] = {"lstrip", "rstrip", "single_word"};
    const char *text = json_text(token, "content");
    int64_t id = json_integer_value(json_object_get(token, "id"));
    bool special = json_is_true(json_object_get(token, "special"));
    for (size_t i = 0; i < sizeof trims / sizeof *trims; i++)
        if (json_is_true(json_object_get(token, trims[i])))
            vocabulary->trims[id] |= (uint8_t)(1u << i);
    if (!vocabulary->tokens[id]) vocabulary->trims[id] |= TRIM_APART;
    if (!*text)
        return JSON_REFUSE(vocabulary->reading, BAD_INPUT, "added_tokens", "%s",
                           "a token without content");
    return put_token(vocabulary, id, text, special ? TOKEN_CONTROL : TOKEN_USER_DEFINED);
}

static status read_tokens(struct vocabulary *vocabulary, json_t *vocab, const json_t *added)
{
    struct tokenizer_json *reading = vocabulary->reading;
    const char *text;
    json_t *value;
    size_t index;
    vocabulary->count = reading->source.token_count;
    TRY(count_ids(vocabulary, vocab, added));
    TRY_NEW(vocabulary->tokens, reading->arena, vocabulary->count, reading->diagnostic);
    TRY_NEW(vocabulary->lengths, reading->arena, vocabulary->count, reading->diagnostic);
    TRY_NEW(vocabulary->types, reading->arena, vocabulary->count, reading->diagnostic);
    TRY_NEW(vocabulary->trims, reading->arena, vocabulary->count, reading->diagnostic);
    for (int64_t id = 0; id < reading->source.token_count; id++) /* those that were read before */
        TRY(put_token(vocabulary, id, reading->source.tokens[id],
                      (enum token_type)reading->source.types[id]));
    json_object_foreach(vocab, text, value)
        TRY(put_token(vocabulary, json_integer_value(value), text, TOKEN_NORMAL));
    json_array_foreach(added, index, value) TRY(put_added(vocabulary, value));
    for (int64_t id = 0; id < vocabulary->count; id++) {
        if (vocabulary->tokens[id]) continue;
        vocabulary->tokens[id] = "";
        vocabulary->types[id] = TOKEN_UNUSED;
    }
    return STATUS_OK;
}

/* "left right", or [left, right]. */
static status read_merge(struct tokenizer_json *reading, const json_t *merge, size_t index,
                         const char **text)
{
    const char *left = json_string_value(json_array_get(merge, 0));
    const char *right = json_string_value(json_array_get(merge, 1));
    *text = json_string_value(merge);
    if (*text) return STATUS_OK;
    if (!left || !right || json_array_size(merge) != 2)
        return JSON_REFUSE(reading, BAD_INPUT, "model.merges",
                           "merge %zu must be a text or two of them", index);
    *text = arena_print(reading->arena, "%s %s", left, right);
    TRY_MEMORY(*text, reading->diagnostic);
    return STATUS_OK;
}

static status read_merges(struct tokenizer_json *reading, const json_t *merges)
{
    const char **texts;
    int32_t *lengths;
    size_t index;
    json_t *merge;
    if (!json_is_array(merges) || json_array_size(merges) > MERGES_MAX)
        return JSON_REFUSE(reading, BAD_INPUT, "model.merges",
                           "a list of at most %d merges is needed", MERGES_MAX);
    TRY_NEW(texts, reading->arena, json_array_size(merges), reading->diagnostic);
    TRY_NEW(lengths, reading->arena, json_array_size(merges), reading->diagnostic);
    json_array_foreach(merges, index, merge)
    {
        TRY(read_merge(reading, merge, index, &texts[index]));
        lengths[index] = (int32_t)strlen(texts[index]);
    }
    reading->source.merge_count = (int64_t)json_array_size(merges);
    reading->source.merges = texts;
    reading->source.merge_lengths = lengths;
    return STATUS_OK;
}

static void keep(const struct vocabulary *vocabulary)
{
    struct tokenizer_source *source = &vocabulary->reading->source;
    source->token_count = vocabulary->count;
    source->tokens = vocabulary->tokens;
    source->token_lengths = vocabulary->lengths;
    source->types = vocabulary->types;
    source->trims = vocabulary->trims;
}

status tokenizer_json_vocabulary(struct tokenizer_json *reading)
{
    struct vocabulary vocabulary = {.reading = reading};
    const json_t *model = json_object_get(reading->root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    if (!json_is_object(vocab))
        return JSON_REFUSE(reading, BAD_INPUT, "model.vocab", "%s", "must be an object");
    TRY(read_tokens(&vocabulary, vocab, json_object_get(reading->root, "added_tokens")));
    keep(&vocabulary);
    return read_merges(reading, json_object_get(model, "merges"));
}

/* Tokens behind the vocabulary have the score 0: no text becomes them by way of the model. */
status tokenizer_json_added(struct tokenizer_json *reading)
{
    struct vocabulary vocabulary = {.reading = reading};
    int64_t before = reading->source.token_count;
    double *scores;
    TRY(read_tokens(&vocabulary, NULL, json_object_get(reading->root, "added_tokens")));
    TRY_NEW(scores, reading->arena, vocabulary.count, reading->diagnostic);
    memcpy(scores, reading->source.exact_scores, (size_t)before * sizeof *scores);
    reading->source.exact_scores = scores;
    keep(&vocabulary);
    return STATUS_OK;
}
