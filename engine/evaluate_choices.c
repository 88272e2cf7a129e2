/* Scoring choices: question and choice are cut into tokens together, and what both have in common with the question alone
 * is the context.  A question's choices share its tokens' state. */
#include "engine/evaluate_choices.h"

#include "base/clock.h"
#include "engine/score.h"

#include <math.h>
#include <string.h>

/* One choice behind its question. */
struct continuation {
    int32_t *ids;
    int64_t count, context; /* tokens, begin token included; those that belong to the question */
};

struct running {
    struct scorer scorer;
    const char *path;
    const struct question_list *list;
    double start_seconds;
    const struct progress *progress;
};

static int64_t common_prefix(const int32_t *a, int64_t a_count, const int32_t *b, int64_t b_count)
{
    int64_t same = 0;
    while (same < a_count && same < b_count && a[same] == b[same]) same++;
    return same;
}

static bool brings_space(const char *question, const char *choice)
{
    size_t length = strlen(question);
    return strchr(" \n\t", *choice) || strchr(" \n\t", question[length - 1]);
}

static status encode_choice(const struct running *running, const struct question *question,
                            int choice, struct arena *arena, struct continuation *candidate,
                            struct diagnostic *diagnostic)
{
    const struct model *model = engine_model(running->scorer.engine);
    const char *gap = brings_space(question->text, question->choices[choice]) ? "" : " ";
    const char *whole =
        arena_print(arena, "%s%s%s", question->text, gap, question->choices[choice]);
    int32_t *context;
    int64_t context_count, most = engine_plan(running->scorer.engine)->bounds.context;
    TRY_MEMORY(whole, diagnostic);
    TRY(tokenizer_encode(model->tokenizer, whole, strlen(whole), true, false, arena,
                         &candidate->ids, &candidate->count, diagnostic));
    TRY(tokenizer_encode(model->tokenizer, question->text, strlen(question->text), true, false,
                         arena, &context, &context_count, diagnostic));
    candidate->context = common_prefix(candidate->ids, candidate->count, context, context_count);
    /* The last token is always the choice's; the first has nothing to be predicted from. */
    if (candidate->context >= candidate->count) candidate->context = candidate->count - 1;
    if (candidate->context < 1) candidate->context = 1;
    if (candidate->count >= 2 && candidate->count <= most) return STATUS_OK;
    return fail(
        diagnostic, STATUS_BAD_INPUT,
        "%.500s:%d: question and choice %d have %lld tokens; 2 to %lld are possible (--context)",
        running->path, question->line, choice, (long long)candidate->count, (long long)most);
}

/* The sum of the log-probabilities of the choice's tokens; the sequence holds `held` tokens that are right. */
static status score_choice(struct running *running, const struct continuation *candidate,
                           int64_t held, double *sum, struct diagnostic *diagnostic)
{
    struct scorer *scorer = &running->scorer;
    int64_t first = candidate->context - 1, end = candidate->count - 1;
    scorer_keep(scorer, held);
    TRY(scorer_skip(scorer, candidate->ids + held, first - held, diagnostic));
    *sum = 0;
    for (int64_t at = first; at < end; at += SCORE_ROWS) {
        int64_t rows = end - at < SCORE_ROWS ? end - at : SCORE_ROWS;
        TRY(scorer_feed(scorer, candidate->ids + at, rows, diagnostic));
        for (int64_t row = 0; row < rows; row++) {
            const float *logits = scorer->logits + row * scorer->vocabulary;
            double log_sum;
            TRY(score_log_sum(logits, scorer->vocabulary, &log_sum, diagnostic));
            *sum += (double)logits[candidate->ids[at + row + 1]] - log_sum;
        }
    }
    return STATUS_OK;
}

static int best_of(const double *scores, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

/* log(exp(sums[one]) / sum(exp(sums))) */
static double log_share(const double *sums, int count, int one)
{
    double all = 0, largest = sums[best_of(sums, count)];
    for (int i = 0; i < count; i++) all += exp(sums[i] - largest);
    return sums[one] - largest - log(all);
}

/* picks[0]: by the sum; picks[1]: by the sum for each byte of the choice. */
static status ask(struct running *running, const struct question *question, struct arena *arena,
                  int picks[2], double *log_likelihood, struct diagnostic *diagnostic)
{
    struct continuation before = {0}, here;
    double sums[CHOICES_MAX] = {0}, shares[CHOICES_MAX];
    for (int i = 0; i < question->choice_count; i++) {
        TRY(encode_choice(running, question, i, arena, &here, diagnostic));
        int64_t held = common_prefix(before.ids, before.count, here.ids, here.count);
        /* The sequence has all but the last token of the choice before; rows begin at context - 1. */
        if (held > before.count - 1) held = before.count - 1;
        if (held > here.context - 1) held = here.context - 1;
        if (held < 0) held = 0;
        TRY(score_choice(running, &here, held, &sums[i], diagnostic));
        shares[i] = sums[i] / (double)strlen(question->choices[i]);
        before = here;
    }
    *log_likelihood = log_share(sums, question->choice_count, question->answer);
    picks[0] = best_of(sums, question->choice_count);
    picks[1] = best_of(shares, question->choice_count);
    return STATUS_OK;
}

static status report(const struct running *running, int done, struct diagnostic *diagnostic)
{
    double seconds = clock_seconds() - running->start_seconds;
    double left = running->list->count - done;
    struct progress_state state = {.stage = "asking",
                                   .done = done,
                                   .total = running->list->count,
                                   .seconds_left = done ? seconds / done * left : -1};
    progress_update(running->progress, &state);
    if (!progress_interrupted(running->progress)) return STATUS_OK;
    return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
}

static status ask_all(struct running *running, struct arena *scratch, struct choice_score *score,
                      int *picks, struct diagnostic *diagnostic)
{
    for (int q = 0; q < running->list->count; q++) {
        const struct question *question = &running->list->items[q];
        int own[2];
        double log_likelihood;
        arena_reset(scratch);
        TRY(report(running, q, diagnostic));
        TRY(ask(running, question, scratch, own, &log_likelihood, diagnostic));
        score->log_likelihood += log_likelihood / running->list->count;
        score->questions++;
        score->right += own[0] == question->answer;
        score->right_normalised += own[1] == question->answer;
        if (picks) memcpy(picks + (int64_t)q * 2, own, sizeof own);
    }
    return STATUS_OK;
}

status evaluate_choices(struct engine *engine, const char *path, const struct question_list *list,
                        const struct progress *progress, struct arena *arena,
                        struct choice_score *score, int *picks, struct diagnostic *diagnostic)
{
    struct running running = {
        .path = path, .list = list, .progress = progress, .start_seconds = clock_seconds()};
    *score = (struct choice_score){0};
    if (!engine_model(engine)->tokenizer)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s carries no tokenizer, so it cannot read a text",
                    engine_model(engine)->path);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = scorer_open(engine, arena, &running.scorer, diagnostic);
    if (code == STATUS_OK) code = ask_all(&running, scratch, score, picks, diagnostic);
    scorer_close(&running.scorer);
    arena_destroy(scratch);
    return code;
}
