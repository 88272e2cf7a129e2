/* Text to token ids: first the special tokens are found, then what lies between them is cut into
 * pieces, and the pieces are merged into tokens. */
#include "models/tokenizer_encoder.h"
#include "models/tokenizer_normalize.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

status encoder_append(struct encoder *encoder, int64_t id)
{
    TRY_APPEND(encoder->ids, encoder->count, encoder->capacity, encoder->arena,
               encoder->diagnostic);
    encoder->ids[encoder->count - 1] = (int32_t)id;
    return STATUS_OK;
}

/* A piece that is a token, where that comes before merging; else -1. */
static int32_t whole_piece(const struct tokenizer *tokenizer, const char *piece, size_t length)
{
    if (!(tokenizer->pretokenizer.flags & PRETOKENIZE_WHOLE)) return -1;
    int32_t id = tokenizer_find(tokenizer, piece, length);
    return id >= 0 && tokenizer->types[id] == TOKEN_NORMAL ? id : -1;
}

static status encode_piece(struct encoder *encoder, const char *piece, size_t length)
{
    int32_t whole = whole_piece(encoder->tokenizer, piece, length);
    if (whole >= 0) return encoder_append(encoder, whole);
    return encoder_merge(encoder, piece, length);
}

/* Text that is whole UTF-8, for byte BPE. */
static status encode_valid(struct encoder *encoder, const char *text, size_t length)
{
    const struct pretokenizer *pretokenizer = &encoder->tokenizer->pretokenizer;
    const uint32_t *ends;
    size_t count, begin = 0;
    if (pretokenizer->flags & PRETOKENIZE_COMPOSE)
        TRY(normalize_composed(text, length, encoder->arena, &text, &length, encoder->diagnostic));
    TRY(pretokenizer_cut(pretokenizer, &encoder->matcher, text, length, &ends, &count,
                         encoder->diagnostic));
    for (size_t i = 0; i < count; begin = ends[i++])
        TRY(encode_piece(encoder, text + begin, ends[i] - begin));
    return STATUS_OK;
}

/* A run of bytes that are no UTF-8 is a piece of its own. */
static status encode_bytes(struct encoder *encoder, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t end = at + utf8_valid(text + at, length - at);
        if (end > at) TRY(encode_valid(encoder, text + at, end - at));
        at = end;
        while (end < length && utf8_character(text + end, length - end) == 0) end++;
        if (end > at) TRY(encode_piece(encoder, text + at, end - at));
        at = end;
    }
    return STATUS_OK;
}

/* SentencePiece has no pieces: all of the text is merged at once.  A U+2581 in it is taken for a
 * space, as the vocabulary cannot tell them apart. */
static status encode_sentence(struct encoder *encoder, const char *text, size_t length)
{
    char *sentence;
    size_t count = 0;
    TRY_NEW(sentence, encoder->arena, length + 1, encoder->diagnostic);
    if (encoder->tokenizer->add_space_prefix) sentence[count++] = ' ';
    for (size_t at = 0; at < length;) {
        bool mark =
            length - at >= SPACE_MARK_BYTES && memcmp(text + at, SPACE_MARK, SPACE_MARK_BYTES) == 0;
        sentence[count] = text[at];
        if (mark) sentence[count] = ' ';
        count++;
        at += mark ? SPACE_MARK_BYTES : 1;
    }
    return encoder_merge(encoder, sentence, count);
}

static status encode_ordinary(struct encoder *encoder, const char *text, size_t length)
{
    if (length == 0) return STATUS_OK;
    if (encoder->tokenizer->kind == TOKENIZER_SENTENCEPIECE)
        return encode_sentence(encoder, text, length);
    return encode_bytes(encoder, text, length);
}

/* Whether a barrier lies within a token's text; places only rise. */
static bool is_barred(struct encoder *encoder, size_t at, const struct special_token *token)
{
    const size_t *barriers = encoder->barriers;
    size_t *next = &encoder->barrier_at;
    while (*next < encoder->barrier_count && barriers[*next] <= at) ++*next;
    return token && token->control && *next < encoder->barrier_count &&
           barriers[*next] < at + (size_t)token->length;
}

static status encode_text(struct encoder *encoder, const char *text, size_t length, bool special)
{
    const struct special_tokens *known = &encoder->tokenizer->special;
    for (size_t at = 0; at < length;) {
        const struct special_token *token;
        size_t next = special_tokens_search(known, text, length, at, special, &token);
        while (is_barred(encoder, next, token))
            next = special_tokens_search(known, text, length, next + 1, special, &token);
        TRY(encode_ordinary(encoder, text + at, next - at));
        if (!token) break;
        TRY(encoder_append(encoder, token->id));
        at = next + (size_t)token->length;
    }
    return STATUS_OK;
}

static status encode(struct encoder *encoder, const struct tokenizer_text *text)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    TRY(pretokenizer_matcher_create(encoder->arena, &encoder->matcher, encoder->diagnostic));
    if (text->begin && tokenizer->add_bos) TRY(encoder_append(encoder, tokenizer->bos));
    return encode_text(encoder, text->bytes, text->length, text->special);
}

static status copy_ids(const struct encoder *encoder, struct arena *arena, int32_t **ids,
                       int64_t *count)
{
    TRY_NEW(*ids, arena, encoder->count + 1, encoder->diagnostic);
    if (encoder->count > 0) memcpy(*ids, encoder->ids, (size_t)encoder->count * sizeof **ids);
    *count = encoder->count;
    return STATUS_OK;
}

status tokenizer_encode_text(const struct tokenizer *tokenizer, const struct tokenizer_text *text,
                             struct arena *arena, int32_t **ids, int64_t *count,
                             struct diagnostic *diagnostic)
{
    if (text->length > TOKENIZER_TEXT_MAX)
        return fail(diagnostic, STATUS_USAGE,
                    "a text of %zu bytes; at most %d can be tokenized at once", text->length,
                    TOKENIZER_TEXT_MAX);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct encoder encoder = {.tokenizer = tokenizer,
                              .arena = scratch,
                              .diagnostic = diagnostic,
                              .barriers = text->barriers,
                              .barrier_count = text->barrier_count};
    status code = encode(&encoder, text);
    if (code == STATUS_OK) code = copy_ids(&encoder, arena, ids, count);
    arena_destroy(scratch);
    return code;
}

/* NOLINTNEXTLINE(readability-function-size): text, options and result make nine parameters */
status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                        bool begin, bool special, struct arena *arena, int32_t **ids,
                        int64_t *count, struct diagnostic *diagnostic)
{
    const struct tokenizer_text whole = {
        .bytes = text, .length = length, .begin = begin, .special = special};
    return tokenizer_encode_text(tokenizer, &whole, arena, ids, count, diagnostic);
}
