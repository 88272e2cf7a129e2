/* Policies of expert caches: by hand, against all possible choices, and the chosen one against the others on routings. */
#include "base/random.h"
#include "engine/record_routing.h"
#include "planner/expert_replay.h"
#include "planner/routing_synthetic.h"
#include "runtime/expert_misses.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

#include <math.h>

static struct routing_trace *trace_of(struct arena *arena, const int32_t *ids, int count,
                                      int experts)
{
    static const int layer[] = {0};
    struct diagnostic diagnostic = {0};
    struct routing_trace *trace;
    CHECK_OK(routing_trace_create(arena, layer, 1, experts, 1, &trace, &diagnostic));
    for (int i = 0; i < count; i++) CHECK_OK(routing_trace_append(trace, &ids[i], 1, &diagnostic));
    return trace;
}

static int64_t hits_of(const struct routing_trace *trace, const char *policy, int slots,
                       int64_t middle)
{
    struct diagnostic diagnostic = {0};
    struct replay_rate rate;
    const struct replay_range range = {slots, false, 0, middle, routing_trace_steps(trace)};
    CHECK_OK(expert_replay(trace, expert_policy_find(policy), &range, &rate, &diagnostic));
    return rate.hits;
}

static void policies_keep_what_they_say(void **state)
{
    static const struct {
        const char *policy;
        int64_t hits;
    } rows[] = {
        /* 0 1 0 2 1 0 | 2 3 2 3 0 1, two slots: what is there before each of the last six */
        {"static", 2}, /* 0 and 1 throughout */
        {"lru", 2},    /* 2 and 3 again */
        {"lfu", 2},    /* 0 stays; 2 takes the place of 1 with its second use, and hits; 0 hits */
    };
    static const int32_t ids[] = {0, 1, 0, 2, 1, 0, 2, 3, 2, 3, 0, 1};
    struct scratch *scratch = *state;
    const struct routing_trace *trace = trace_of(scratch->arena, ids, 12, 4);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (hits_of(trace, rows[r].policy, 2, 6) != rows[r].hits)
            CHECK_FAIL("%s: %lld hits", rows[r].policy,
                       (long long)hits_of(trace, rows[r].policy, 2, 6));
}

/* Most hits that any choices could reach from request `at` on. */
static int best_hits(const int32_t *ids, int at, int count, int slots, unsigned kept)
{
    if (at == count) return 0;
    unsigned own = 1u << ids[at];
    if (kept & own) return 1 + best_hits(ids, at + 1, count, slots, kept);
    int best = best_hits(ids, at + 1, count, slots, kept);
    if (__builtin_popcount(kept) < slots) {
        int with = best_hits(ids, at + 1, count, slots, kept | own);
        return with > best ? with : best;
    }
    for (unsigned victim = 1; victim <= kept; victim <<= 1) {
        if (!(kept & victim)) continue;
        int with = best_hits(ids, at + 1, count, slots, (kept & ~victim) | own);
        if (with > best) best = with;
    }
    return best;
}

static void nobody_beats_the_oracle(void **state)
{
    enum { COUNT = 9, EXPERTS = 4, SLOTS = 2 };
    struct scratch *scratch = *state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        int32_t ids[COUNT];
        for (int i = 0; i < COUNT; i++)
            ids[i] = (int32_t)(random_uniform(seed, 0, (uint64_t)i) * EXPERTS);
        const struct routing_trace *trace = trace_of(scratch->arena, ids, COUNT, EXPERTS);
        int64_t best = best_hits(ids, 0, COUNT, SLOTS, 0);
        assert_int_equal(hits_of(trace, "oracle", SLOTS, 0), best);
        assert_true(hits_of(trace, "lru", SLOTS, 0) <= best);
        assert_true(hits_of(trace, "best", SLOTS, 0) <= best);
    }
}

/* Chosen on the first half, the policy is within 5 % of the best one of those that do not know the future in the second. */
static void check_choice(const struct routing_trace *trace, int slots, bool shared,
                         const char *what)
{
    struct diagnostic diagnostic = {0};
    struct expert_comparison comparison;
    CHECK_OK(expert_compare(trace, slots, shared, &comparison, &diagnostic));
    double chosen = replay_share(comparison.rates[comparison.chosen]);
    double best = replay_share(comparison.rates[comparison.best]);
    double oracle = replay_share(comparison.rates[comparison.oracle]);
    if (chosen < 0.95 * best || best > oracle + 1e-9)
        CHECK_FAIL("%s, %d slots: %s hits %.3f, %s %.3f, the oracle %.3f", what, slots,
                   expert_policies[comparison.chosen].name, chosen,
                   expert_policies[comparison.best].name, best, oracle);
    /* Without any record: what follows the others is as good. */
    int following = (int)(expert_policy_default() - expert_policies);
    if (replay_share(comparison.rates[following]) < 0.95 * best)
        CHECK_FAIL("%s, %d slots: the default hits %.3f, %s %.3f", what, slots,
                   replay_share(comparison.rates[following]), expert_policies[comparison.best].name,
                   best);
}

static void the_choice_is_right_on_drawn_routings(void **state)
{
    static const char *const rows[][4] = {
        {"zipf=0"},
        {"zipf=0.5"},
        {"zipf=0.8", "prompt=200"},
        {"zipf=1"},
        {"zipf=1.2"},
        {"zipf=1.6"},
        {"zipf=1", "drift=1000"},
        {"zipf=1", "drift=100"},
        {"zipf=1.2", "drift=25"},
        {"zipf=1", "phase=100"},
        {"zipf=1.2", "phase=400"},
        {"zipf=0", "repeat=0.6"},
        {"zipf=1", "repeat=0.4"},
        {"zipf=0.8", "repeat=0.3", "drift=50"},
    };
    static const int slots[] = {6, 16, 32};
    struct scratch *scratch = *state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic = {0};
        struct synthetic_routing synthetic = routing_synthetic_default();
        struct routing_trace *trace;
        synthetic.layers = 2;
        synthetic.tokens = 1600;
        synthetic.used = 6;
        synthetic.seed = r;
        for (int w = 0; rows[r][w]; w++)
            CHECK_OK(routing_synthetic_parse(rows[r][w], &synthetic, &diagnostic));
        CHECK_OK(routing_synthesise(&synthetic, scratch->arena, &trace, &diagnostic));
        for (size_t s = 0; s < sizeof slots / sizeof *slots; s++)
            check_choice(trace, slots[s], s == 1, rows[r][0]);
    }
}

static const struct routing_trace *record_demo(struct scratch *scratch)
{
    enum { TOKENS = 320 };
    static float logits[SPLIT_LOGITS_MOST];
    static const struct placing placing = {"cpu", NULL, NULL, 1}; /* a step per token */
    struct diagnostic diagnostic = {0};
    struct engine_options options = placing_options(&placing, false, scratch->folder);
    struct engine *engine;
    struct routing_recorder *recorder;
    const struct routing_trace *trace;
    int32_t tokens[TOKENS];
    options.context = TOKENS;
    CHECK_OK(engine_open(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", &options, &engine,
                         &diagnostic));
    CHECK_OK(routing_record(engine, scratch->arena, &recorder, &diagnostic));
    struct engine_input input = {.tokens = tokens, .count = 1};
    int64_t vocabulary = engine_model(engine)->vocabulary;
    CHECK_OK(engine_sequence_open(engine, &input.sequence, &diagnostic));
    tokens[0] = 1;
    for (int t = 0; t < TOKENS; t++) {
        int32_t best = 3; /* below are tokens that only mark */
        CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
        for (int32_t v = 3; v < vocabulary; v++)
            if (logits[v] > logits[best]) best = v;
        tokens[0] = t % 40 == 39 ? (int32_t)(100 + t) : best; /* another story now and then */
    }
    CHECK_OK(routing_recorded(recorder, &trace, &diagnostic));
    assert_int_equal(routing_trace_steps(trace), TOKENS);
    engine_close(engine);
    return trace;
}

static void the_choice_is_right_on_the_demo_model(void **state)
{
    const struct routing_trace *trace = record_demo(*state);
    for (int slots = 1; slots <= trace->experts; slots++)
        for (int shared = 0; shared < 2; shared++) check_choice(trace, slots, shared, "demo-moe");
}

/* Slower of fetching and computing, the way round that is tried. */
static double seconds_of(const struct miss_times *times, const int64_t *rows, int count,
                         unsigned fetched)
{
    double link = 0, host = 0;
    for (int i = 0; i < count; i++)
        if (fetched & 1u << i)
            link += times->fetch_seconds;
        else
            host += times->host_seconds + times->host_row_seconds * (double)(rows[i] - 1);
    return link > host ? link : host;
}

static void misses_are_divided_best(void **state)
{
    enum { COUNT = 7 };
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        const struct miss_times times = {random_uniform(seed, 0, 0), random_uniform(seed, 0, 1),
                                         random_uniform(seed, 0, 2) / 4};
        int64_t rows[COUNT];
        rows[0] = 12;
        for (int i = 1; i < COUNT; i++)
            rows[i] = 1 + (int64_t)(random_uniform(seed, 1, (uint64_t)i) * (double)(rows[i - 1]));
        for (int i = 1; i < COUNT; i++)
            if (rows[i] > rows[i - 1]) rows[i] = rows[i - 1];
        double best = INFINITY;
        for (unsigned fetched = 0; fetched < 1u << COUNT; fetched++) {
            double seconds = seconds_of(&times, rows, COUNT, fetched);
            if (seconds < best) best = seconds;
        }
        int fetched = divide_misses(&times, rows, COUNT);
        assert_true(seconds_of(&times, rows, COUNT, (1u << fetched) - 1) <= best * (1 + 1e-9));
    }
    /* Single rows fall apart in the measured proportion. */
    int64_t rows[100];
    for (int i = 0; i < 100; i++) rows[i] = 1;
    const struct miss_times thrice = {.fetch_seconds = 1e-3, .host_seconds = 3e-3};
    assert_int_equal(divide_misses(&thrice, rows, 100), 75);
    const struct miss_times slow_link = {.fetch_seconds = 1, .host_seconds = 1e-3};
    assert_int_equal(divide_misses(&slow_link, rows, 100), 0);
    assert_int_equal(divide_misses(&thrice, rows, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(policies_keep_what_they_say, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(nobody_beats_the_oracle, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(the_choice_is_right_on_drawn_routings, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(the_choice_is_right_on_the_demo_model, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test(misses_are_divided_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
