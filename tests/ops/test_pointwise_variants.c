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
    variant_check_create(&check, 1);
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
    check_widths("rmsnorm(f32[2*tokens,W], f32[W]) {epsilon=1e-06}");
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

static void test_hadamard(void **state)
{
    (void)state;
    variant_check_table(&check, dense_cases, "hadamard(", BOUND);
}

/* What few architectures need. */
static void test_rare(void **state)
{
    (void)state;
    check.takes_turns = true;
    static const char *const operators[] = {"gate(", "softcap(", "part(", "join("};
    for (size_t o = 0; o < sizeof operators / sizeof *operators; o++)
        variant_check_table(&check, dense_rare_cases, operators[o], BOUND);
    check_widths("gate(f32[tokens,1], f32[tokens,W]) {activation=sigmoid}");
    check_widths("gate(f32[tokens,W], f32[tokens,W]) {limit=0.5 slope=1.702 shift=1}");
    check_widths("softcap(f32[tokens,W]) {limit=3}");
    check_widths("join(f32[tokens,W], f32[tokens,7]) {heads=1}");
    check.takes_turns = false;
}

/* Some variants round activations: each is judged by what its numerics allow. */
static void test_heads(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "head_linear(f32[tokens,192], q4_0[3,5,64])",
        "head_linear(f32[tokens,512], q4_K[2,33,256])",
        "head_linear(f32[tokens,512], q6_K[3,9,512]) {shared=1}",
        "head_linear(f32[tokens,384], i8_128[3,17,128])",
    };
    check.takes_turns = true;
    check.judge = variant_judge_unit;
    variant_check_table(&check, dense_rare_cases, "head_linear(", variant_rounded_bound);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        variant_check_case(&check, texts[i], &(struct op_step){.rows = 7}, variant_rounded_bound);
    check.judge = NULL;
    check.takes_turns = false;
}

static void test_experts(void **state)
{
    (void)state;
    check.takes_turns = true;
    variant_check_table(&check, expert_cases, "route(", BOUND);
    variant_check_table(&check, expert_cases, "dispatch(", 0);
    variant_check_table(&check, expert_cases, "grouped_bias(", 0);
    check.takes_turns = false;
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
    for (enum element_type type = 0; type < ELEMENT_COUNT; type++) {
        char text[80];
        const struct element *element = element_of(type);
        if (type == ELEMENT_I8 || type == ELEMENT_I32) continue;
        snprintf(text, sizeof text, "embed(i32[tokens], %s[9,%d]) {scale=3}", element->name,
                 3 * element->block_elements);
        variant_check_case(&check, text, &(struct op_step){.rows = 19}, BOUND);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        variant_check_case(&check, texts[i], &(struct op_step){.rows = 19}, BOUND);
}

static void test_positions(void **state)
{
    (void)state;
    static const char rope[] = "rope(f32[tokens,312], i32[tokens], f32[38]) {heads=4 head_size=78 "
                               "rotated=76 pairing=halves base=500 scaling=yarn factor=16}";
    variant_check_table(&check, position_cases, "rope(", BOUND);
    variant_check_table(&check, position_cases, "append(", 0); /* bit by bit */
    variant_check_table(&check, position_cases, "rope_append(", BOUND);
    variant_check_case(&check, rope, &(struct op_step){.rows = 5, .context = 1000000}, BOUND);
}

/* Rows without a page are dropped, tokens outside the table give NaN. */
static void test_holes(void **state)
{
    (void)state;
    static const char text[] =
        "rope_append(f32[tokens,64], f32[tokens,32], f32[tokens,32], i32[tokens], i32[tokens], "
        "i32[sequences,stride], _, f16[pages,4,32], f32[pages,4,32]) {heads=4 kv_heads=2 "
        "head_size=16 pairing=halves}";
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 20, .context = 40, .sequences = 2};
    struct problem *problem;
    struct op_trial *trial;
    CHECK_OK(op_case_problem(text, 20, 40, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 3, arena, &trial, &diagnostic));
    int32_t *positions = trial->originals[3], *sequences = trial->originals[4];
    int32_t *pages = trial->originals[5];
    pages[sequences[0] * trial->run.symbols[SYMBOL_STRIDE] + positions[2] / 4] = -1;
    positions[9] = -1;
    positions[11] = (int32_t)(trial->run.symbols[SYMBOL_STRIDE] * 4);
    sequences[13] = (int32_t)trial->run.symbols[SYMBOL_SEQUENCES];
    sequences[19] = -1;
    variant_renew_trial(trial);
    assert_true(variant_check_trial(&check, trial, BOUND) > 0);
    CHECK_OK(op_case_problem("embed(i32[tokens], f32[9,40])", 4, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &(struct op_step){.rows = 4}, 3, arena, &trial, &diagnostic));
    int32_t *tokens = trial->originals[0];
    tokens[1] = -1;
    tokens[2] = 9;
    variant_renew_trial(trial);
    assert_true(variant_check_trial(&check, trial, BOUND) > 0);
    arena_destroy(arena);
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
        cmocka_unit_test(test_hadamard),  cmocka_unit_test(test_rare),
        cmocka_unit_test(test_heads),     cmocka_unit_test(test_experts),

        cmocka_unit_test(test_positions), cmocka_unit_test(test_holes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
