/* The CPU variants of attention against the reference: the shared cases, and random shapes: heads
 * of every size, groups, windows, caps, ragged batches, all states, on every processor level
 * that this machine runs. */
#include "base/random.h"
#include "base/text.h"
#include "ops/attention/attention.h"
#include "tests/check.h"
#include "tests/ops/variant_harness.h"

/* Scores of size 10 that are off by a few roundings put weights off by as many: 1e-5 of the largest
 * output is a loose bound; what is wrong is wrong by much more. */
#define BOUND 1e-5

static struct variant_check check;

static int set_up(void **state)
{
    (void)state;
    variant_check_create(&check, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    variant_check_destroy(&check);
    return 0;
}

static void test_shared_cases(void **state)
{
    (void)state;
    check.takes_turns = true; /* random shapes are on all levels */
    variant_check_table(&check, attention_cases, "attention(", BOUND);
    check.takes_turns = false;
}

/* Sinks, and values that lie within the keys. */
static void test_rare_cases(void **state)
{
    (void)state;
    check.takes_turns = true;
    variant_check_table(&check, attention_rare_cases, "attention(", BOUND);
    check.takes_turns = false;
}

/* States of blocks: as many as registers hold, and one more. */
static const struct op_case wide_block_cases[] = {
    {"attention(f32[tokens,640], i32[tokens], i32[tokens], i32[sequences,stride], "
     "q8_0[pages,16,160], q4_0[pages,16,160]) {heads=4 kv_heads=1 head_size=160}",
     100, 2, 17},
    {"attention(f32[tokens,640], i32[tokens], i32[tokens], i32[sequences,stride], "
     "q4_0[pages,32,320], q8_0[pages,32,192]) {heads=4 kv_heads=2 head_size=160 value_size=96}",
     100, 1, 17},
    {NULL, 0, 0, 0},
};

static void test_blocks(void **state)
{
    (void)state;
    check.takes_turns = true;
    variant_check_table(&check, wide_block_cases, "attention(", BOUND);
    check.takes_turns = false;
}

/* ---- Random shapes ---- */

static int64_t pick(const int64_t *choices, size_t count)
{
    return choices[random_bits(17, 1, check.draws++) % count];
}

#define PICK(...)                                                                                  \
    pick((const int64_t[]){__VA_ARGS__}, sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t))

/* Blocks only where they divide the heads. */
static const char *random_element(bool blocks)
{
    static const char *const names[] = {"f16", "f32", "bf16", "q8_0", "q4_0"};
    return names[blocks ? PICK(0, 1, 2, 3, 4) : PICK(0, 1, 2)];
}

static const char *random_text(struct arena *arena)
{
    int64_t kv_heads = PICK(1, 1, 2, 3), heads = kv_heads * PICK(1, 2, 3, 4, 7, 8);
    int64_t size = PICK(64, 80, 96, 128, 256, 40, 17), value_size = PICK(0, 0, 0, 48, 5);
    int64_t page = PICK(1, 7, 16, 32), width = value_size ? value_size : size;
    int64_t window = PICK(0, 0, 0, 1, 20, 100), softcap = PICK(0, 0, 3, 50);
    return arena_print(arena,
                       "attention(f32[tokens,%lld], i32[tokens], i32[tokens], "
                       "i32[sequences,stride], %s[pages,%lld,%lld], %s[pages,%lld,%lld]) "
                       "{heads=%lld kv_heads=%lld head_size=%lld value_size=%lld window=%lld "
                       "softcap=%lld}",
                       (long long)(heads * size), random_element(size % 32 == 0), (long long)page,
                       (long long)(kv_heads * size), random_element(width % 32 == 0),
                       (long long)page, (long long)(kv_heads * width), (long long)heads,
                       (long long)kv_heads, (long long)size, (long long)value_size,
                       (long long)window, (long long)softcap);
}

static void test_random_shapes(void **state)
{
    (void)state;
    int shapes = check.samples ? 10 * check.samples : 4;
    for (int i = 0; i < shapes; i++) {
        struct arena *arena = arena_create(0);
        struct op_step step = {.rows = PICK(1, 1, 2, 3, 17, 40),
                               .context = PICK(1, 15, 64, 100, 333),
                               .sequences = PICK(1, 2, 5)};
        variant_check_case(&check, random_text(arena), &step, BOUND);
        arena_destroy(arena);
    }
}

/* Rows whose sequence, position or page the tables do not have give NaN, and only they: with a
 * window of 20, some rows of the sequence with the hole see it and some do not. */
static void test_holes(void **state)
{
    (void)state;
    static const char text[] =
        "attention(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], "
        "f16[pages,4,48], bf16[pages,4,48]) {heads=4 kv_heads=2 head_size=24 window=20}";
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 40, .context = 50, .sequences = 2};
    struct problem *problem;
    struct op_trial *trial;
    CHECK_OK(op_case_problem(text, 40, 60, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 3, arena, &trial, &diagnostic));
    int32_t *positions = trial->originals[ATTENTION_POSITIONS];
    int32_t *sequences = trial->originals[ATTENTION_SEQUENCES];
    int32_t *pages = trial->originals[ATTENTION_PAGES];
    pages[sequences[0] * trial->run.symbols[SYMBOL_STRIDE] + positions[10] / 4] = -1;
    positions[3] = -1;
    positions[5] = (int32_t)(trial->run.symbols[SYMBOL_STRIDE] * 4);
    sequences[7] = -1;
    sequences[30] = (int32_t)trial->run.symbols[SYMBOL_SEQUENCES];
    variant_renew_trial(trial);
    int nan = 0, numbers = 0;
    for (int r = 0; r < 40; r++) {
        float y = ((float *)trial->expected[ATTENTION_Y])[r * 96];
        nan += y != y;
        numbers += y == y;
    }
    assert_true(nan > 4 && numbers > 4);
    assert_true(variant_check_trial(&check, trial, BOUND) > 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_cases), cmocka_unit_test(test_rare_cases),
        cmocka_unit_test(test_blocks),       cmocka_unit_test(test_random_shapes),
        cmocka_unit_test(test_holes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
