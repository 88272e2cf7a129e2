/* Drawing decisions and measuring their candidates again. */
#include "tuner/verify_choices.h"

#include "base/clock.h"
#include "base/text.h"
#include "ops/op_table.h"
#include "tuner/pack_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a quiet machine's clock, memory and pages make of it from one day to the next. */
static const double from_day_to_day = 0.05;

static const struct measure_limits limits = {
    .seconds = 0.3, .precision = 0.005, .samples_least = 9, .samples_most = 256};

/* A decision that rests on a record of this Hone. */
struct choice {
    const struct problem *problem;
    struct candidate candidate;
    enum decision_basis basis;
    double seconds, spread;
};

struct verifying {
    const struct tune_setup *setup;
    struct arena *arena;
    struct choice *choices; /* in the order of their problems' texts */
    int count;
    struct verify_report *report;
    struct worker *worker;
    double start;
    struct diagnostic *diagnostic;
};

const char *verify_outcome_name(enum verify_outcome outcome)
{
    static const char *const names[] = {
        [VERIFY_HELD] = "held", [VERIFY_DRIFTED] = "drifted", [VERIFY_FAILED] = "failed"};
    return names[outcome];
}

/* ---- What was decided ---- */

static bool is_of(const struct record *record, const struct decision *decision, const char *text)
{
    if (record->status != RECORD_OK || strcmp(record->candidate, text) != 0) return false;
    return decision->basis == DECISION_FINAL
               ? record->stage == RECORD_FINAL && record->session == decision->session
               : record->median_seconds == decision->seconds;
}

static status add_choice(struct verifying *verifying, const struct problem *problem)
{
    const struct tune_setup *setup = verifying->setup;
    struct record *records;
    struct decision decision;
    int count;
    TRY(store_records(setup->store, problem->key, setup->facts->class_name, verifying->arena,
                      &records, &count, verifying->diagnostic));
    TRY(decision_make(setup->catalogue, problem, setup->facts, setup->compiler,
                      &setup->options.policy, records, count, verifying->arena, &decision,
                      verifying->diagnostic));
    if (decision.basis < DECISION_EXPLORED || !decision.candidate.space) return STATUS_OK;
    struct text text = {.arena = verifying->arena};
    candidate_print(&decision.candidate, &text);
    const char *name = text_finish(&text);
    TRY_MEMORY(name, verifying->diagnostic);
    for (int r = count - 1; r >= 0; r--) {
        if (!is_of(&records[r], &decision, name)) continue;
        verifying->choices[verifying->count++] =
            (struct choice){problem, decision.candidate, decision.basis, records[r].median_seconds,
                            records[r].spread_seconds};
        break;
    }
    return STATUS_OK;
}

/* Problems of operators that are gone have no decision any more. */
static status list_choices(struct verifying *verifying, const char *op)
{
    const struct tune_setup *setup = verifying->setup;
    struct pack_subject *subjects;
    int count;
    TRY(pack_subjects(&setup->store, 1, op, verifying->arena, &subjects, &count,
                      verifying->diagnostic));
    TRY_NEW(verifying->choices, verifying->arena, count + 1, verifying->diagnostic);
    for (int s = 0; s < count; s++) {
        struct diagnostic ignored = {0};
        struct problem *problem;
        if (strcmp(subjects[s].device_class, setup->facts->class_name) == 0 &&
            problem_parse(subjects[s].problem, op_table(), verifying->arena, &problem, &ignored) ==
                STATUS_OK)
            TRY(add_choice(verifying, problem));
    }
    verifying->report->choices = verifying->count;
    return STATUS_OK;
}

/* ---- Measuring ---- */

static status time_choice(struct verifying *verifying, const struct choice *choice, int problem,
                          struct outcome *outcome, struct summary *summary)
{
    const int blocks[] = {1, choice->candidate.space->numerics.operand_block};
    struct diagnostic *diagnostic = verifying->diagnostic;
    float samples[RECORD_SAMPLES_MAX];
    void *image;
    size_t bytes;
    double seconds;
    int count = 0;
    TRY(worker_prepare(verifying->worker, problem, blocks, blocks[1] == 1 ? 1 : 2, diagnostic));
    TRY(worker_compile(verifying->worker, &choice->candidate, verifying->arena, &image, &bytes,
                       outcome, diagnostic));
    if (outcome->status == RECORD_OK)
        TRY(worker_check(verifying->worker, 0, &choice->candidate, image, bytes, &seconds, outcome,
                         diagnostic));
    if (outcome->status == RECORD_OK)
        TRY(worker_measure(verifying->worker, 0, &limits, samples, &count, outcome, diagnostic));
    if (outcome->status == RECORD_OK) *summary = measure_summarise(samples, count);
    return STATUS_OK;
}

static void judge(struct verify_row *row, const struct summary *now)
{
    row->now_seconds = now->median;
    row->now_spread = (now->high - now->low) / 2;
    row->drift = row->now_seconds / row->then_seconds - 1;
    double noise = row->then_spread + row->now_spread + from_day_to_day * row->then_seconds;
    if (fabs(row->now_seconds - row->then_seconds) > noise) row->outcome = VERIFY_DRIFTED;
}

static status measure_choice(struct verifying *verifying, const struct choice *choice, int problem)
{
    struct verify_report *report = verifying->report;
    struct verify_row *row = &report->rows[report->row_count];
    struct outcome outcome = {.status = RECORD_OK};
    struct text text = {.arena = verifying->arena};
    struct summary now = {0};
    candidate_print(&choice->candidate, &text);
    *row = (struct verify_row){.problem = choice->problem->text,
                               .candidate = text_finish(&text),
                               .basis = choice->basis,
                               .then_seconds = choice->seconds,
                               .then_spread = choice->spread,
                               .detail = ""};
    TRY_MEMORY(row->candidate, verifying->diagnostic);
    TRY(time_choice(verifying, choice, problem, &outcome, &now));
    row->status = outcome.status;
    if (outcome.status == RECORD_OK) {
        judge(row, &now);
    } else {
        row->outcome = VERIFY_FAILED;
        row->detail = arena_text(verifying->arena, outcome.detail);
        TRY_MEMORY(row->detail, verifying->diagnostic);
    }
    report->row_count++;
    report->drifted += row->outcome == VERIFY_DRIFTED;
    report->failed += row->outcome == VERIFY_FAILED;
    return STATUS_OK;
}

static bool is_over(struct verifying *verifying, int done, int total)
{
    const struct tune_options *options = &verifying->setup->options;
    double elapsed = clock_seconds() - verifying->start;
    const struct progress_state state = {.stage = "measuring again",
                                         .detail = "",
                                         .done = done,
                                         .total = total,
                                         .seconds_left =
                                             done ? elapsed / done * (total - done) : -1};
    progress_update(options->progress, &state);
    verifying->report->interrupted = progress_interrupted(options->progress);
    verifying->report->out_of_time =
        options->budget_seconds > 0 && elapsed > options->budget_seconds && done < total;
    return verifying->report->interrupted || verifying->report->out_of_time;
}

static status measure_sample_of(struct verifying *verifying, int most)
{
    uint64_t count = (uint64_t)verifying->count;
    int total = most > 0 && most < verifying->count ? most : verifying->count;
    TRY_NEW(verifying->report->rows, verifying->arena, total + 1, verifying->diagnostic);
    for (int i = 0; i < total && !is_over(verifying, i, total); i++) {
        uint64_t drawn = search_permute((uint64_t)i, count, verifying->setup->options.seed);
        TRY(measure_choice(verifying, &verifying->choices[drawn], (int)drawn));
    }
    return STATUS_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static status find_common_drift(struct verifying *verifying)
{
    struct verify_report *report = verifying->report;
    double *drifts;
    int count = 0;
    TRY_NEW(drifts, verifying->arena, report->row_count + 1, verifying->diagnostic);
    for (int r = 0; r < report->row_count; r++)
        if (report->rows[r].outcome != VERIFY_FAILED) drifts[count++] = report->rows[r].drift;
    qsort(drifts, (size_t)count, sizeof *drifts, compare_doubles);
    if (count) report->drift_median = (drifts[(count - 1) / 2] + drifts[count / 2]) / 2;
    return STATUS_OK;
}

static status measure_with_worker(struct verifying *verifying, int most)
{
    const struct tune_setup *setup = verifying->setup;
    struct worker_setup worker = setup->limits;
    const struct problem **problems;
    TRY_NEW(problems, verifying->arena, verifying->count + 1, verifying->diagnostic);
    for (int c = 0; c < verifying->count; c++) problems[c] = verifying->choices[c].problem;
    worker.runner = setup->runner;
    worker.facts = setup->facts;
    worker.problems = problems;
    worker.problem_count = verifying->count;
    worker.seed = setup->options.seed;
    TRY(worker_create(&worker, &verifying->worker, verifying->diagnostic));
    status code = measure_sample_of(verifying, most);
    worker_destroy(verifying->worker);
    TRY(code);
    return find_common_drift(verifying);
}

status verify_choices(const struct tune_setup *setup, const char *op, int most, struct arena *arena,
                      struct verify_report *report, struct diagnostic *diagnostic)
{
    struct verifying verifying = {.setup = setup,
                                  .arena = arena,
                                  .report = report,
                                  .start = clock_seconds(),
                                  .diagnostic = diagnostic};
    *report = (struct verify_report){0};
    TRY(list_choices(&verifying, op));
    if (!verifying.count)
        return fail(diagnostic, STATUS_NOT_FOUND,
                    "%s has no measured decision for a device of class %s%s%s; `hone tune` makes "
                    "them, `hone store import` brings them",
                    store_path(setup->store), setup->facts->class_name, op ? " and operator " : "",
                    op ? op : "");
    return measure_with_worker(&verifying, most);
}
