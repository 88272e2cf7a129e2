/* Filled operands fit together: ragged batches have their tokens at their own places, routed
 * experts and their order are permutations of each other.  And costs are what a hand calculation
 * gives. */
#include "base/random.h"
#include "ops/filling.h"
#include "tests/check.h"
#include "tests/ops/op_cases.h"

enum { ROWS_MOST = 300, SEQUENCES_MOST = 6, STRIDE_MOST = 64, PAGES_MOST = 512 };

struct filled {
    int32_t positions[ROWS_MOST], sequences[ROWS_MOST], pages[SEQUENCES_MOST * STRIDE_MOST];
};

static int64_t pick(uint64_t seed, uint64_t which, int64_t least, int64_t most)
{
    return least + (int64_t)(random_bits(seed, 1, which) % (uint64_t)(most - least + 1));
}

static struct ragged_batch random_batch(uint64_t seed)
{
    struct ragged_batch batch = {.seed = seed,
                                 .rows = pick(seed, 0, 1, ROWS_MOST),
                                 .sequences = pick(seed, 1, 1, SEQUENCES_MOST),
                                 .page_tokens = pick(seed, 2, 1, 32)};
    batch.context = pick(seed, 3, 1, STRIDE_MOST * batch.page_tokens);
    if (batch.context < batch.rows) batch.rows = batch.context;
    batch.active = smaller(batch.rows, batch.sequences);
    int64_t each = ceil_divide(batch.context, batch.page_tokens);
    batch.stride = smaller(STRIDE_MOST, each + pick(seed, 4, 0, 3));
    batch.page_count = each * batch.sequences + pick(seed, 5, 0, 5);
    return batch;
}

/* Every token has a row of its own, the first sequence reaches the context, pages are shared by
 * nobody. */
static void check_batch(const struct ragged_batch *batch, const struct filled *filled)
{
    bool seen[SEQUENCES_MOST][STRIDE_MOST * 32] = {{false}}, used[PAGES_MOST] = {false};
    int64_t longest = 0;
    for (int64_t r = 0; r < batch->rows; r++) {
        int64_t sequence = filled->sequences[r], position = filled->positions[r];
        assert_in_range(sequence, 0, batch->sequences - 1);
        assert_in_range(position, 0, batch->context - 1);
        assert_false(seen[sequence][position]);
        seen[sequence][position] = true;
        longest = larger(longest, position + 1);
        for (int64_t p = 0; p <= position / batch->page_tokens; p++)
            assert_in_range(filled->pages[sequence * batch->stride + p], 0, batch->page_count - 1);
    }
    assert_int_equal(longest, batch->context);
    for (int64_t i = 0; i < batch->sequences * batch->stride; i++) {
        int32_t page = filled->pages[i];
        if (page < 0) continue;
        assert_true(page < PAGES_MOST && !used[page]);
        used[page] = true;
    }
}

static void test_batches(void **state)
{
    int ragged = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct filled filled;
        struct ragged_batch batch = random_batch(seed);
        fill_positions(&batch, filled.positions);
        fill_sequences(&batch, filled.sequences);
        fill_pages(&batch, filled.pages);
        check_batch(&batch, &filled);
        ragged += batch.active > 1;
    }
    assert_true(ragged > 200);
}

static void test_experts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct assignments routed = {
            .seed = seed, .rows = pick(seed, 0, 1, 30), .experts = pick(seed, 1, 1, 40)};
        routed.used = pick(seed, 2, 1, smaller(routed.experts, 8));
        int32_t experts[240], order[240], offsets[EXPERTS_MOST + 1], places[240];
        fill_experts(&routed, experts);
        fill_dispatch(&routed, order, offsets, places);
        assert_int_equal(offsets[routed.experts], routed.rows * routed.used);
        for (int32_t a = 0; a < routed.rows * routed.used; a++) {
            assert_int_equal(order[places[a]], a);
            assert_in_range(places[a], offsets[experts[a]], offsets[experts[a] + 1] - 1);
            for (int64_t b = a - a % routed.used; b < a; b++)
                assert_int_not_equal(experts[b], experts[a]);
        }
    }
}

/* Under a routing a batch has as many different experts as it says, tokens use different ones, those of a higher level are
 * chosen more often, and dispatch agrees. */
static void test_routed_experts(void **state)
{
    enum { TOKENS = 120, EXPERTS = 32, USED = 2 };
    static int32_t ids[TOKENS * USED], order[TOKENS * USED], offsets[EXPERTS_MOST + 1],
        places[TOKENS * USED];
    struct routing routing = {.counts = {[0] = 8, [9] = 20, [17] = 4}, .distinct = 12};
    int64_t by_rank[EXPERTS] = {0};
    (void)state;
    assert_int_equal(routing_experts(&routing), EXPERTS);
    for (uint64_t seed = 0; seed < 60; seed++) {
        int64_t counts[EXPERTS] = {0}, distinct = 0;
        int64_t rows = seed % 3 ? TOKENS : 4;
        struct assignments routed = {seed, rows, USED, EXPERTS, &routing};
        fill_experts(&routed, ids);
        fill_dispatch(&routed, order, offsets, places);
        for (int64_t a = 0; a < rows * USED; a++) {
            assert_in_range(ids[a], 0, EXPERTS - 1);
            if (a % USED) assert_int_not_equal(ids[a], ids[a - 1]);
            assert_int_equal(order[places[a]], a);
            assert_in_range(places[a], offsets[ids[a]], offsets[ids[a] + 1] - 1);
            distinct += counts[ids[a]]++ == 0;
        }
        assert_int_equal(distinct, smaller(routing.distinct, rows * USED));
        for (int64_t r = 0; rows == TOKENS && r < EXPERTS; r++) { /* most chosen first */
            int64_t most = 0;
            for (int64_t e = 1; e < EXPERTS; e++)
                if (counts[e] > counts[most]) most = e;
            by_rank[r] += counts[most];
            counts[most] = -1;
        }
    }
    /* Four experts of level r, 16 times as popular as those of level j. */
    assert_true(by_rank[3] > 4 * by_rank[4]);
    assert_true(by_rank[11] > 0 && by_rank[12] <= 0);
}

static void check_cost(const char *text, int64_t rows, int64_t context, double operations,
                       double bytes)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct problem *problem;
    CHECK_OK(op_case_problem(text, rows, context, arena, &problem, &diagnostic));
    struct cost cost = problem_cost(problem);
    if (cost.operations != operations || cost.bytes != bytes)
        CHECK_FAIL("%s: %.9g operations and %.9g bytes, expected %.9g and %.9g", problem->text,
                   cost.operations, cost.bytes, operations, bytes);
    arena_destroy(arena);
}

#define ATTENTION                                                                                  \
    "attention(f32[tokens,256], i32[tokens], i32[tokens], i32[sequences,stride], "                 \
    "f16[pages,16,64], f16[pages,16,64]) {heads=4 kv_heads=1 head_size=64"

static void test_costs(void **state)
{
    (void)state;
    check_cost("linear(f32[tokens,64], q8_0[96,64])", 4, 0, 4 * 96 * 128,
               4 * 64 * 4 + 96 * 68 + 4 * 96 * 4);
    check_cost("linear_group(f32[tokens,64], f32[8,64], f32[4,64])", 2, 0, 2 * 12 * 128,
               2 * 64 * 4 + 12 * 64 * 4 + 2 * 12 * 4);
    check_cost("embed(i32[tokens], f16[1000,64])", 3, 0, 3 * 64, 3 * 4 + 3 * 64 * 2 + 3 * 64 * 4);
    check_cost("select(i32[outputs], f32[tokens,64])", 2, 0, 0, 2 * 4 + 2 * 2 * 64 * 4);
    /* 2 tokens, 3 experts each, of 8: six experts' weights are read; of 100 tokens all are. */
    check_cost("grouped_linear(f32[tokens,64], i32[3*tokens], i32[9], f32[8,16,64])", 2, 0,
               6 * 16 * 128, 2 * 256 + 6 * 4 + 9 * 4 + 6 * 16 * 256 + 6 * 16 * 4);
    check_cost("grouped_linear(f32[tokens,64], i32[3*tokens], i32[9], f32[8,16,64])", 100, 0,
               300 * 16 * 128, 100 * 256 + 300 * 4 + 9 * 4 + 8 * 16 * 256 + 300 * 16 * 4);
    check_cost("append(f32[tokens,64], i32[tokens], i32[tokens], i32[sequences,stride], "
               "f16[pages,16,64])",
               2, 1024, 2 * 64, 2 * (64 * 4 + 64 * 2 + 3 * 4));
    /* One token sees 1024, its whole context, or what the window leaves of it. */
    check_cost(ATTENTION "}", 1, 1024, 1024 * 4 * (256 + 10), 1024 * 256 + 2 * 1024);
    check_cost(ATTENTION " window=100}", 1, 1024, 100 * 4 * (256 + 10), 100 * 256 + 2 * 1024);
    /* Of 5 tokens the first sees 1020, the last 1024. */
    check_cost(ATTENTION "}", 5, 1024, 5 * 1022.0 * 4 * (256 + 10), 1024 * 256 + 5 * 2 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_routed_experts),
        cmocka_unit_test(test_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
