/* Sampling: from logits to the next token.
 *
 * The order is the usual one: repetition penalty, top-k, top-p, min-p, temperature, then a draw.  Equal logits keep the
 * order of their ids, and the draw for position n of a sequence is a pure function of (seed, stream, n): the same seed
 * gives the same text on any device and with any batch. */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "base/arena.h"

#include <stdint.h>

struct sampling {
    double temperature; /* 0: greedy */
    int64_t top_k;      /* 0: all */
    double top_p;       /* 1: all */
    double min_p;       /* 0: all; relative to the most probable token */
    double
        repetition_penalty; /* 1: none; divides positive, multiplies negative logits of recent tokens */
    int64_t repetition_window; /* how many recent tokens count; 0: all given */
    uint64_t seed;
};

struct sampling sampling_default(void); /* greedy, no penalty */
CHECKED status sampling_check(const struct sampling *sampling, struct diagnostic *diagnostic);

/* `recent`: the sequence so far.  `stream` tells sequences apart, `position` is the new token's.  Changes `logits`. */
CHECKED status sample_token(const struct sampling *sampling, float *logits, int64_t vocabulary,
                            const int32_t *recent, int64_t recent_count, uint64_t stream,
                            uint64_t position, struct arena *scratch, int32_t *token,
                            struct diagnostic *diagnostic);

/* How many of the largest logits are all that sampling looks at; 0: it needs every logit. */
int64_t sampling_needs(const struct sampling *sampling);

/* As sample_token from those of a vocabulary, `count` of them or more where it has as many: largest first, lowest token
 * first among equals. */
CHECKED status sample_largest(const struct sampling *sampling, const float *values,
                              const int32_t *tokens, int64_t count, uint64_t stream,
                              uint64_t position, struct arena *scratch, int32_t *token,
                              struct diagnostic *diagnostic);

CHECKED status
sampling_not_numbers(struct diagnostic *diagnostic); /* the failure of logits that are NaN */

#endif
