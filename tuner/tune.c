/* Tuning a list of problems within a budget. */
#include "base/clock.h"
#include "runtime/threads.h"
#include "tuner/search_library.h"
#include "tuner/tune_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A problem's place in the order of work. */
struct turn {
    int index;
    double importance; /* what it costs a step of the model, in seconds */
};

static int compare_turns(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->importance != y->importance) return x->importance < y->importance ? 1 : -1;
    return x->index - y->index;
}

/* The dearest first.  What a problem takes is estimated from its bytes and operations: the order
 * matters, not the time. */
static status order_turns(const struct tune_setup *setup, struct arena *arena, struct turn **turns,
                          struct diagnostic *diagnostic)
{
    const double bandwidth = 1e10, rate = 1e11, launch = 2e-6;
    TRY_NEW(*turns, arena, setup->problem_count + 1, diagnostic);
    for (int p = 0; p < setup->problem_count; p++) {
        struct cost cost = problem_cost(setup->problems[p].problem);
        double seconds = cost.bytes / bandwidth + cost.operations / rate + launch;
        if (setup->problems[p].seconds > 0) seconds = setup->problems[p].seconds;
        (*turns)[p] = (struct turn){p, seconds * setup->problems[p].weight};
    }
    qsort(*turns, (size_t)setup->problem_count, sizeof **turns, compare_turns);
    return STATUS_OK;
}

/* Shares grow with the square root of the importance: twice as dear is not worth twice the time. */
static double share_of(const struct turn *turn)
{
    return sqrt(fmax(turn->importance, 0));
}

/* The most that searching a problem has been seen to bring is about this part of its time; below that part of the whole it is
 * not worth measuring, and its estimate decides. */
static const double gain_expected = 0.5, gain_least = 1e-4;

static bool is_negligible(const struct turn *turn, double all)
{
    return all > 0 && turn->importance * gain_expected < gain_least * all;
}

/* How much of a step is in the hands of measured winners. */
static void report_coverage(struct tune_report *report)
{
    double all = 0, raced = 0;
    for (int r = 0; r < report->row_count; r++) {
        const struct tune_row *row = &report->rows[r];
        double seconds = row->weight * row->decision.seconds;
        if (!isfinite(seconds)) continue;
        all += seconds;
        if (row->decision.basis == DECISION_FINAL) raced += seconds;
    }
    for (int r = 0; r < report->row_count && all > 0; r++) {
        double seconds = report->rows[r].weight * report->rows[r].decision.seconds;
        report->rows[r].step_share = isfinite(seconds) ? seconds / all : 0;
    }
    report->coverage = all > 0 ? raced / all : 0;
}

void tuning_tell(const struct tuning *tuning, int problem, bool done)
{
    const struct tune_watch *watch = tuning->setup->options.watch;
    if (done) report_coverage(tuning->report);
    if (watch) watch->changed(watch->context, tuning->report, problem, done);
}

static status tune_turns(struct tuning *tuning, const struct turn *turns,
                         struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = tuning->setup;
    double left = 0, all = 0;
    for (int t = 0; t < setup->problem_count; t++) {
        left += share_of(&turns[t]);
        all += turns[t].importance;
    }
    for (int t = 0; t < setup->problem_count; t++) {
        double now = clock_seconds(), share = share_of(&turns[t]), deadline = INFINITY;
        if (isfinite(tuning->deadline))
            deadline = now + fmax(0, tuning->deadline - now) * (left > 0 ? share / left : 1);
        left -= share;
        struct diagnostic reason = {0};
        bool negligible = setup->options.effort < EFFORT_MOST && is_negligible(&turns[t], all);
        status code = tune_problem(tuning, turns[t].index, negligible, deadline, &reason);
        if (code == STATUS_NO_MEMORY || code == STATUS_UNSUPPORTED || code == STATUS_FAILED) {
            struct tune_row *row = &tuning->report->rows[turns[t].index];
            row->note = arena_text(tuning->arena, reason.text);
            if (!row->winner) row->winner = "";
            progress_warn(setup->options.progress, "not tuned: %s: %s",
                          setup->problems[turns[t].index].problem->text, reason.text);
        } else if (code != STATUS_OK) {
            return fail(diagnostic, code, "%s", reason.text);
        }
        tuning->done++;
        tuning_tell(tuning, turns[t].index, true);
        if (clock_seconds() > tuning->deadline) tuning->report->out_of_time = true;
    }
    return STATUS_OK;
}

static status create_worker(struct tuning *tuning, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = tuning->setup;
    const struct problem **problems;
    TRY_NEW(problems, tuning->arena, setup->problem_count + 1, diagnostic);
    for (int p = 0; p < setup->problem_count; p++) problems[p] = setup->problems[p].problem;
    tuning->worker_setup = setup->limits;
    tuning->worker_setup.runner = setup->runner;
    tuning->worker_setup.facts = setup->facts;
    tuning->worker_setup.problems = problems;
    tuning->worker_setup.problem_count = setup->problem_count;
    tuning->worker_setup.seed = setup->options.seed;
    return worker_create(&tuning->worker_setup, &tuning->worker, diagnostic);
}

/* Where that disturbs nothing, every core of the host compiles. */
static status create_pool(struct tuning *tuning, struct diagnostic *diagnostic)
{
    if (!tuning->setup->runner->compiles_apart) return STATUS_OK;
    return compile_pool_create(thread_count_default(), compile_limits_default(), &tuning->pool,
                               diagnostic);
}

static status find_strategy(const struct tune_options *options,
                            const struct hone_strategy **strategy, struct diagnostic *diagnostic)
{
    const char *name = options->strategy;
    if (!name) name = options->effort == EFFORT_MOST ? "exhaustive" : search_table()[0]->name;
    return search_find(name, strategy, diagnostic);
}

status tune_run(const struct tune_setup *setup, struct arena *arena, struct tune_report *report,
                struct diagnostic *diagnostic)
{
    *report = (struct tune_report){.row_count = setup->problem_count};
    struct tuning tuning = {.setup = setup,
                            .report = report,
                            .arena = arena,
                            .start = clock_seconds(),
                            .deadline = INFINITY};
    if (setup->options.budget_seconds > 0)
        tuning.deadline = tuning.start + setup->options.budget_seconds;
    if (setup->options.effort < 0 || setup->options.effort > EFFORT_MOST)
        return fail(diagnostic, STATUS_USAGE, "the effort must be 0 to %d", EFFORT_MOST);
    TRY(find_strategy(&setup->options, &tuning.strategy, diagnostic));
    if (setup->options.effort > 0) TRY(store_note_origin(setup->store, setup->facts, diagnostic));
    TRY_NEW(report->rows, arena, setup->problem_count + 1, diagnostic);
    for (int p = 0; p < setup->problem_count; p++) {
        report->rows[p].problem = setup->problems[p].problem;
        report->rows[p].weight = setup->problems[p].weight;
    }
    struct turn *turns;
    TRY(order_turns(setup, arena, &turns, diagnostic));
    TRY(create_worker(&tuning, diagnostic));
    status code = create_pool(&tuning, diagnostic);
    if (code == STATUS_OK) code = tune_turns(&tuning, turns, diagnostic);
    report_coverage(report);
    report->restarts = worker_restarts(tuning.worker);
    report->seconds = clock_seconds() - tuning.start;
    worker_destroy(tuning.worker);
    compile_pool_destroy(tuning.pool);
    return code;
}
