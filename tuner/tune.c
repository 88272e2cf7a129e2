/* Tuning a list of problems within a budget. */
#include "runtime/threads.h"
#include "tuner/search_library.h"
#include "tuner/tune_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    tuning->worker_setup.clock = &tuning->clock;
    tuning->worker_setup.seed = setup->options.seed;
    return worker_create(&tuning->worker_setup, &tuning->worker, diagnostic);
}

/* Where that disturbs nothing, every core of the host compiles. */
static status create_pool(struct tuning *tuning, struct diagnostic *diagnostic)
{
    if (!tuning->setup->runner->compiles_apart) return STATUS_OK;
    TRY(compile_pool_create(thread_count_default(), compile_limits_default(), &tuning->pool,
                            diagnostic));
    compile_pool_use_clock(tuning->pool, &tuning->clock);
    return STATUS_OK;
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
    struct tuning tuning = {.setup = setup, .report = report, .arena = arena, .deadline = INFINITY};
    tuning.start = work_clock_look(&tuning.clock);
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
    TRY(create_worker(&tuning, diagnostic));
    status code = create_pool(&tuning, diagnostic);
    if (code == STATUS_OK) code = tune_by_gain(&tuning, diagnostic);
    report_coverage(report);
    report->restarts = worker_restarts(tuning.worker);
    report->seconds = work_clock_look(&tuning.clock) - tuning.start;
    worker_destroy(tuning.worker);
    compile_pool_destroy(tuning.pool);
    return code;
}
