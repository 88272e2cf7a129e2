/* What a model thinks of tokens that are known: feeding them and looking at the logits before each. */
#ifndef ENGINE_SCORE_H
#define ENGINE_SCORE_H

#include "engine/engine.h"

enum { SCORE_ROWS = 64 }; /* of logits at a time: with 150,000 tokens 40 MB */

struct scorer {
    struct engine *engine;
    int sequence; /* -1: none */
    int64_t vocabulary;
    float *logits; /* [SCORE_ROWS, vocabulary] */
};

/* Close it in every case. */
CHECKED status scorer_open(struct engine *engine, struct arena *arena, struct scorer *scorer,
                           struct diagnostic *diagnostic);
void scorer_close(struct scorer *scorer);

/* Forgets all tokens but the first `length`. */
void scorer_keep(struct scorer *scorer, int64_t length);
/* Appends tokens whose logits nobody asks for; `count` may be 0. */
CHECKED status scorer_skip(struct scorer *scorer, const int32_t *tokens, int64_t count,
                           struct diagnostic *diagnostic);
/* Appends up to SCORE_ROWS tokens; scorer->logits has a row behind each. */
CHECKED status scorer_feed(struct scorer *scorer, const int32_t *tokens, int64_t count,
                           struct diagnostic *diagnostic);

/* log(sum(exp(row))): what is taken from a logit to get the token's log-probability.  Fails on logits that are no
 * numbers. */
CHECKED status score_log_sum(const float *row, int64_t count, double *log_sum,
                             struct diagnostic *diagnostic);
int64_t score_best(const float *row, int64_t count); /* the lowest where several are best */

#endif
