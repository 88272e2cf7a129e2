/* Text to token ids: first the special tokens are found, then what lies between them is cut into
 * pieces, and the pieces are merged into tokens. */
#include "base/text.h"
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

static bool is_white(const char *text, size_t length, bool any, size_t *bytes)
{
    *bytes = 1;
    if (*text == ' ') return true;
    if (any) *bytes = special_space_behind(text, length);
    return any && *bytes > 0;
}

/* Spaces as the vocabulary has them: a U+2581 in the text becomes one, as nothing tells them apart; runs of real ones may
 * become one.  `sentence` has room for one byte more than the text. */
static size_t space_out(const struct tokenizer *tokenizer, const char *text, size_t length,
                        bool first, char *sentence)
{
    const struct spacing *spacing = &tokenizer->spacing;
    size_t count = 0, step;
    bool after_space = true;
    for (size_t at = 0; at < length; at += step) {
        bool mark =
            length - at >= SPACE_MARK_BYTES && memcmp(text + at, SPACE_MARK, SPACE_MARK_BYTES) == 0;
        bool white = !mark && is_white(text + at, length - at, spacing->any_white, &step);
        if (!white) step = mark ? SPACE_MARK_BYTES : 1;
        if (!(white && after_space && spacing->collapses))
            sentence[count++] = white || mark ? ' ' : text[at];
        after_space = white;
    }
    while (spacing->collapses && count && sentence[count - 1] == ' ') count--;
    bool prefix = tokenizer->add_space_prefix && (first || !spacing->first_only) &&
                  !(spacing->unless_there && count && *sentence == ' ') && count;
    if (!prefix) return count;
    memmove(sentence + 1, sentence, count);
    *sentence = ' ';
    return count + 1;
}

static status encode_words(struct encoder *encoder, const char *sentence, size_t length)
{
    bool unigram = encoder->tokenizer->kind == TOKENIZER_UNIGRAM;
    size_t begin = 0;
    for (size_t at = 1; at <= length; at++) {
        bool cut = at == length || (encoder->tokenizer->spacing.cuts && sentence[at] == ' ');
        if (!cut) continue;
        TRY(unigram ? encoder_unigram(encoder, sentence + begin, at - begin)
                    : encoder_merge(encoder, sentence + begin, at - begin));
        begin = at;
    }
    return STATUS_OK;
}

/* Steps work on whole UTF-8: other bytes become U+FFFD before. */
static status run_steps(struct encoder *encoder, const char **text, size_t *length)
{
    struct text whole = {.arena = encoder->arena};
    if (!encoder->tokenizer->steps.count) return STATUS_OK;
    utf8_append(&whole, *text, *length);
    const char *bytes = text_finish(&whole);
    TRY_MEMORY(bytes, encoder->diagnostic);
    return text_steps_run(&encoder->tokenizer->steps, bytes, whole.length, encoder->arena, text,
                          length, encoder->diagnostic);
}

/* SentencePiece merges all of the text at once, or from space to space.  `first`: it begins the whole text. */
static status encode_sentence(struct encoder *encoder, const char *text, size_t length, bool first)
{
    char *sentence;
    TRY(run_steps(encoder, &text, &length));
    TRY_NEW(sentence, encoder->arena, length + 1, encoder->diagnostic);
    size_t count = space_out(encoder->tokenizer, text, length, first, sentence);
    return encode_words(encoder, sentence, count);
}

static status encode_ordinary(struct encoder *encoder, const char *text, size_t length, bool first)
{
    if (length == 0) return STATUS_OK;
    if (encoder->tokenizer->kind != TOKENIZER_BYTE_BPE)
        return encode_sentence(encoder, text, length, first);
    if (!encoder->tokenizer->steps.count) return encode_bytes(encoder, text, length);
    TRY(run_steps(encoder, &text, &length));
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

/* The first token from `from` on that stands in the text as one; `next` is its place. */
static const struct special_token *
next_special(struct encoder *encoder, const struct tokenizer_text *text, size_t from, size_t *next)
{
    const struct special_tokens *known = &encoder->tokenizer->special;
    const struct special_token *token;
    do {
        *next =
            special_tokens_search(known, text->bytes, text->length, from, text->special, &token);
        from = *next + 1;
    } while (token && (is_barred(encoder, *next, token) ||
                       !special_token_stands(token, text->bytes, text->length, *next)));
    return token;
}

/* A token may take white space around it along; tokens within what it took count all the same. */
static status encode_text(struct encoder *encoder, const struct tokenizer_text *text)
{
    const struct special_token *token;
    for (size_t at = 0, from = 0, next;; from = next + (size_t)token->length) {
        token = next_special(encoder, text, from, &next);
        size_t end = next;
        if (token && token->trims & TRIM_LEFT) end -= special_space_before(text->bytes, next);
        if (at < end) TRY(encode_ordinary(encoder, text->bytes + at, end - at, at == 0));
        if (!token) return STATUS_OK;
        TRY(encoder_append(encoder, token->id));
        at = next + (size_t)token->length;
        if (token->trims & TRIM_RIGHT)
            at += special_space_behind(text->bytes + at, text->length - at);
    }
}

static status encode(struct encoder *encoder, const struct tokenizer_text *text)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    TRY(pretokenizer_matcher_create(encoder->arena, &encoder->matcher, encoder->diagnostic));
    if (text->begin && tokenizer->add_bos) TRY(encoder_append(encoder, tokenizer->bos));
    return encode_text(encoder, text);
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
