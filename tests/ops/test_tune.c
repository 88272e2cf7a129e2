/* Tuning with the real code generator on the host CPU: what is tuned is right and not slower, is
 * resumed for nothing, keeps to its budget, and gives the same winners again. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "runtime/cpu_facts.h"
#include "runtime/threads.h"
#include "tests/check.h"
#include "tests/ops/op_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/artifact.h"
#include "tuner/tune.h"
#include "tuner/verify_choices.h"

#include <unistd.h>

static const char *const texts[] = {
    "linear(f32[tokens,256], q8_0[768,256], _, f32[tokens,768])",
    "linear_group(f32[tokens,256], q8_0[256,256], q8_0[64,256], q8_0[64,256])",
    "rmsnorm(f32[tokens,256], f32[256])",
};

enum { PROBLEMS = 6 };

struct bench {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    struct store *store;
    struct device_facts facts;
    struct catalogue catalogue;
    struct runner_device_setup device;
    struct runner runner;
    struct tune_problem problems[PROBLEMS];
    struct tune_setup setup;
};

static void bench_open(struct bench *bench)
{
    struct diagnostic diagnostic = {0};
    *bench = (struct bench){.arena = arena_create(0)};
    assert_int_equal(scratch_create(bench->folder), 0);
    CHECK_OK(store_open(bench->folder, NULL, &bench->store, &diagnostic));
    CHECK_OK(cpu_facts_read(NULL, bench->arena, &bench->facts, &diagnostic));
    bench->facts.values[FACT_cores] = thread_count_default();
    CHECK_OK(catalogue_read(NULL, bench->arena, &bench->catalogue, &diagnostic));
    bench->device = (struct runner_device_setup){.specification = "cpu", .memory_is_host = true};
    bench->runner = runner_device(&bench->device);
    for (int p = 0; p < PROBLEMS; p++) {
        struct problem *problem;
        CHECK_OK(
            op_case_problem(texts[p / 2], p % 2 ? 16 : 1, 0, bench->arena, &problem, &diagnostic));
        bench->problems[p] = (struct tune_problem){.problem = problem, .weight = 1};
    }
    bench->setup = (struct tune_setup){
        .catalogue = &bench->catalogue,
        .facts = &bench->facts,
        .compiler = compile_identity(TARGET_CPU),
        .runner = &bench->runner,
        .limits = worker_setup_default(),
        .store = bench->store,
        .problems = bench->problems,
        .problem_count = PROBLEMS,
        .options = {.effort = 1,
                    .seed = 1,
                    .artifact_folder = file_join(bench->arena, bench->folder, "artifacts")}};
}

static void bench_close(struct bench *bench)
{
    store_close(bench->store);
    assert_int_equal(scratch_remove(bench->folder), 0);
    arena_destroy(bench->arena);
}

static void print_row(const struct tune_row *row)
{
    char time[32];
    print_message("  %-60.60s %-48s %9s gain %.2f, %d measured, %d rejected, %s\n",
                  row->problem->text, row->winner, text_seconds(row->decision.seconds, time),
                  row->gain, row->measured,
                  (int)(row->rejections.by_status[RECORD_MISMATCH] +
                        row->rejections.by_status[RECORD_COMPILE]),
                  decision_basis_name(row->decision.basis));
}

/* Who looks on sees every measurement, and every problem end once. */
struct seen {
    int changes, done[PROBLEMS];
};

static void count_changes(void *context, const struct tune_report *report, int problem, bool done)
{
    struct seen *seen = context;
    assert_true(problem >= 0 && problem < report->row_count);
    assert_false(seen->done[problem]);
    seen->done[problem] += done;
    seen->changes += !done;
    if (done) assert_non_null(report->rows[problem].winner);
}

static void real_kernels_are_tuned(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    struct seen seen = {0};
    const struct tune_watch watch = {.context = &seen, .changed = count_changes};
    bench_open(&bench);
    bench.setup.options.watch = &watch;
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    print_message("%d candidates of %d problems in %.1f s\n", report.measured, PROBLEMS,
                  report.seconds);
    for (int p = 0; p < PROBLEMS; p++) {
        const struct tune_row *row = &report.rows[p];
        print_row(row);
        assert_ptr_equal(row->problem, bench.problems[p].problem);
        assert_int_equal(row->decision.basis, DECISION_FINAL);
        assert_true(row->finished && row->measured >= 2);
        assert_non_null(row->decision.candidate.space); /* any kernel beats the reference */
        assert_true(row->gain > 0.97); /* never slower than the default, in the same finals */
        for (int s = RECORD_OK + 1; s < RECORD_STATUS_COUNT; s++)
            if (row->rejections.by_status[s])
                CHECK_FAIL("%s: a candidate ended as %s", row->problem->text,
                           record_status_name((enum record_status)s));
        const struct generation generation = {.space = row->decision.candidate.space,
                                              .problem = row->problem,
                                              .config = &row->decision.candidate.config,
                                              .facts = &bench.facts};
        void *image;
        size_t bytes;
        assert_true(artifact_read(bench.setup.options.artifact_folder, compile_key(&generation),
                                  bench.arena, &image, &bytes));
    }

    assert_true(seen.changes >= report.measured);
    for (int p = 0; p < PROBLEMS; p++) assert_int_equal(seen.done[p], 1);
    bench.setup.options.watch = NULL;

    struct tune_report again; /* nothing is measured twice */
    CHECK_OK(tune_run(&bench.setup, bench.arena, &again, &diagnostic));
    assert_int_equal(again.measured, 0);
    assert_int_equal(again.restarts, 0);
    for (int p = 0; p < PROBLEMS; p++) {
        CHECK_TEXT(again.rows[p].winner, report.rows[p].winner);
        assert_int_equal(again.rows[p].known, report.rows[p].measured);
    }
    assert_true(again.seconds < 1);
    bench_close(&bench);
}

/* Children of an instrumented process take their time to begin. */
#ifdef __SANITIZE_THREAD__
static const double slack = 10;
#else
static const double slack = 1;
#endif

static void a_budget_is_kept(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    bench_open(&bench);
    bench.setup.options.effort = 3;
    bench.setup.options.budget_seconds = 1.5;
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    print_message("%.2f s of a budget of 1.5 s, %d measured\n", report.seconds, report.measured);
    assert_true(report.seconds < 4 * slack); /* what was begun is finished, on a busy machine */
    for (int p = 0; p < PROBLEMS; p++) assert_non_null(report.rows[p].winner);
    bench.setup.options.effort = 0; /* instant: estimates and what there is */
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    assert_int_equal(report.measured, 0);
    assert_true(report.seconds < 0.5 * slack);
    bench_close(&bench);
}

/* A class of devices in the store: facts `times` those of this machine, and what was measured there. */
static void add_class(struct bench *bench, const char *name, double times)
{
    struct diagnostic diagnostic = {0};
    struct device_facts facts = bench->facts;
    facts.class_name = name;
    for (int f = 0; f < FACT_COUNT; f++)
        if (f != FACT_sm) facts.values[f] *= times;
    CHECK_OK(store_note_origin(bench->store, &facts, &diagnostic));
}

static const char *add_measured(struct bench *bench, const char *name,
                                const struct bound_space *space, uint64_t rank, float seconds)
{
    struct diagnostic diagnostic = {0};
    struct candidate candidate = {.space = space->space};
    struct text text = {.arena = bench->arena};
    assert_true(space_unrank(space, rank % space_count(space), &candidate.config));
    candidate_print(&candidate, &text);
    const struct record record = {.problem = bench->problems[0].problem->text,
                                  .problem_key = bench->problems[0].problem->key,
                                  .candidate = text_finish(&text),
                                  .device_class = name,
                                  .source = space->space->source,
                                  .compiler = compile_identity(TARGET_CPU),
                                  .protocol = RECORD_PROTOCOL,
                                  .detail = "",
                                  .median_seconds = (double)seconds,
                                  .least_seconds = (double)seconds,
                                  .sample_count = 1,
                                  .samples = &seconds};
    CHECK_OK(store_add(bench->store, &record, &diagnostic));
    return record.candidate;
}

/* Looked at in this order: the default, what was best on the nearest class, and few more. */
static void an_unknown_device_follows_the_nearest(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    struct bound_space *spaces;
    struct record *records;
    int space_count, count;
    bench_open(&bench);
    CHECK_OK(decision_bind(&bench.catalogue, bench.problems[0].problem, &bench.facts,
                           &bench.setup.options.policy, bench.arena, &spaces, &space_count,
                           &diagnostic));
    add_class(&bench, "far", 30);
    add_class(&bench, "near", 1.2);
    add_class(&bench, "middle", 0.3);
    add_measured(&bench, "far", &spaces[0], 1, 1e-8f);
    add_measured(&bench, "middle", &spaces[0], 2, 1e-8f);
    add_measured(&bench, "near", &spaces[0], 12, 3e-5f);
    const char *best = add_measured(&bench, "near", &spaces[0], 7, 2e-5f);
    add_measured(&bench, "a class that nobody knows", &spaces[0], 3, 1e-8f);
    bench.setup.problem_count = 1;
    bench.setup.options.effort = 3; /* which would look at a hundred */
    bench.setup.options.artifact_folder = NULL;
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    print_row(&report.rows[0]);
    CHECK_TEXT(report.rows[0].order_from, "near");
    assert_true(report.rows[0].measured >= 6 && report.rows[0].measured <= 16);
    assert_int_equal(report.rows[0].decision.basis, DECISION_FINAL);
    CHECK_OK(store_records(bench.store, bench.problems[0].problem->key, bench.facts.class_name,
                           bench.arena, &records, &count, &diagnostic));
    assert_true(count > 2);
    CHECK_TEXT(records[1].candidate, best);
    bench_close(&bench);
}

static struct verify_report verify_first(struct bench *bench)
{
    struct diagnostic diagnostic = {0};
    struct verify_report report;
    CHECK_OK(verify_choices(&bench->setup, "linear", 0, bench->arena, &report, &diagnostic));
    assert_true(report.choices == 1 && report.row_count == 1 && report.failed == 0);
    assert_true(report.rows[0].now_seconds > 0 && report.drift_median == report.rows[0].drift);
    return report;
}

/* A record as of a machine that is a thousand times slower, or faster, then one of this machine and this minute. */
static void drift_is_seen(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct verify_report report;
    struct bound_space *spaces;
    int space_count;
    bench_open(&bench);
    CHECK_REFUSED(verify_choices(&bench.setup, NULL, 0, bench.arena, &report, &diagnostic),
                  STATUS_NOT_FOUND, "no measured decision");
    CHECK_OK(decision_bind(&bench.catalogue, bench.problems[0].problem, &bench.facts,
                           &bench.setup.options.policy, bench.arena, &spaces, &space_count,
                           &diagnostic));
    add_measured(&bench, bench.facts.class_name, &spaces[0], 3, 1e-1f);
    report = verify_first(&bench);
    assert_int_equal(report.drifted, 1);
    assert_true(report.rows[0].drift < -0.5);
    add_measured(&bench, bench.facts.class_name, &spaces[0], 5, 1e-8f);
    report = verify_first(&bench);
    assert_int_equal(report.drifted, 1);
    assert_true(report.rows[0].drift > 10);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_kernels_are_tuned),
        cmocka_unit_test(a_budget_is_kept),
        cmocka_unit_test(an_unknown_device_follows_the_nearest),
        cmocka_unit_test(drift_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
