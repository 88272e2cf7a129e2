/* Killing the tuner at random instants: what was measured stays measured, at most the candidate in
 * work is measured again, no worker is left behind, and the run that is let alone ends with the
 * right winner. */
#include "base/random.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/faults/kills.h"
#include "tests/faults/planted.h"
#include "tests/ops/op_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/tune.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Mistakes that are over quickly: no hangs, no eating of memory. */
static const char yaml[] = "variant: planted_cpu\nop: linear\ntarget: cpu\n"
                           "numerics: {operands: exact, accumulation: f32}\n"
                           "tunables:\n"
                           "  plant: {values: [plain, good, first_element, last_row, nothing, "
                           "past_end, corrupts_input, segfault, aborts, exits,\n"
                           "                   random_noise, late_mistake, no_workspace, "
                           "compile_fails, compile_aborts, nan_result, stale]}\n"
                           "estimate: 1e-6 if plant == plain else 2e-6\n";
enum { CANDIDATES = 17 };

struct bench {
    struct arena *arena;
    struct device_facts facts;
    const struct space *spaces[2];
    struct catalogue catalogue;
    struct runner runner;
    struct tune_problem problem;
    struct tune_setup setup;
};

static void bench_make(struct bench *bench)
{
    struct diagnostic diagnostic = {0};
    struct yaml *root;
    struct space *space;
    struct problem *problem;
    *bench = (struct bench){.arena = arena_create(0)};
    bench->facts = (struct device_facts){.target = TARGET_CPU, .class_name = "planted"};
    bench->facts.values[FACT_l3_bytes] = 1 << 18;
    CHECK_OK(yaml_parse("planted.yaml", yaml, strlen(yaml), bench->arena, &root, &diagnostic));
    CHECK_OK(space_read(root, op_table(), bench->arena, &space, &diagnostic));
    bench->spaces[0] = space;
    bench->catalogue = (struct catalogue){.spaces = bench->spaces, .count = 1};
    bench->runner = planted_runner();
    CHECK_OK(op_case_problem("linear(f32[tokens,32], f32[24,32])", 4, 0, bench->arena, &problem,
                             &diagnostic));
    bench->problem = (struct tune_problem){.problem = problem, .weight = 1};
    bench->setup = (struct tune_setup){
        .catalogue = &bench->catalogue,
        .facts = &bench->facts,
        .compiler = "none",
        .runner = &bench->runner,
        .limits = worker_setup_default(),
        .problems = &bench->problem,
        .problem_count = 1,
        .options = {.effort = EFFORT_DEFAULT, .seed = 3, .strategy = "exhaustive"}};
}

static status tune(struct bench *bench, const char *folder, struct arena *arena,
                   struct tune_report *report, struct diagnostic *diagnostic)
{
    TRY(store_open(folder, NULL, &bench->setup.store, diagnostic));
    status code = tune_run(&bench->setup, arena, report, diagnostic);
    store_close(bench->setup.store);
    return code;
}

static void tune_in_child(struct bench *bench, const char *folder)
{
    struct diagnostic diagnostic = {0};
    struct tune_report report;
    if (tune(bench, folder, bench->arena, &report, &diagnostic) != STATUS_OK) _exit(1);
    _exit(0);
}

static bool count_record(void *context, const struct record *record)
{
    (void)record;
    ++*(int *)context;
    return true;
}

static int count_records(const char *folder)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    int count = 0;
    CHECK_OK(store_open(folder, NULL, &store, &diagnostic));
    CHECK_OK(store_each(store, count_record, &count, &diagnostic));
    assert_int_equal(store_damaged_count(store), 0);
    store_close(store);
    return count;
}

static void killed_tuning_goes_on_where_it_was(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct bench bench;
    char folder[SCRATCH_BYTES];
    assert_int_equal(scratch_create(folder), 0);
    bench_make(&bench);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* workers whose parent was killed come to this process */
    int before = 0, killed = 0, stores = 0, added = 0, kills = kills_wanted();
    for (uint64_t round = 0; round < (uint64_t)kills; round++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) tune_in_child(&bench, folder);
        long microseconds = 1000 + (long)(random_bits(9, 0, round) % 250000);
        nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
        kill(pid, SIGKILL);
        int own, state;
        assert_int_equal(waitpid(pid, &own, 0), pid);
        if (WIFEXITED(own)) assert_int_equal(WEXITSTATUS(own), 0);
        killed += WIFSIGNALED(own);
        while (waitpid(-1, &state, 0) > 0) { /* its worker died with it, or this waits for ever */
        }
        int now = count_records(folder);
        if (now < before)
            CHECK_FAIL("%d records after kill %d, %d before", now, (int)round, before);
        before = now;
        if (WIFSIGNALED(own)) continue; /* else it was done: begin again with an empty store */
        added += now;
        before = 0;
        stores++;
        assert_int_equal(system(arena_print(bench.arena, "rm -f %s/records.db*", folder)), 0);
    }
    struct tune_report report;
    CHECK_OK(tune(&bench, folder, bench.arena, &report, &diagnostic));
    CHECK_TEXT(report.rows[0].winner, "planted_cpu plant=good");
    assert_int_equal(report.rows[0].known + report.rows[0].measured, CANDIDATES);
    print_message("%d of %d runs were killed while they worked; %d records in %d stores before\n",
                  killed, kills, added + before, stores + 1);
    assert_true(killed > kills / 4);
    assert_int_equal(scratch_remove(folder), 0);
    arena_destroy(bench.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_tuning_goes_on_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
