/* Two hundred mutants of right kernels: none wins, each is recorded as wrong or takes its honest
 * time, nothing that was recorded of others is lost, and what hangs costs little.
 *
 * HONE_TEST_MUTANTS says how many are tuned; some of each deed in the quick suite.
 * HONE_TEST_MUTANT_SEED draws others. */
#include "base/clock.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/faults/mutants.h"
#include "tests/ops/op_harness.h"
#include "tests/scratch_harness.h"
#include "tuner/tune.h"

enum { MUTANTS = 200, QUICK = 40, GROUP = 12, SEED = 20 };
static const double limit_seconds = 0.3;

struct lot {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    struct store *store;
    struct device_facts facts;
    const struct space *spaces[2];
    struct catalogue catalogue;
    struct mutant_set set;
    struct runner runner;
    struct tune_problem problem;
    struct tune_setup setup;
};

static void lot_open(struct lot *lot, int base, const struct mutant *mutants, int count)
{
    struct diagnostic diagnostic = {0};
    struct yaml *root;
    struct space *space;
    struct problem *problem;
    *lot = (struct lot){.arena = arena_create(0), .set = {mutants, count}};
    assert_int_equal(scratch_create(lot->folder), 0);
    CHECK_OK(store_open(lot->folder, NULL, &lot->store, &diagnostic));
    lot->facts = (struct device_facts){.target = TARGET_CPU, .class_name = "mutants"};
    lot->facts.values[FACT_l3_bytes] = 1 << 18;
    const char *yaml = mutant_space(lot->arena, mutant_bases[base].op, count);
    CHECK_OK(yaml_parse("mutant.yaml", yaml, strlen(yaml), lot->arena, &root, &diagnostic));
    CHECK_OK(space_read(root, op_table(), lot->arena, &space, &diagnostic));
    lot->spaces[0] = space;
    lot->catalogue = (struct catalogue){.spaces = lot->spaces, .count = 1};
    lot->runner = mutant_runner(&lot->set);
    CHECK_OK(op_case_problem(mutant_bases[base].problem, mutant_bases[base].rows, 20, lot->arena,
                             &problem, &diagnostic));
    lot->problem = (struct tune_problem){.problem = problem, .weight = 1};
    lot->setup = (struct tune_setup){
        .catalogue = &lot->catalogue,
        .facts = &lot->facts,
        .compiler = "none",
        .runner = &lot->runner,
        .limits = worker_setup_default(),
        .store = lot->store,
        .problems = &lot->problem,
        .problem_count = 1,
        .options = {.effort = EFFORT_DEFAULT, .seed = 3, .strategy = "exhaustive"}};
    lot->setup.limits.least_seconds = lot->setup.limits.most_seconds = limit_seconds;
    lot->setup.limits.child_bytes = (uint64_t)3 << 30; /* three workloads and their fences */
}

static void lot_close(struct lot *lot)
{
    store_close(lot->store);
    assert_int_equal(scratch_remove(lot->folder), 0);
    arena_destroy(lot->arena);
}

/* How the last word on a value of the tunable goes: a bad one counts more than a good one. */
static const struct record *find_record(const struct lot *lot, int value)
{
    struct diagnostic diagnostic = {0};
    struct record *records;
    const struct record *found = NULL;
    int count;
    const char *candidate = arena_print(lot->arena, "mutant_cpu mutant=%d", value);
    CHECK_OK(store_records(lot->store, lot->problem.problem->key, "mutants", lot->arena, &records,
                           &count, &diagnostic));
    for (int r = 0; r < count; r++)
        if (strcmp(records[r].candidate, candidate) == 0 &&
            (!found || found->status == RECORD_OK || records[r].status != RECORD_OK))
            found = &records[r];
    return found;
}

static void check_mutant(const struct lot *lot, int m)
{
    const struct mutant *mutant = &lot->set.mutants[m];
    const struct record *record = find_record(lot, m + 2);
    const char *name = mutant_print(mutant, lot->arena);
    if (!record) CHECK_FAIL("%s: there is no record of it", name);
    print_message("%-40s %-17s %s\n", name, record_status_name(record->status),
                  record->status == RECORD_OK ? "" : record->detail);
    if (record->status != RECORD_OK) return;
    if (!mutant_may_be_honest(mutant)) CHECK_FAIL("%s: nobody noticed", name);
    if (record->median_seconds < 0.9 * MUTANT_HONEST_SECONDS)
        CHECK_FAIL("%s: it had %g s, and works for %g", name, record->median_seconds,
                   MUTANT_HONEST_SECONDS);
}

/* The right kernel, or one that is right as well and found nothing to leave out: chance decides between these. */
static void check_winner(const struct lot *lot, const char *winner)
{
    if (strcmp(winner, "mutant_cpu mutant=1") == 0) return;
    for (int m = 0; m < lot->set.count; m++)
        if (mutant_may_be_honest(&lot->set.mutants[m]) &&
            strcmp(winner, arena_print(lot->arena, "mutant_cpu mutant=%d", m + 2)) == 0)
            return;
    CHECK_FAIL("%s won", winner);
}

/* Tunes with some mutants of one base; gives the seconds it took. */
static double judge(int base, const struct mutant *mutants, int count)
{
    struct diagnostic diagnostic = {0};
    struct lot lot;
    struct tune_report report;
    lot_open(&lot, base, mutants, count);
    double start = clock_seconds();
    CHECK_OK(tune_run(&lot.setup, lot.arena, &report, &diagnostic));
    double took = clock_seconds() - start;
    for (int m = 0; m < count; m++) check_mutant(&lot, m);
    check_winner(&lot, report.rows[0].winner);
    assert_int_equal(report.rows[0].decision.basis, DECISION_FINAL);
    assert_int_equal(report.rows[0].measured, count + 2);
    assert_int_equal(store_damaged_count(lot.store), 0);
    for (int right = 0; right < 2; right++)
        assert_int_equal(find_record(&lot, right)->status, RECORD_OK);
    lot_close(&lot);
    return took;
}

static int number_from(const char *variable, int otherwise)
{
    const char *text = getenv(variable);
    return text ? atoi(text) : otherwise;
}

static int wanted_mutants(void)
{
    int count = number_from("HONE_TEST_MUTANTS", QUICK);
    return count < 1 ? 1 : count > MUTANTS ? MUTANTS : count;
}

/* They are drawn deed by deed, so the first ones have all of them. */
static int choose(const struct mutant *all, int base, int wanted, struct mutant *chosen)
{
    int count = 0;
    for (int w = 0; w < wanted; w++)
        if (all[w].base == base) chosen[count++] = all[w];
    return count;
}

static void no_mutant_wins(void **unused)
{
    (void)unused;
    struct mutant all[MUTANTS], chosen[MUTANTS];
    int wanted = wanted_mutants(), judged = 0;
    double seconds = 0;
    mutants_draw((uint64_t)number_from("HONE_TEST_MUTANT_SEED", SEED), MUTANTS, all);
    for (int base = 0; base < MUTANT_BASES; base++) {
        int count = choose(all, base, wanted, chosen);
        for (int first = 0; first < count; first += GROUP) {
            int group = count - first < GROUP ? count - first : GROUP;
            seconds += judge(base, chosen + first, group);
            judged += group;
        }
    }
    print_message("%d mutants in %.1f s: none won\n", judged, seconds);
    assert_int_equal(judged, wanted);
}

static void a_hang_costs_its_limit_and_little_more(void **unused)
{
    (void)unused;
    const struct mutant hangs[] = {
        {0, MUTANT_ALWAYS, 0, MUTANT_DEED_HANG, 0},
        {0, MUTANT_LATER, 5, MUTANT_DEED_SLEEP, 0},
        {0, MUTANT_ROWS_EXACT, 7, MUTANT_DEED_HANG, 0},
    };
    int count = (int)(sizeof hangs / sizeof *hangs);
    double with = judge(0, hangs, count), without = judge(0, hangs, 0);
    print_message("%d hangs cost %.2f s each\n", count, (with - without) / count);
    assert_true((with - without) / count <= limit_seconds + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_mutant_wins),
        cmocka_unit_test(a_hang_costs_its_limit_and_little_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
