/* tokenizer.json of the unigram model: a list of tokens with their scores. */
#include "models/tokenizer_internal.h"
#include "models/tokenizer_json.h"

#include <string.h>

/* [text, score] */
static status take_row(struct tokenizer_json *reading, const json_t *row, size_t index,
                       bool fallback, const char **texts, int32_t *lengths, int32_t *types,
                       double *scores)
{
    const json_t *text = json_array_get(row, 0), *score = json_array_get(row, 1);
    if (!json_is_string(text) || !json_is_number(score) ||
        json_string_length(text) > UNIGRAM_TOKEN_BYTES_MAX)
        return JSON_REFUSE(reading, BAD_INPUT, "model.vocab",
                           "entry %zu must be a text of at most %d bytes and a number", index,
                           UNIGRAM_TOKEN_BYTES_MAX);
    texts[index] = json_string_value(text);
    lengths[index] = (int32_t)json_string_length(text);
    types[index] = fallback && json_is_byte_token(texts[index]) ? TOKEN_BYTE : TOKEN_NORMAL;
    scores[index] = json_number_value(score);
    return STATUS_OK;
}

static status read_vocab(struct tokenizer_json *reading, const json_t *model)
{
    struct tokenizer_source *source = &reading->source;
    const json_t *vocab = json_object_get(model, "vocab"), *row;
    bool fallback = json_is_true(json_object_get(model, "byte_fallback"));
    size_t index, count = json_array_size(vocab);
    const char **texts;
    int32_t *lengths, *types;
    double *scores;
    if (!json_is_array(vocab) || count < 1 || count > TOKENS_MAX)
        return JSON_REFUSE(reading, BAD_INPUT, "model.vocab", "must be a list of 1 to %d entries",
                           TOKENS_MAX);
    TRY_NEW(texts, reading->arena, count, reading->diagnostic);
    TRY_NEW(lengths, reading->arena, count, reading->diagnostic);
    TRY_NEW(types, reading->arena, count, reading->diagnostic);
    TRY_NEW(scores, reading->arena, count, reading->diagnostic);
    json_array_foreach(vocab, index, row)
        TRY(take_row(reading, row, index, fallback, texts, lengths, types, scores));
    source->token_count = (int64_t)count;
    source->tokens = texts;
    source->token_lengths = lengths;
    source->types = types;
    source->exact_scores = scores;
    return STATUS_OK;
}

static status read_unknown(struct tokenizer_json *reading, const json_t *model)
{
    const json_t *unknown = json_object_get(model, "unk_id");
    int64_t id = json_is_integer(unknown) ? json_integer_value(unknown) : -1;
    if (id < 0 || id >= reading->source.token_count)
        return JSON_REFUSE(reading, BAD_INPUT, "model.unk_id", "must be one of the %lld tokens",
                           (long long)reading->source.token_count);
    reading->source.unknown = id;
    return STATUS_OK;
}

status tokenizer_json_unigram(struct tokenizer_json *reading)
{
    const json_t *model = json_object_get(reading->root, "model");
    reading->source.kind = TOKENIZER_UNIGRAM;
    TRY(tokenizer_json_steps(reading, json_object_get(reading->root, "normalizer")));
    TRY(tokenizer_json_metaspace(reading, json_object_get(reading->root, "pre_tokenizer")));
    TRY(read_vocab(reading, model));
    TRY(read_unknown(reading, model));
    return tokenizer_json_added(reading);
}
