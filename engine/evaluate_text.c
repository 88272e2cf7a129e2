/* Perplexity, KL divergence, agreement. */
#include "engine/evaluate_text.h"

#include "base/clock.h"
#include "engine/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct running {
    const struct text_evaluation *evaluation;
    struct scorer own, reference;
    int32_t *text, *ids; /* of the text; of the window */
    int64_t count, window;
    int begin;                        /* begin tokens in front of each window: 0 or 1 */
    double *losses, *divergences;     /* of each scored token */
    double reference_loss, agreement; /* sums */
    int64_t scored;
    double start_seconds;
};

/* ---- Text ---- */

static status encode(const struct engine *engine, const char *text, size_t length, bool begin,
                     struct arena *arena, int32_t **ids, int64_t *count,
                     struct diagnostic *diagnostic)
{
    const struct model *model = engine_model(engine);
    if (!model->tokenizer)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s carries no tokenizer, so it cannot read a text", model->path);
    return tokenizer_encode(model->tokenizer, text, length, begin, false, arena, ids, count,
                            diagnostic);
}

/* Probabilities can only be compared token by token. */
static status check_same_tokens(const struct running *running, const char *text, size_t length,
                                struct arena *arena, struct diagnostic *diagnostic)
{
    const struct text_evaluation *evaluation = running->evaluation;
    const struct model *own = engine_model(evaluation->engine);
    const struct model *other = engine_model(evaluation->reference);
    int32_t *ids;
    int64_t count;
    TRY(encode(evaluation->reference, text, length, false, arena, &ids, &count, diagnostic));
    if (own->vocabulary == other->vocabulary && count >= running->count &&
        !memcmp(ids, running->text, (size_t)running->count * sizeof *ids))
        return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE,
                "%.300s and %.300s cut this text into different tokens, so they cannot be compared",
                own->path, other->path);
}

static status prepare(struct running *running, const char *text, size_t length, struct arena *arena,
                      struct diagnostic *diagnostic)
{
    const struct text_evaluation *evaluation = running->evaluation;
    struct engine *engine = evaluation->engine;
    int64_t begin, context = engine_plan(engine)->bounds.context;
    int32_t *ids;
    TRY(encode(engine, text, length, false, arena, &running->text, &running->count, diagnostic));
    TRY(encode(engine, "", 0, true, arena, &ids, &begin, diagnostic));
    running->begin = begin > 0;
    if (evaluation->limit && running->count > evaluation->limit) running->count = evaluation->limit;
    running->window = evaluation->window ? evaluation->window : EVALUATION_WINDOW_DEFAULT;
    if (running->window > context) running->window = context;
    if (running->count < 2 || running->window < 4)
        return fail(diagnostic, STATUS_USAGE,
                    "a text of at least 2 tokens and windows of at least 4 are needed; these are "
                    "%lld and %lld",
                    (long long)running->count, (long long)running->window);
    if (evaluation->reference) TRY(check_same_tokens(running, text, length, arena, diagnostic));
    TRY_NEW(running->ids, arena, running->window, diagnostic);
    if (begin) running->ids[0] = ids[0];
    TRY_NEW(running->losses, arena, running->count, diagnostic);
    TRY_NEW(running->divergences, arena, running->count, diagnostic);
    return STATUS_OK;
}

/* ---- Rows ---- */

/* The row of logits in front of token `token`. */
static status score_row(struct running *running, int64_t row, int32_t token,
                        struct diagnostic *diagnostic)
{
    int64_t vocabulary = running->own.vocabulary;
    const float *own = running->own.logits + row * vocabulary;
    double own_sum, other_sum, divergence = 0;
    TRY(score_log_sum(own, vocabulary, &own_sum, diagnostic));
    running->losses[running->scored] = own_sum - (double)own[token];
    if (running->evaluation->reference) {
        const float *other = running->reference.logits + row * vocabulary;
        TRY(score_log_sum(other, vocabulary, &other_sum, diagnostic));
        for (int64_t i = 0; i < vocabulary; i++) {
            double right = (double)other[i] - other_sum;
            divergence += exp(right) * (right - ((double)own[i] - own_sum));
        }
        running->divergences[running->scored] = divergence > 0 ? divergence : 0; /* rounding */
        running->reference_loss += other_sum - (double)other[token];
        running->agreement += score_best(own, vocabulary) == score_best(other, vocabulary);
    }
    running->scored++;
    return STATUS_OK;
}

static status report(const struct running *running, struct diagnostic *diagnostic)
{
    const struct progress *progress = running->evaluation->progress;
    double total = (double)(running->count - 1), done = (double)running->scored;
    double seconds = clock_seconds() - running->start_seconds;
    struct progress_state state = {.stage = "evaluating",
                                   .done = done,
                                   .total = total,
                                   .seconds_left = done > 0 ? seconds / done * (total - done) : -1};
    progress_update(progress, &state);
    if (!progress_interrupted(progress)) return STATUS_OK;
    return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
}

/* Tokens [from, end) of the window are scored, those before `from` are context. */
static status score_window(struct running *running, int64_t from, int64_t end,
                           struct diagnostic *diagnostic)
{
    bool compares = running->evaluation->reference;
    scorer_keep(&running->own, 0);
    TRY(scorer_skip(&running->own, running->ids, from - 1, diagnostic));
    if (compares) {
        scorer_keep(&running->reference, 0);
        TRY(scorer_skip(&running->reference, running->ids, from - 1, diagnostic));
    }
    for (int64_t first = from - 1; first < end - 1; first += SCORE_ROWS) {
        int64_t rows = end - 1 - first < SCORE_ROWS ? end - 1 - first : SCORE_ROWS;
        TRY(report(running, diagnostic));
        TRY(scorer_feed(&running->own, running->ids + first, rows, diagnostic));
        if (compares) TRY(scorer_feed(&running->reference, running->ids + first, rows, diagnostic));
        for (int64_t row = 0; row < rows; row++)
            TRY(score_row(running, row, running->ids[first + row + 1], diagnostic));
    }
    return STATUS_OK;
}

static status score_windows(struct running *running, struct diagnostic *diagnostic)
{
    int begin = running->begin;
    int64_t room = running->window - begin; /* tokens of the text in a window */
    int64_t next = 1;                       /* to be scored */
    while (next < running->count) {
        int64_t first = next == 1 ? 0 : next - room / 2;
        int64_t end = first + room < running->count ? first + room : running->count;
        memcpy(running->ids + begin, running->text + first,
               (size_t)(end - first) * sizeof(int32_t));
        TRY(score_window(running, begin + next - first, begin + end - first, diagnostic));
        next = end;
    }
    return STATUS_OK;
}

/* ---- Sums ---- */

static double mean_of(const double *values, int64_t count, double *error)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) sum += values[i];
    double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) squares += (values[i] - mean) * (values[i] - mean);
    *error = count > 1 ? sqrt(squares / (double)(count - 1) / (double)count) : 0;
    return mean;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarise(struct running *running, struct text_score *score)
{
    double error;
    int64_t count = running->scored;
    *score = (struct text_score){.tokens = count};
    score->perplexity = exp(mean_of(running->losses, count, &error));
    score->perplexity_error = score->perplexity * error;
    if (!running->evaluation->reference) return;
    score->reference_perplexity = exp(running->reference_loss / (double)count);
    score->kl_divergence = mean_of(running->divergences, count, &score->kl_error);
    score->top_token_agreement = running->agreement / (double)count;
    qsort(running->divergences, (size_t)count, sizeof(double), compare);
    score->kl_99 = running->divergences[(count - 1) * 99 / 100];
    score->kl_largest = running->divergences[count - 1];
}

status evaluate_text(const struct text_evaluation *evaluation, const char *text, size_t length,
                     struct arena *arena, struct text_score *score, struct diagnostic *diagnostic)
{
    struct running running = {.evaluation = evaluation, .start_seconds = clock_seconds()};
    TRY(prepare(&running, text, length, arena, diagnostic));
    status code = scorer_open(evaluation->engine, arena, &running.own, diagnostic);
    if (code == STATUS_OK && evaluation->reference)
        code = scorer_open(evaluation->reference, arena, &running.reference, diagnostic);
    if (code == STATUS_OK) code = score_windows(&running, diagnostic);
    scorer_close(&running.own);
    scorer_close(&running.reference);
    if (code == STATUS_OK) summarise(&running, score);
    return code;
}
