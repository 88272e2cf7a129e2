/* Running searches on a replay, and scoring them. */
#include "tuner/contest.h"

#include "base/clock.h"
#include "tuner/search_course.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Random search is followed until it has come so far from the median to the optimum. */
static const double cutoff = 0.95;
/* 95 % of a normal distribution lie within so many deviations. */
static const double deviations_95 = 1.96;

uint64_t contest_budget(uint64_t count)
{
    enum { LARGE = 1000, MOST = 100, LEAST = 20 };
    uint64_t share = count / 20;
    if (count > LARGE) return share < MOST ? share : MOST;
    return share > LEAST ? share : LEAST;
}

/* ---- Random search, computed ---- */

struct baseline {
    double *sorted; /* times of the good configs, the fastest first */
    int good, all;
    double mean_cost;
};

static int compare_times(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static status make_baseline(const struct replay *replay, struct arena *arena,
                            struct baseline *baseline, struct diagnostic *diagnostic)
{
    const struct recorded_space *space = replay_space(replay);
    *baseline = (struct baseline){.all = space->config_count};
    TRY_NEW(baseline->sorted, arena, space->config_count, diagnostic);
    for (int c = 0; c < space->config_count; c++) {
        struct hone_outcome outcome = replay_answer(replay, (uint64_t)c);
        if (outcome.good) baseline->sorted[baseline->good++] = outcome.seconds;
        baseline->mean_cost += replay_cost(replay, (uint64_t)c) / space->config_count;
    }
    qsort(baseline->sorted, (size_t)baseline->good, sizeof *baseline->sorted, compare_times);
    return STATUS_OK;
}

/* The best of `draws` distinct configs in the mean: the optimum, and each step to the next slower config times the chance that
 * none of those up to the step was drawn. */
static double expected_best(const struct baseline *baseline, double draws)
{
    const double nothing = 1e-12;
    double all = baseline->all, seconds = baseline->sorted[0];
    if (draws < 1) draws = 1;
    for (int i = 1; i < baseline->good; i++) {
        double left = all - i;
        if (left < draws) break;
        double chance = exp(lgamma(left + 1) - lgamma(left - draws + 1) - lgamma(all + 1) +
                            lgamma(all - draws + 1));
        if (chance < nothing) break;
        seconds += chance * (baseline->sorted[i] - baseline->sorted[i - 1]);
    }
    return seconds;
}

/* The number of draws after which random search has come the way. */
static double cutoff_draws(const struct baseline *baseline)
{
    double optimum = baseline->sorted[0], median = baseline->sorted[baseline->good / 2];
    double wanted = median + cutoff * (optimum - median), low = 1, high = baseline->all;
    for (int step = 0; step < 50; step++) {
        double middle = (low + high) / 2;
        *(expected_best(baseline, middle) > wanted ? &low : &high) = middle;
    }
    return high;
}

double contest_seconds(const struct replay *replay)
{
    struct arena *arena = arena_create(0);
    struct diagnostic ignored = {0};
    struct baseline baseline;
    double seconds = 0;
    if (arena && make_baseline(replay, arena, &baseline, &ignored) == STATUS_OK)
        seconds = cutoff_draws(&baseline) * baseline.mean_cost;
    arena_destroy(arena);
    return seconds;
}

/* ---- Searches ---- */

/* One search: the best time and the cost after each config. */
struct trace {
    double *best, *cost;
    int count;
    double seconds; /* of the strategy itself */
};

static status run_once(const struct replay *replay, const struct hone_strategy *strategy,
                       uint64_t seed, uint64_t budget, struct arena *arena, struct trace *trace,
                       struct diagnostic *diagnostic)
{
    struct replay_run run;
    struct course *course;
    uint64_t point;
    int level;
    double best = INFINITY, cost = 0, start = clock_seconds();
    *trace = (struct trace){0};
    TRY_NEW(trace->best, arena, budget + 1, diagnostic);
    TRY_NEW(trace->cost, arena, budget + 1, diagnostic);
    replay_start(replay, seed, budget, arena, &run);
    TRY(course_open(&run.field, strategy, NULL, 0, arena, &course, diagnostic));
    while ((uint64_t)trace->count < budget && course_ask(course, &point, &level) && level == 0) {
        struct hone_outcome outcome = replay_answer(replay, point);
        if (outcome.good) best = fmin(best, outcome.seconds);
        cost += replay_cost(replay, point);
        trace->best[trace->count] = best;
        trace->cost[trace->count++] = cost;
        course_tell(course, point, level, &outcome);
    }
    course_close(course);
    trace->seconds = clock_seconds() - start;
    return STATUS_OK;
}

/* What was the best at that cost; nothing yet: `otherwise`. */
static double best_at(const struct trace *trace, double cost, double otherwise)
{
    double best = otherwise;
    for (int i = 0; i < trace->count && trace->cost[i] <= cost * (1 + 1e-12); i++)
        if (isfinite(trace->best[i])) best = trace->best[i];
    return best;
}

static double share_after(const struct trace *trace, const struct baseline *baseline, int count)
{
    if (count > trace->count) count = trace->count;
    if (count < 1 || !isfinite(trace->best[count - 1])) return 0;
    return baseline->sorted[0] / trace->best[count - 1];
}

/* ---- Means ---- */

struct sums {
    double sum, squares;
    int count;
};

static void sums_add(struct sums *sums, double value)
{
    sums->sum += value;
    sums->squares += value * value;
    sums->count++;
}

static void sums_finish(const struct sums *sums, double *mean, double *low, double *high)
{
    double n = sums->count > 0 ? sums->count : 1;
    *mean = sums->sum / n;
    double variance = n > 1 ? fmax(0, sums->squares / n - *mean * *mean) * n / (n - 1) : 0;
    double half = deviations_95 * sqrt(variance / n);
    *low = *mean - half;
    *high = *mean + half;
}

static void curve_finish(const struct sums *sums, struct contest_curve *curve)
{
    for (int i = 0; i < CONTEST_POINTS; i++)
        sums_finish(&sums[i], &curve->mean[i], &curve->low[i], &curve->high[i]);
}

/* ---- The contest ---- */

struct contest {
    const struct replay *replay;
    const struct hone_strategy *strategy;
    const struct contest_options *options;
    struct baseline baseline;
    double base[CONTEST_POINTS], times[CONTEST_POINTS];
    struct arena *scratch;
};

static uint64_t run_seed(const struct contest *contest, int repeat)
{
    return contest->options->seed * 1000003 + (uint64_t)repeat;
}

/* With the budget in configs. */
static status measure_share(struct contest *contest, struct contest_result *result,
                            struct diagnostic *diagnostic)
{
    struct sums share = {0}, progress[CONTEST_POINTS] = {{0}};
    result->worst_share = 1;
    for (int r = 0; r < contest->options->repeats; r++) {
        struct trace trace;
        arena_reset(contest->scratch);
        TRY(run_once(contest->replay, contest->strategy, run_seed(contest, r), result->budget,
                     contest->scratch, &trace, diagnostic));
        double own = share_after(&trace, &contest->baseline, trace.count);
        sums_add(&share, own);
        result->worst_share = fmin(result->worst_share, own);
        result->search_seconds += trace.seconds / contest->options->repeats;
        for (int i = 0; i < CONTEST_POINTS; i++) {
            double configs = ceil((double)result->budget * (i + 1) / CONTEST_POINTS);
            sums_add(&progress[i], share_after(&trace, &contest->baseline, (int)configs));
        }
    }
    sums_finish(&share, &result->share, &result->share_low, &result->share_high);
    curve_finish(progress, &result->progress);
    return STATUS_OK;
}

/* Over the time that the baseline needs; a strategy may measure cheaper configs than the mean, so it gets more of them. */
static status measure_score(struct contest *contest, struct contest_result *result,
                            struct diagnostic *diagnostic)
{
    struct sums points[CONTEST_POINTS] = {{0}};
    const struct baseline *baseline = &contest->baseline;
    double median = baseline->sorted[baseline->good / 2];
    uint64_t budget = (uint64_t)ceil(cutoff_draws(baseline)) + 1;
    for (int r = 0; r < contest->options->repeats; r++) {
        struct trace trace;
        arena_reset(contest->scratch);
        TRY(run_once(contest->replay, contest->strategy, run_seed(contest, r), budget,
                     contest->scratch, &trace, diagnostic));
        for (int i = 0; i < CONTEST_POINTS; i++) {
            double found = best_at(&trace, contest->times[i], fmax(median, contest->base[i]));
            double reach = contest->base[i] - baseline->sorted[0];
            sums_add(&points[i], reach > 0 ? (contest->base[i] - found) / reach : 1);
        }
    }
    curve_finish(points, &result->curve);
    for (int i = 0; i < CONTEST_POINTS; i++)
        result->score += result->curve.mean[i] / CONTEST_POINTS;
    return STATUS_OK;
}

static status hold(struct contest *contest, struct arena *arena, struct contest_result *result,
                   struct diagnostic *diagnostic)
{
    TRY(make_baseline(contest->replay, arena, &contest->baseline, diagnostic));
    double draws = cutoff_draws(&contest->baseline);
    for (int i = 0; i < CONTEST_POINTS; i++) {
        double part = draws * (i + 1) / CONTEST_POINTS;
        contest->times[i] = part * contest->baseline.mean_cost;
        contest->base[i] = expected_best(&contest->baseline, part);
    }
    TRY(measure_share(contest, result, diagnostic));
    return measure_score(contest, result, diagnostic);
}

status contest_run(const struct replay *replay, const struct hone_strategy *strategy,
                   const struct contest_options *options, struct contest_result *result,
                   struct diagnostic *diagnostic)
{
    struct contest contest = {.replay = replay, .strategy = strategy, .options = options};
    struct arena *arena = arena_create(0);
    uint64_t count = (uint64_t)replay_space(replay)->config_count;
    *result = (struct contest_result){
        .strategy = strategy, .budget = options->budget ? options->budget : contest_budget(count)};
    if (result->budget > count) result->budget = count;
    contest.scratch = arena_create(0);
    status code = arena && contest.scratch ? hold(&contest, arena, result, diagnostic)
                                           : fail_memory(diagnostic, 0);
    arena_destroy(contest.scratch);
    arena_destroy(arena);
    return code;
}
