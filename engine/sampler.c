/* See sampler.h for the order of the steps. */
#include "engine/sampler.h"

#include "base/random.h"

#include <math.h>
#include <stdlib.h>

struct scored {
    float logit;
    int32_t token;
    double probability;
};

struct sampling sampling_default(void)
{
    return (struct sampling){.top_p = 1, .repetition_penalty = 1, .repetition_window = 64};
}

status sampling_check(const struct sampling *sampling, struct diagnostic *diagnostic)
{
    if (!(sampling->temperature >= 0) || sampling->temperature > 100)
        return fail(diagnostic, STATUS_USAGE, "--temperature must be between 0 and 100");
    if (sampling->top_k < 0) return fail(diagnostic, STATUS_USAGE, "--top-k must not be negative");
    if (!(sampling->top_p > 0 && sampling->top_p <= 1))
        return fail(diagnostic, STATUS_USAGE, "--top-p must be above 0 and at most 1");
    if (!(sampling->min_p >= 0 && sampling->min_p <= 1))
        return fail(diagnostic, STATUS_USAGE, "--min-p must be between 0 and 1");
    if (!(sampling->repetition_penalty > 0))
        return fail(diagnostic, STATUS_USAGE, "--repetition-penalty must be above 0");
    return STATUS_OK;
}

/* Each recent token is punished once, however often it occurs. */
static void penalise(const struct sampling *sampling, float *logits, int64_t vocabulary,
                     const int32_t *recent, int64_t count)
{
    if (sampling->repetition_penalty == 1) return;
    int64_t window = sampling->repetition_window > 0 ? sampling->repetition_window : count;
    int64_t first = count > window ? count - window : 0;
    for (int64_t i = first; i < count; i++) {
        int32_t token = recent[i];
        bool seen = token < 0 || token >= vocabulary;
        for (int64_t j = first; j < i && !seen; j++) seen = recent[j] == token;
        if (seen) continue;
        double penalty = sampling->repetition_penalty;
        logits[token] =
            (float)(logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty);
    }
}

static int32_t greedy(const float *logits, int64_t vocabulary)
{
    int64_t best = 0;
    for (int64_t v = 1; v < vocabulary; v++)
        if (logits[v] > logits[best]) best = v;
    return (int32_t)best;
}

static int by_logit(const void *a, const void *b)
{
    const struct scored *first = a, *second = b;
    if (first->logit != second->logit) return first->logit > second->logit ? -1 : 1;
    return first->token < second->token ? -1 : first->token > second->token;
}

/* Softmax over the sorted candidates at temperature `temperature`. */
static void probabilities(struct scored *scored, int64_t count, double temperature)
{
    double total = 0;
    for (int64_t i = 0; i < count; i++) {
        scored[i].probability =
            exp(((double)scored[i].logit - (double)scored[0].logit) / temperature);
        total += scored[i].probability;
    }
    for (int64_t i = 0; i < count; i++) scored[i].probability /= total;
}

static int64_t keep_top_p(const struct scored *scored, int64_t count, double top_p)
{
    double total = 0;
    for (int64_t i = 0; i < count; i++) {
        total += scored[i].probability;
        if (total >= top_p) return i + 1;
    }
    return count;
}

static int64_t keep_min_p(const struct scored *scored, int64_t count, double min_p)
{
    int64_t kept = 1;
    while (kept < count && scored[kept].probability >= min_p * scored[0].probability) kept++;
    return kept;
}

static int32_t draw(const struct scored *scored, int64_t count, double uniform)
{
    double total = 0;
    for (int64_t i = 0; i < count - 1; i++) {
        total += scored[i].probability;
        if (uniform < total) return scored[i].token;
    }
    return scored[count - 1].token;
}

/* From candidates in their order. */
static int32_t sample_ordered(const struct sampling *sampling, struct scored *scored, int64_t count,
                              uint64_t stream, uint64_t position)
{
    if (sampling->top_k > 0 && sampling->top_k < count) count = sampling->top_k;
    probabilities(scored, count, 1);
    if (sampling->top_p < 1) count = keep_top_p(scored, count, sampling->top_p);
    if (sampling->min_p > 0) count = keep_min_p(scored, count, sampling->min_p);
    probabilities(scored, count, sampling->temperature);
    return draw(scored, count, random_uniform(sampling->seed, stream, position));
}

status sampling_not_numbers(struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_MISMATCH,
                "the logits are not numbers: the model file is damaged, or a kernel is wrong (try "
                "--references)");
}

status sample_token(const struct sampling *sampling, float *logits, int64_t vocabulary,
                    const int32_t *recent, int64_t recent_count, uint64_t stream, uint64_t position,
                    struct arena *scratch, int32_t *token, struct diagnostic *diagnostic)
{
    for (int64_t v = 0; v < vocabulary; v++)
        if (isnan(logits[v])) return sampling_not_numbers(diagnostic);
    penalise(sampling, logits, vocabulary, recent, recent_count);
    if (sampling->temperature == 0) {
        *token = greedy(logits, vocabulary);
        return STATUS_OK;
    }
    struct scored *scored;
    TRY_NEW(scored, scratch, vocabulary, diagnostic);
    for (int64_t v = 0; v < vocabulary; v++)
        scored[v] = (struct scored){.logit = logits[v], .token = (int32_t)v};
    qsort(scored, (size_t)vocabulary, sizeof *scored, by_logit);
    *token = sample_ordered(sampling, scored, vocabulary, stream, position);
    return STATUS_OK;
}

int64_t sampling_needs(const struct sampling *sampling)
{
    if (sampling->repetition_penalty != 1) return 0;
    return sampling->temperature == 0 ? 1 : sampling->top_k;
}

status sample_largest(const struct sampling *sampling, const float *values, const int32_t *tokens,
                      int64_t count, uint64_t stream, uint64_t position, struct arena *scratch,
                      int32_t *token, struct diagnostic *diagnostic)
{
    struct scored *scored;
    TRY_NEW(scored, scratch, count, diagnostic);
    for (int64_t i = 0; i < count; i++)
        scored[i] = (struct scored){.logit = values[i], .token = tokens[i]};
    *token = sampling->temperature == 0 ? tokens[0]
                                        : sample_ordered(sampling, scored, count, stream, position);
    return STATUS_OK;
}
