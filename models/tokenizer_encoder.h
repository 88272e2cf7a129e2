/* The state of one call of tokenizer_encode.  Everything in it lies in an arena of its own, which
 * dies with the call; only the ids are copied out. */
#ifndef MODELS_TOKENIZER_ENCODER_H
#define MODELS_TOKENIZER_ENCODER_H

#include "models/tokenizer_internal.h"

struct symbol;
struct candidate;

struct encoder {
    const struct tokenizer *tokenizer;
    struct arena *arena;
    struct diagnostic *diagnostic;
    int32_t *ids;
    int64_t count;
    size_t capacity;
    struct pretokenizer_matcher matcher;
    /* Of the piece being merged: */
    const char *piece;
    struct symbol *symbols;
    struct candidate *heap; /* [symbol_capacity * 2] */
    size_t symbol_capacity, heap_count;
    const size_t *barriers; /* places over which no control token reaches */
    size_t barrier_count, barrier_at;
    bool after_unknown; /* the piece's last token so far was made from unknown characters */
};

CHECKED status encoder_append(struct encoder *encoder, int64_t id);

/* The tokens of the bytes of what has no token itself, or the unknown token. */
CHECKED status encoder_append_bytes(struct encoder *encoder, const char *text, size_t length);

/* Tokens of one piece: its characters, or bytes, merged pair by pair in the order of the merges or
 * scores (tokenizer_merge.c). */
CHECKED status encoder_merge(struct encoder *encoder, const char *piece, size_t length);

#endif
