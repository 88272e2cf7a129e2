/* SentencePiece's unigram model: of all ways to cut a piece into tokens, the one whose scores have the largest sum. */
#ifndef MODELS_TOKENIZER_UNIGRAM_H
#define MODELS_TOKENIZER_UNIGRAM_H

#include "base/status.h"

#include <stdint.h>

struct arena;
struct encoder;
struct tokenizer;
struct tokenizer_source;

enum { UNIGRAM_TOKEN_BYTES_MAX = 256 }; /* the longest known has 48 */

/* A trie of all tokens: the child of a node by a byte is found in a hash table. */
struct unigram {
    const uint64_t *keys;     /* [mask + 1], node << 8 | byte, plus 1; 0: this place is free */
    const uint32_t *children; /* [mask + 1] */
    const int32_t *ids;       /* [nodes], -1: no token ends here */
    uint64_t mask;
    const double *scores; /* [tokens] */
    double unknown_score; /* of a character without a token */
    bool narrow;          /* sums are rounded to float, as SentencePiece's are */
};

CHECKED status unigram_load(const struct tokenizer_source *source, struct arena *arena,
                            struct tokenizer *tokenizer, struct diagnostic *diagnostic);

/* Appends the tokens of a piece, which is whole UTF-8 but for single bytes that are none. */
CHECKED status encoder_unigram(struct encoder *encoder, const char *piece, size_t length);

#endif
