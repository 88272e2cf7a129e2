/* Tuning on a card of the stand-in driver: a right kernel wins with the time of the card's own clock, and kernels that are
 * wrong, write beside their operands, fault or never end become records, while tuning goes on. */
#include "base/file.h"
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "runtime/device.h"
#include "tests/check.h"
#include "tests/ops/op_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/tune.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char specification[] = "emulated:sm_86:256MiB";

struct bench {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    struct store *store;
    struct device *device; /* for its facts: its driver is never started here */
    struct catalogue catalogue;
    struct runner_device_setup setup;
    struct runner runner;
    struct tune_problem problem;
    struct tune_setup tune;
};

static bool copy_kernel(struct bench *bench, const char *ending)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t count;
    const char *from = arena_print(
        bench->arena, HONE_SOURCE_FOLDER "/tests/cuda/variants/rmsnorm_planted.%s", ending);
    const char *to =
        arena_print(bench->arena, "%s/variants/rmsnorm_cuda.%s", bench->folder, ending);
    return file_read(from, 1 << 20, bench->arena, &bytes, &count, &diagnostic) == STATUS_OK &&
           file_write(to, bytes, count, &diagnostic) == STATUS_OK;
}

static void open_card(struct bench *bench)
{
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    if (device_open(specification, &options, &bench->device, &diagnostic) != STATUS_OK) {
        print_message("skipped: %s\n", diagnostic.text);
        skip();
    }
    if (strcmp(compile_identity(TARGET_CUDA), "none") == 0) {
        print_message("skipped: there is no NVRTC\n");
        skip();
    }
}

static void bench_open(struct bench *bench)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    *bench = (struct bench){.arena = arena_create(0)};
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    open_card(bench);
    assert_int_equal(scratch_create(bench->folder), 0);
    assert_true(copy_kernel(bench, "cu") && copy_kernel(bench, "yaml"));
    CHECK_OK(store_open(bench->folder, NULL, &bench->store, &diagnostic));
    CHECK_OK(catalogue_read(arena_print(bench->arena, "%s/variants", bench->folder), bench->arena,
                            &bench->catalogue, &diagnostic));
    bench->setup = (struct runner_device_setup){.specification = specification};
    bench->runner = runner_device(&bench->setup);
    CHECK_OK(op_case_problem("rmsnorm(f32[tokens,64], f32[64])", 64, 0, bench->arena, &problem,
                             &diagnostic));
    bench->problem = (struct tune_problem){.problem = problem, .weight = 1};
    bench->tune = (struct tune_setup){.catalogue = &bench->catalogue,
                                      .facts = device_facts(bench->device),
                                      .compiler = compile_identity(TARGET_CUDA),
                                      .runner = &bench->runner,
                                      .limits = worker_setup_default(),
                                      .store = bench->store,
                                      .problems = &bench->problem,
                                      .problem_count = 1,
                                      .options = {.effort = 4, .seed = 1}};
    bench->tune.limits.child_bytes = 0;
    bench->tune.limits.most_seconds = 2; /* for the one that never ends, twice */
}

static void bench_close(struct bench *bench)
{
    store_close(bench->store);
    device_close(bench->device);
    assert_int_equal(scratch_remove(bench->folder), 0);
    arena_destroy(bench->arena);
}

static const struct record *find_record(const struct record *records, int count, int plant)
{
    for (int r = 0; r < count; r++)
        if (records[r].candidate[strlen(records[r].candidate) - 1] == '0' + plant)
            return &records[r];
    CHECK_FAIL("there is no record of plant %d", plant);
    return NULL;
}

static void mistakes_become_records(void **unused)
{
    (void)unused;
    static const enum record_status expected[] = {
        RECORD_OK,      RECORD_MISMATCH,      RECORD_OUT_OF_BOUNDS,
        RECORD_CRASHED, RECORD_OUT_OF_BOUNDS, RECORD_TIMEOUT};
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    struct record *records;
    int count;
    bench_open(&bench);
    CHECK_OK(tune_run(&bench.tune, bench.arena, &report, &diagnostic));
    CHECK_TEXT(report.rows[0].winner, "rmsnorm_cuda plant=0");
    assert_int_equal(report.rows[0].decision.basis, DECISION_FINAL);
    CHECK_OK(store_records(bench.store, bench.problem.problem->key,
                           device_facts(bench.device)->class_name, bench.arena, &records, &count,
                           &diagnostic));
    for (int plant = 0; plant < (int)(sizeof expected / sizeof *expected); plant++) {
        const struct record *record = find_record(records, count, plant);
        print_message("  plant %d: %s %s\n", plant, record_status_name(record->status),
                      record->detail);
        if (record->status != expected[plant])
            CHECK_FAIL("plant %d is %s (%s), must be %s", plant, record_status_name(record->status),
                       record->detail, record_status_name(expected[plant]));
    }
    /* The card's model, not the interpreter's pace: microseconds, the same in every sample. */
    const struct record *best = find_record(records, count, 0);
    assert_true(best->median_seconds > 1e-7 && best->median_seconds < 1e-4);
    assert_true(best->spread_seconds <= 0.01 * best->median_seconds);
    assert_non_null(strstr(best->detail, " registers, 0 bytes spilled"));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mistakes_become_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
