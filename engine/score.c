/* Scoring known tokens. */
#include "engine/score.h"

#include <math.h>

status scorer_open(struct engine *engine, struct arena *arena, struct scorer *scorer,
                   struct diagnostic *diagnostic)
{
    *scorer = (struct scorer){
        .engine = engine, .sequence = -1, .vocabulary = engine_model(engine)->vocabulary};
    TRY_NEW(scorer->logits, arena, SCORE_ROWS * scorer->vocabulary, diagnostic);
    return engine_sequence_open(engine, &scorer->sequence, diagnostic);
}

void scorer_close(struct scorer *scorer)
{
    if (scorer->engine && scorer->sequence >= 0)
        engine_sequence_close(scorer->engine, scorer->sequence);
    scorer->sequence = -1;
}

void scorer_keep(struct scorer *scorer, int64_t length)
{
    engine_sequence_truncate(scorer->engine, scorer->sequence, length);
}

static status feed(struct scorer *scorer, const int32_t *tokens, int64_t count, bool all_logits,
                   struct diagnostic *diagnostic)
{
    const struct engine_input input = {
        .sequence = scorer->sequence, .tokens = tokens, .count = count, .all_logits = all_logits};
    return engine_feed(scorer->engine, &input, 1, scorer->logits, diagnostic);
}

status scorer_skip(struct scorer *scorer, const int32_t *tokens, int64_t count,
                   struct diagnostic *diagnostic)
{
    return count ? feed(scorer, tokens, count, false, diagnostic) : STATUS_OK;
}

status scorer_feed(struct scorer *scorer, const int32_t *tokens, int64_t count,
                   struct diagnostic *diagnostic)
{
    return feed(scorer, tokens, count, true, diagnostic);
}

status score_log_sum(const float *row, int64_t count, double *log_sum,
                     struct diagnostic *diagnostic)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++)
        if (!(row[i] <= largest)) largest = row[i];
    for (int64_t i = 0; i < count; i++) sum += exp((double)row[i] - largest);
    *log_sum = largest + log(sum);
    if (isfinite(*log_sum)) return STATUS_OK;
    return fail(diagnostic, STATUS_MISMATCH, "the model's logits are no finite numbers");
}

int64_t score_best(const float *row, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (row[i] > row[best]) best = i;
    return best;
}
