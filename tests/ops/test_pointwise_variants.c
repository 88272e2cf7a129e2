/* The CPU variants of the operators that work row by row, against the references: the shared cases
 * and random widths, on every processor level that this machine runs. */
#include "base/text.h"
#include "tests/check.h"
#include "tests/ops/variant_harness.h"

/* A few roundings of f32, relative to the largest output. */
#define BOUND 2e-6

static struct variant_check check;

static int set_up(void **state)
{
    (void)state;
    variant_check_create(&check, 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    variant_check_destroy(&check);
    return 0;
}

/* `pattern` with every W replaced by `width`. */
static const char *with_width(struct arena *arena, const char *pattern, int64_t width)
{
    struct text text = {.arena = arena};
    for (; *pattern; pattern++)
        if (*pattern == 'W')
            text_print(&text, "%lld", (long long)width);
        else
            text_append_range(&text, pattern, 1);
    return text_finish(&text);
}

static void check_widths(const char *pattern)
{
    static const int64_t widths[] = {1, 2, 7, 16, 33, 64, 100, 129, 500, 2049};
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct op_step step = {.rows = op_case_rows[i % 3]};
        variant_check_case(&check, with_width(arena, pattern, widths[i]), &step, BOUND);
    }
    arena_destroy(arena);
}

static void test_rmsnorm(void **state)
{
    (void)state;
    variant_check_table(&check, dense_cases, "rmsnorm(", BOUND);
    variant_check_table(&check, dense_cases, "add_rmsnorm(", BOUND);
    check_widths("add_rmsnorm(f32[tokens,W], f32[tokens,W], f32[W]) {offset=1}");
}

static void test_add(void **state)
{
    (void)state;
    variant_check_table(&check, dense_cases, "add(", BOUND);
    check_widths("add(f32[tokens,W], f32[tokens,W])");
}

static void test_gate(void **state)
{
    (void)state;
    variant_check_table(&check, dense_cases, "gate(", BOUND);
    check_widths("gate(f32[tokens,W], f32[tokens,W])");
    check_widths("gate(f32[tokens,W], f32[tokens,W]) {activation=gelu_tanh}");
    check_widths("gate(f32[3*tokens,W], f32[3*tokens,W]) {activation=gelu}");
}

static void test_embed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "embed(i32[tokens], q8_0[48,64]@interleave16) {scale=3}",
        "embed(i32[tokens], q4_0[32,320]@interleave16)",
        "embed(i32[tokens], bf16[9,77])",
    };
    variant_check_table(&check, dense_cases, "embed(", BOUND);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        variant_check_case(&check, texts[i], &(struct op_step){.rows = 19}, BOUND);
}

static void test_positions(void **state)
{
    (void)state;
    static const char rope[] = "rope(f32[tokens,312], i32[tokens], f32[38]) {heads=4 head_size=78 "
                               "rotated=76 pairing=halves base=500 scaling=yarn factor=16}";
    variant_check_table(&check, position_cases, "rope(", BOUND);
    variant_check_table(&check, position_cases, "append(", BOUND);
    variant_check_table(&check, position_cases, "rope_append(", BOUND);
    variant_check_case(&check, rope, &(struct op_step){.rows = 5, .context = 1000000}, BOUND);
}

static void test_select(void **state)
{
    (void)state;
    variant_check_table(&check, dense_cases, "select(", 0);
    check_widths("select(i32[outputs], f32[tokens,W])");
}

static void test_combine(void **state)
{
    (void)state;
    variant_check_table(&check, expert_cases, "combine(", BOUND);
    check_widths("combine(f32[tokens,3], f32[3*tokens,W], i32[3*tokens])");
    check_widths("combine(f32[tokens,17], f32[17*tokens,W], i32[17*tokens])");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm),   cmocka_unit_test(test_add),
        cmocka_unit_test(test_gate),      cmocka_unit_test(test_select),
        cmocka_unit_test(test_combine),   cmocka_unit_test(test_embed),
        cmocka_unit_test(test_positions),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
