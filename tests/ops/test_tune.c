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

static void real_kernels_are_tuned(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    bench_open(&bench);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_kernels_are_tuned),
        cmocka_unit_test(a_budget_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
