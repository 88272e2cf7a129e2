/* Kernels with planted mistakes: each is recorded as what it is, none wins, and tuning goes on
 * after every one. */
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/faults/planted.h"
#include "tests/ops/op_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/tune.h"

#include <unistd.h>

struct bench {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    struct store *store;
    struct device_facts facts;
    const struct space *spaces[2];
    struct catalogue catalogue;
    struct runner runner;
    struct tune_problem problem;
    struct tune_setup setup;
};

static void bench_open(struct bench *bench, int only)
{
    struct diagnostic diagnostic = {0};
    struct yaml *root;
    struct space *space;
    struct problem *problem;
    *bench = (struct bench){.arena = arena_create(0)};
    assert_int_equal(scratch_create(bench->folder), 0);
    CHECK_OK(store_open(bench->folder, NULL, &bench->store, &diagnostic));
    bench->facts = (struct device_facts){.target = TARGET_CPU, .class_name = "planted"};
    bench->facts.values[FACT_l3_bytes] = 1 << 20;
    const char *yaml = planted_space(bench->arena, only);
    CHECK_OK(yaml_parse("planted.yaml", yaml, strlen(yaml), bench->arena, &root, &diagnostic));
    CHECK_OK(space_read(root, op_table(), bench->arena, &space, &diagnostic));
    bench->spaces[0] = space;
    bench->catalogue = (struct catalogue){.spaces = bench->spaces, .count = 1};
    bench->runner = planted_runner();
    CHECK_OK(op_case_problem("linear(f32[tokens,96], f32[40,96])", 16, 0, bench->arena, &problem,
                             &diagnostic));
    bench->problem = (struct tune_problem){.problem = problem, .weight = 1};
    bench->setup = (struct tune_setup){.catalogue = &bench->catalogue,
                                       .facts = &bench->facts,
                                       .compiler = "none",
                                       .runner = &bench->runner,
                                       .limits = worker_setup_default(),
                                       .store = bench->store,
                                       .problems = &bench->problem,
                                       .problem_count = 1,
                                       .options = {.effort = EFFORT_MOST, .seed = 3}};
    bench->setup.limits.least_seconds = 0.5;
    bench->setup.limits.most_seconds = 1;
    bench->setup.limits.compile_seconds = 0.5;
    bench->setup.limits.child_bytes = (uint64_t)3
                                      << 30; /* two workloads and their fences, and a little */
}

static void bench_close(struct bench *bench)
{
    store_close(bench->store);
    assert_int_equal(scratch_remove(bench->folder), 0);
    arena_destroy(bench->arena);
}

/* The worst that was recorded of a mistake. */
static const char *recorded(struct bench *bench, const char *plant, const char **detail)
{
    struct diagnostic diagnostic = {0};
    struct record *records;
    int count;
    const char *found = "nothing";
    const char *candidate = arena_print(bench->arena, "planted_cpu plant=%s", plant);
    CHECK_OK(store_records(bench->store, bench->problem.problem->key, "planted", bench->arena,
                           &records, &count, &diagnostic));
    *detail = "";
    for (int r = 0; r < count; r++) {
        if (strcmp(records[r].candidate, candidate) != 0) continue;
        if (strcmp(found, "nothing") != 0 && records[r].status == RECORD_OK) continue;
        found = record_status_name(records[r].status);
        *detail = records[r].detail;
    }
    return found;
}

static bool word_in(const char *word, const char *list)
{
    size_t length = strlen(word);
    for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
    return false;
}

static void check_recorded(struct bench *bench, enum plant plant)
{
    const char *detail, *found = recorded(bench, plant_name(plant), &detail);
    print_message("%-20s %-17s %s\n", plant_name(plant), found, detail);
    if (!word_in(found, plant_statuses(plant)))
        CHECK_FAIL("%s: recorded as %s, must be %s", plant_name(plant), found,
                   plant_statuses(plant));
}

/* One at a time, so that each mistake is also met in finals if nothing has found it before. */
static void each_mistake_is_recorded_and_loses(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    int mistakes = 0;
    for (int p = PLANT_good + 1; p < PLANT_COUNT; p++) {
        struct bench bench;
        struct tune_report report;
        bench_open(&bench, p);
        CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
        CHECK_TEXT(report.rows[0].winner, "planted_cpu plant=good");
        assert_int_equal(report.rows[0].decision.basis, DECISION_FINAL);
        check_recorded(&bench, (enum plant)p);
        mistakes += p != PLANT_slow;
        bench_close(&bench);
    }
    print_message("%d mistakes, all recorded, none won\n", mistakes);
    assert_true(mistakes >= 20);
}

static void all_mistakes_together_change_nothing(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    bench_open(&bench, -1);
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    const struct tune_row *row = &report.rows[0];
    CHECK_TEXT(row->winner, "planted_cpu plant=good");
    assert_int_equal(row->configurations, PLANT_COUNT);
    assert_int_equal(row->measured, PLANT_COUNT);
    assert_true(row->finished && report.restarts > 10);
    for (int p = 0; p < PLANT_COUNT; p++) check_recorded(&bench, (enum plant)p);
    assert_true(row->rejections.by_status[RECORD_MISMATCH] >= 12);
    assert_true(row->gain > 1.2); /* over plain, the default */

    /* The next run finds everything in the store. */
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    CHECK_TEXT(report.rows[0].winner, "planted_cpu plant=good");
    assert_int_equal(report.measured, 0);
    assert_int_equal(report.restarts, 0);
    assert_int_equal(report.rows[0].known, PLANT_COUNT);
    bench_close(&bench);
}

static bool always(void *context)
{
    return ++*(int *)context > 5;
}

static void tuning_can_be_interrupted_and_resumed(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    struct tune_report report;
    int asked = 0;
    const struct progress progress = {.context = &asked, .interrupted = always};
    bench_open(&bench, PLANT_slow);
    bench.setup.options.progress = &progress;
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    assert_false(report.interrupted); /* three candidates were fewer than it took */
    bench_close(&bench);

    bench_open(&bench, -1);
    asked = 0;
    bench.setup.options.progress = &progress;
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    assert_true(report.interrupted && !report.rows[0].finished);
    assert_int_equal(report.rows[0].measured, 5);
    bench.setup.options.progress = NULL;
    CHECK_OK(tune_run(&bench.setup, bench.arena, &report, &diagnostic));
    assert_int_equal(report.rows[0].measured + 5,
                     PLANT_COUNT + 2); /* the finalists are measured again */
    CHECK_TEXT(report.rows[0].winner, "planted_cpu plant=good");
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_recorded_and_loses),
        cmocka_unit_test(all_mistakes_together_change_nothing),
        cmocka_unit_test(tuning_can_be_interrupted_and_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
