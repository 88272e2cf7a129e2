/* Decisions: what records say which candidate is used, whatever their order and noise. */
#include "base/file.h"
#include "base/random.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tests/unit/fake_ops.h"
#include "tuner/decision.h"

#include <math.h>

static const char yaml[] = "variant: quick_cpu\nop: add\ntarget: cpu\n"
                           "tunables: {n: {values: [1, 2, 3, 4, 5, 6, 7, 8]}}\n"
                           "rules: [{require: n != 8, class: hardware, reason: none}]\n"
                           "estimate: 1e-6 * (10 - n)\n"; /* n = 7 looks best */
static const char coarse_yaml[] =
    "variant: coarse_cpu\nop: add\ntarget: cpu\nclass: fast\nestimate: \"1e-9\"\n";

static const char summing_yaml[] =
    "variant: summing_cpu\nop: add\ntarget: cpu\n"
    "numerics: {operands: exact, accumulation: f32, order: [split]}\n"
    "tunables: {reach: {values: [1, 2, 3]}, split: {values: [1, 2]}}\nestimate: \"1\"\n";

enum { SAMPLES = 60 };

struct fixture {
    struct arena *arena;
    struct problem *problem;
    struct device_facts facts;
    const struct space *spaces[4];
    struct catalogue catalogue;
    struct record records[64];
    int count;
    struct decision_policy policy;
};

static void fixture_open(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    *fixture = (struct fixture){.arena = arena_create(0),
                                .facts = {.target = TARGET_CPU, .class_name = "test"}};
    const char *const texts[] = {yaml, coarse_yaml, summing_yaml};
    for (int s = 0; s < 3; s++) {
        struct yaml *root;
        struct space *space;
        CHECK_OK(yaml_parse("test.yaml", texts[s], strlen(texts[s]), fixture->arena, &root,
                            &diagnostic));
        CHECK_OK(space_read(root, fake_ops, fixture->arena, &space, &diagnostic));
        space->source = (struct hash){.high = 1, .low = (uint64_t)s};
        fixture->spaces[s] = space;
    }
    fixture->catalogue = (struct catalogue){.spaces = fixture->spaces, .count = 2};
    CHECK_OK(problem_parse("add(f32[rows,64], f32[rows,64]) -> f32[rows,64] rows<=16", fake_ops,
                           fixture->arena, &fixture->problem, &diagnostic));
}

/* A record of quick_cpu n=N whose samples lie round `median`, with noise that is the same for all
 * records of a session's sample, as on a machine that drifts. */
static struct record *add_record(struct fixture *fixture, int n, int64_t session, double median,
                                 double noise)
{
    struct record *record = &fixture->records[fixture->count++];
    float *samples = arena_allocate(fixture->arena, SAMPLES, sizeof *samples);
    for (int i = 0; i < SAMPLES; i++) {
        double drift = 1 + 0.05 * random_normal(77, (uint64_t)session, (uint64_t)i);
        double own = noise * random_normal((uint64_t)n, (uint64_t)session, (uint64_t)i);
        samples[i] = (float)(median * drift * (1 + own));
    }
    *record = (struct record){.problem = fixture->problem->text,
                              .problem_key = fixture->problem->key,
                              .candidate = arena_print(fixture->arena, "quick_cpu n=%d", n),
                              .source = fixture->spaces[0]->source,
                              .device_class = "test",
                              .compiler = "llvm 1",
                              .protocol = RECORD_PROTOCOL,
                              .detail = "",
                              .stage = RECORD_FINAL,
                              .session = session,
                              .median_seconds = median,
                              .least_seconds = median,
                              .sample_count = SAMPLES,
                              .samples = samples};
    return record;
}

static struct record *add_failure(struct fixture *fixture, int n, enum record_status found)
{
    struct record *record = add_record(fixture, n, 1, 1e-6, 0);
    record->status = found;
    record->stage = RECORD_EXPLORED;
    record->sample_count = 0;
    record->samples = NULL;
    return record;
}

static struct decision decide(struct fixture *fixture)
{
    struct diagnostic diagnostic = {0};
    struct decision decision;
    CHECK_OK(decision_make(&fixture->catalogue, fixture->problem, &fixture->facts, "llvm 1",
                           &fixture->policy, fixture->records, fixture->count, fixture->arena,
                           &decision, &diagnostic));
    return decision;
}

static void check_winner(struct fixture *fixture, const char *expected, enum decision_basis basis)
{
    struct decision decision = decide(fixture);
    struct text text = {.arena = fixture->arena};
    candidate_print(&decision.candidate, &text);
    CHECK_TEXT(text_finish(&text), expected);
    if (decision.basis != basis)
        CHECK_FAIL("decided by %s, expected %s", decision_basis_name(decision.basis),
                   decision_basis_name(basis));
}

static void without_records_the_estimate_decides(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_open(&fixture);
    check_winner(&fixture, "quick_cpu n=7", DECISION_ESTIMATE);
    assert_true(fabs(decide(&fixture).seconds - 3e-6) < 1e-12);
    add_failure(&fixture, 7, RECORD_MISMATCH); /* wrong is never chosen, also not by estimate */
    check_winner(&fixture, "quick_cpu n=6", DECISION_ESTIMATE);
    add_failure(&fixture, 6, RECORD_CRASHED);
    check_winner(&fixture, "quick_cpu n=5", DECISION_ESTIMATE);
    fixture.policy.measured_only = true; /* asks whether there is a better answer than that */
    check_winner(&fixture, "reference", DECISION_REFERENCE);
    fixture.policy = (struct decision_policy){.fast = true};
    check_winner(&fixture, "coarse_cpu", DECISION_ESTIMATE);
    fixture.facts.target = TARGET_CUDA;
    check_winner(&fixture, "reference", DECISION_REFERENCE);
    arena_destroy(fixture.arena);
}

static void explored_records_decide_until_there_are_finals(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_open(&fixture);
    add_record(&fixture, 2, 1, 2e-6, 0)->stage = RECORD_EXPLORED;
    add_record(&fixture, 3, 1, 1e-6, 0)->stage = RECORD_EXPLORED;
    add_record(&fixture, 4, 1, 3e-6, 0)->stage = RECORD_EXPLORED;
    check_winner(&fixture, "quick_cpu n=3", DECISION_EXPLORED);
    add_record(&fixture, 2, 2, 1.5e-6, 0.001);
    add_record(&fixture, 4, 2, 3e-6, 0.001)->roles = RECORD_DEFAULT;
    check_winner(&fixture, "quick_cpu n=2",
                 DECISION_FINAL); /* a single quick look at n=3 does not count any more */
    assert_true(decide(&fixture).default_seconds == 3e-6 && decide(&fixture).session == 2);
    add_record(&fixture, 5, 3, 9e-6,
               0.001); /* later finals replace earlier ones: times of two days do not compare */
    check_winner(&fixture, "quick_cpu n=5", DECISION_FINAL);
    arena_destroy(fixture.arena);
}

static void equals_are_told_apart_by_their_names(void **unused)
{
    (void)unused;
    int same = 0;
    for (int64_t session = 1; session <= 400; session++) {
        struct fixture fixture;
        fixture_open(&fixture);
        /* Three equals within noise, and one that is 3 % slower. */
        for (int n = 3; n <= 6; n++) {
            struct record *record =
                add_record(&fixture, n, session, n == 4 ? 1.03e-6 : 1e-6, 0.004);
            double shift = 0.001 * random_normal(5, (uint64_t)session, (uint64_t)n);
            record->median_seconds *= 1 + shift;
        }
        struct decision decision = decide(&fixture);
        same += decision.candidate.config.values[0] == 3;
        assert_true(decision.candidate.config.values[0] != 4);
        arena_destroy(fixture.arena);
    }
    print_message("the same winner in %d of 400 sessions of equals\n", same);
    assert_true(same >= 388); /* 97 % */
}

static void an_incumbent_stays_unless_it_is_beaten(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_open(&fixture);
    add_record(&fixture, 2, 1, 0.995e-6, 0.001); /* half a per cent: not worth a change */
    add_record(&fixture, 5, 1, 1e-6, 0.001)->roles = RECORD_INCUMBENT;
    check_winner(&fixture, "quick_cpu n=5", DECISION_FINAL);
    fixture.count = 0;
    add_record(&fixture, 2, 2, 0.9e-6, 0.001);
    add_record(&fixture, 5, 2, 1e-6, 0.001)->roles = RECORD_INCUMBENT;
    check_winner(&fixture, "quick_cpu n=2", DECISION_FINAL);
    fixture.count = 0;
    add_record(&fixture, 2, 3, 0.9e-6, 0.3); /* ten per cent, but all noise */
    add_record(&fixture, 5, 3, 1e-6, 0.3)->roles = RECORD_INCUMBENT;
    check_winner(&fixture, "quick_cpu n=5", DECISION_FINAL);
    arena_destroy(fixture.arena);
}

static void failures_disqualify(void **unused)
{
    (void)unused;
    static const enum record_status wrong[] = {RECORD_MISMATCH, RECORD_NONDETERMINISTIC,
                                               RECORD_OUT_OF_BOUNDS, RECORD_TAMPERED};
    struct fixture fixture;
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        fixture_open(&fixture);
        add_failure(&fixture, 2, wrong[w]);
        add_record(&fixture, 2, 2, 1e-6, 0.001); /* right later: too late */
        add_record(&fixture, 3, 2, 5e-6, 0.001);
        check_winner(&fixture, "quick_cpu n=3", DECISION_FINAL);
        arena_destroy(fixture.arena);
    }
    fixture_open(&fixture);
    add_failure(&fixture, 2,
                RECORD_TIMEOUT); /* perhaps the machine's fault: the last word counts */
    add_record(&fixture, 2, 2, 1e-6, 0.001);
    add_record(&fixture, 3, 2, 5e-6, 0.001);
    check_winner(&fixture, "quick_cpu n=2", DECISION_FINAL);
    add_failure(&fixture, 2, RECORD_CRASHED);
    check_winner(&fixture, "quick_cpu n=3", DECISION_FINAL);
    arena_destroy(fixture.arena);
}

static void records_of_other_things_do_not_count(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_open(&fixture);
    add_record(&fixture, 1, 1, 1e-9, 0)->source.low = 99;     /* another version of the variant */
    add_record(&fixture, 2, 1, 1e-9, 0)->compiler = "llvm 2"; /* another compiler */
    add_record(&fixture, 3, 1, 1e-9, 0)->protocol = 999;      /* measured in another way */
    add_record(&fixture, 8, 1, 1e-9, 0);                      /* not legal here */
    add_record(&fixture, 4, 1, 1e-9, 0)->candidate = "gone_cpu"; /* a variant that is gone */
    add_record(&fixture, 4, 1, 1e-9, 0)->candidate = "quick_cpu n=77";
    add_record(&fixture, 4, 1, 1e-9, 0)->candidate = "coarse_cpu"; /* against the policy */
    check_winner(&fixture, "quick_cpu n=7", DECISION_ESTIMATE);
    add_record(&fixture, 4, 1, 1e-6, 0);
    check_winner(&fixture, "quick_cpu n=4", DECISION_FINAL);
    arena_destroy(fixture.arena);
}

/* ---- Locks ---- */

static struct record *add_summing(struct fixture *fixture, int reach, int split, double median)
{
    fixture->catalogue.count = 3; /* with summing_cpu */
    struct record *record = add_record(fixture, 10 * reach + split, 1 + split % 2, median, 0.002);
    record->candidate = arena_print(fixture->arena, "summing_cpu reach=%d split=%d", reach, split);
    record->source = fixture->spaces[2]->source;
    return record;
}

static const char *lock_path(const char *folder, struct arena *arena)
{
    return arena_print(arena, "%s/plan.lock", folder);
}

/* A lock of one choice, written and read again. */
static struct choice_lock *make_lock(struct fixture *fixture, const char *folder, const char *mode,
                                     const char *candidate)
{
    struct diagnostic diagnostic = {0};
    struct choice_lock *lock, *read;
    const char *path = lock_path(folder, fixture->arena);
    remove(path);
    CHECK_OK(lock_open(path, mode, true, fixture->arena, &lock, &diagnostic));
    CHECK_OK(lock_set(lock, &fixture->catalogue, "test", fixture->problem, candidate, &diagnostic));
    CHECK_OK(lock_write(lock, &diagnostic));
    CHECK_OK(lock_open(path, NULL, false, fixture->arena, &read, &diagnostic));
    assert_true(read->count == 1 && read->mode == lock->mode && !read->adds);
    CHECK_TEXT(read->choices[0].candidate, candidate);
    fixture->policy.lock = read;
    return read;
}

/* Another order of the records, and other noise. */
static void shuffle(struct fixture *fixture, int round)
{
    for (int r = fixture->count - 1; r > 0; r--) {
        int other = (int)(random_bits(9, (uint64_t)round, (uint64_t)r) % (uint64_t)(r + 1));
        struct record swapped = fixture->records[r];
        fixture->records[r] = fixture->records[other];
        fixture->records[other] = swapped;
    }
    for (int r = 0; r < fixture->count; r++) {
        double noise = 1 + 0.002 * random_normal(11, (uint64_t)round, (uint64_t)r);
        struct record *record = &fixture->records[r];
        float *samples = arena_copy(fixture->arena, record->samples,
                                    (size_t)record->sample_count * sizeof *samples);
        for (int i = 0; i < record->sample_count; i++) samples[i] *= (float)noise;
        record->samples = samples;
        record->median_seconds *= noise;
        record->spread_seconds = 0.003 * record->median_seconds;
    }
}

static const char *decided(struct fixture *fixture, enum decision_rule *rule)
{
    struct decision decision = decide(fixture);
    struct text text = {.arena = fixture->arena};
    candidate_print(&decision.candidate, &text);
    *rule = decision.rule;
    return text_finish(&text);
}

enum { ROUNDS = 40 };

static void locked_is_always_the_same(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct fixture fixture;
        enum decision_rule rule;
        char folder[SCRATCH_BYTES];
        assert_int_equal(scratch_create(folder), 0);
        fixture_open(&fixture);
        for (int n = 1; n <= 7; n++) add_record(&fixture, n, n % 3, 1e-6 * n, 0.01);
        make_lock(&fixture, folder, "locked", "quick_cpu n=6"); /* six times slower than n=1 */
        shuffle(&fixture, round);
        CHECK_TEXT(decided(&fixture, &rule), "quick_cpu n=6");
        assert_int_equal(rule, DECIDED_LOCKED);
        if (round % 2) fixture.count = 0; /* without any record as well */
        CHECK_TEXT(decided(&fixture, &rule), "quick_cpu n=6");
        assert_int_equal(scratch_remove(folder), 0);
        arena_destroy(fixture.arena);
    }
}

static void same_numerics_stays_in_the_class(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct fixture fixture;
        enum decision_rule rule;
        char folder[SCRATCH_BYTES];
        assert_int_equal(scratch_create(folder), 0);
        fixture_open(&fixture);
        add_record(&fixture, 1, 1, 1e-7, 0.002); /* the fastest, of another variant */
        for (int reach = 1; reach <= 3; reach++)
            for (int split = 1; split <= 2; split++)
                add_summing(&fixture, reach, split, 1e-6 / (double)(reach * split));
        make_lock(&fixture, folder, "same-numerics", "summing_cpu reach=1 split=1");
        shuffle(&fixture, round);
        CHECK_TEXT(decided(&fixture, &rule), "summing_cpu reach=3 split=1");
        fixture.count = 0; /* an estimate is no reason to leave it */
        CHECK_TEXT(decided(&fixture, &rule), "summing_cpu reach=1 split=1");
        assert_int_equal(rule, DECIDED_INCUMBENT);
        assert_int_equal(scratch_remove(folder), 0);
        arena_destroy(fixture.arena);
    }
}

static void free_keeps_what_is_in_use_within_noise(void **unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct fixture fixture;
        enum decision_rule rule;
        char folder[SCRATCH_BYTES];
        assert_int_equal(scratch_create(folder), 0);
        fixture_open(&fixture);
        for (int n = 1; n <= 7; n++) /* raced in two sessions, in one of them without it */
            add_record(&fixture, n, 1 + n % 2, 1e-6, 0.002);
        make_lock(&fixture, folder, "free", "quick_cpu n=5");
        shuffle(&fixture, round);
        CHECK_TEXT(decided(&fixture, &rule), "quick_cpu n=5");
        add_record(&fixture, 3, 9, 0.7e-6, 0.002);
        add_record(&fixture, 5, 9, 1e-6, 0.002);
        CHECK_TEXT(decided(&fixture, &rule), "quick_cpu n=3");
        assert_int_equal(rule, DECIDED_FASTEST);
        assert_int_equal(scratch_remove(folder), 0);
        arena_destroy(fixture.arena);
    }
}

static status try_lock(struct fixture *fixture, struct diagnostic *diagnostic)
{
    struct decision decision;
    return decision_make(&fixture->catalogue, fixture->problem, &fixture->facts, "llvm 1",
                         &fixture->policy, fixture->records, fixture->count, fixture->arena,
                         &decision, diagnostic);
}

static void a_lock_that_cannot_be_kept_says_why(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct fixture fixture;
    enum decision_rule rule;
    char folder[SCRATCH_BYTES];
    assert_int_equal(scratch_create(folder), 0);
    fixture_open(&fixture);
    struct choice_lock *lock = make_lock(&fixture, folder, "locked", "quick_cpu n=2");
    lock->choices[0].source.low = 77;
    CHECK_REFUSED(try_lock(&fixture, &diagnostic), STATUS_MISMATCH, "has another source now");
    lock->choices[0].source = fixture.spaces[0]->source;
    add_failure(&fixture, 2, RECORD_MISMATCH);
    CHECK_REFUSED(try_lock(&fixture, &diagnostic), STATUS_MISMATCH, "gave wrong results");
    fixture.count = 0;
    lock->choices[0].candidate = "quick_cpu n=8";
    CHECK_REFUSED(try_lock(&fixture, &diagnostic), STATUS_MISMATCH, "is not legal here");
    lock->choices[0].candidate = "gone_cpu";
    CHECK_REFUSED(try_lock(&fixture, &diagnostic), STATUS_MISMATCH, "is not known");
    lock->count = 0;
    CHECK_REFUSED(try_lock(&fixture, &diagnostic), STATUS_MISMATCH, "is missing");
    lock->adds = true;
    CHECK_TEXT(decided(&fixture, &rule), "quick_cpu n=7");
    assert_int_equal(rule, DECIDED_ESTIMATE);
    assert_int_equal(scratch_remove(folder), 0);
    arena_destroy(fixture.arena);
}

static void locks_are_not_trusted(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "form: 2\nhone: x\nmode: free\nchoices: []\n",
        "form: 1\nhone: x\nmode: often\nchoices: []\n",
        "form: 1\nhone: x\nmode: free\nchoices: 7\n",
        "form: 1\nhone: x\nmode: free\nchoices: []\nmore: 1\n",
        "form: 1\nhone: x\nmode: free\nchoices:\n- {device: a, problem: b, candidate: c}\n",
        "form: 1\nhone: x\nmode: free\nchoices:\n"
        "- {device: \"a\\x1b\", problem: b, candidate: c, numerics: d, source: "
        "00000000000000000000000000000001}\n",
        "form: 1\nhone: x\nmode: free\nchoices:\n"
        "- {device: a, problem: b, candidate: c, numerics: d, source: 12}\n",
        "",
    };
    char folder[SCRATCH_BYTES];
    struct arena *arena = arena_create(0);
    struct choice_lock *lock;
    assert_int_equal(scratch_create(folder), 0);
    const char *path = lock_path(folder, arena);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct diagnostic diagnostic = {0};
        CHECK_OK(file_write(path, texts[t], strlen(texts[t]), &diagnostic));
        CHECK_REFUSED(lock_open(path, NULL, true, arena, &lock, &diagnostic), STATUS_BAD_INPUT,
                      "plan.lock");
    }
    struct diagnostic diagnostic = {0};
    remove(path);
    CHECK_REFUSED(lock_open(path, NULL, false, arena, &lock, &diagnostic), STATUS_BAD_INPUT,
                  "no such lock");
    CHECK_REFUSED(lock_open(path, "often", true, arena, &lock, &diagnostic), STATUS_USAGE,
                  "not known");
    assert_int_equal(scratch_remove(folder), 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_records_the_estimate_decides),
        cmocka_unit_test(explored_records_decide_until_there_are_finals),
        cmocka_unit_test(equals_are_told_apart_by_their_names),
        cmocka_unit_test(an_incumbent_stays_unless_it_is_beaten),
        cmocka_unit_test(failures_disqualify),
        cmocka_unit_test(records_of_other_things_do_not_count),
        cmocka_unit_test(locked_is_always_the_same),
        cmocka_unit_test(same_numerics_stays_in_the_class),
        cmocka_unit_test(free_keeps_what_is_in_use_within_noise),
        cmocka_unit_test(a_lock_that_cannot_be_kept_says_why),
        cmocka_unit_test(locks_are_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
