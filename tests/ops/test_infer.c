/* Shape rules: what they refuse, and that the message names the operand and what it has; what they
 * infer; and that every operator of the table is complete. */
#include "ops/linear/linear.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/ops/op_cases.h"

struct refusal {
    const char *text, *words;
};

#define BATCH "i32[tokens], i32[tokens], i32[sequences,stride]"

static const struct refusal refusals[] = {
    {"embed(f32[tokens], f32[7,5])", "tokens is f32[tokens], but its elements must be i32"},
    {"embed(i32[tokens,2], f32[7,5])", "it must have 1 dimension, not 2"},
    {"embed(i32[tokens], i32[7,5])", "table is i32[7,5], but its elements must be numbers"},
    {"embed(i32[tokens], f32[tokens,5])", "dimension 0 must be a number, not 'tokens'"},
    {"embed(i32[tokens], f32[5,tokens])", "dimension 1 must be a number, not 'tokens'"},
    {"embed(i32[tokens], q8_0[5,33])", "a constant multiple of 32"},
    {"embed(i32[tokens], f32[0,5])", "size"},
    {"linear(f32[tokens,64], q8_0[7,96])", "weight is q8_0[7,96], but x is f32[tokens,64]: "
                                           "dimension 1 (96) must equal dimension 1 of x (64)"},
    {"linear(f16[tokens,64], f32[7,64])", "x is f16[tokens,64], but its elements must be f32"},
    {"linear(f32[tokens,64], f32[2,7,64])", "it must have 2 dimensions, not 3"},
    {"linear(f32[tokens,64], f32[tokens,64])", "dimension 0 must be a number"},
    {"linear(f32[tokens,64], f32[7,64], f32[8])", "bias is f32[8], but weight is f32[7,64]"},
    {"linear(f32[tokens,64], f32[7,64], f16[7])", "bias is f16[7], but its elements must be f32"},
    {"linear(f32[tokens,64], f32[7,64], _, f32[outputs,7])", "residual is f32[outputs,7]"},
    {"linear(f32[tokens,64], f32[7,64], _, f32[tokens,8])", "residual is f32[tokens,8]"},
    {"linear(f32[tokens,64])", "weight is missing"},
    {"linear(_, f32[7,64])", "x is missing"},
    {"linear(f32[tokens,64], f32[7,300000000000000])", "size"},
    {"linear(f32[tokens,64], f32[7000000,70000000])", "more than 2^48 elements"},
    {"linear_group(f32[tokens,4], f32[3,4], f32[3,5])", "b is f32[3,5], but x is f32[tokens,4]"},
    {"linear_group(f32[tokens,4], f32[3,4], f32[3,4], _, _, _, f32[3])",
     "c_bias is given without c"},
    {"linear_group(f32[tokens,4], f32[3,4], f32[2,4], _, _, f32[3])", "b_bias is f32[3]"},
    {"linear_gated(f32[tokens,4], f32[3,4], f32[2,4])",
     "up is f32[2,4], but gate is f32[3,4]: dimension 0 (2) must equal dimension 0 of gate (3)"},
    {"rmsnorm(f32[tokens,4], f32[5])", "x has 4 columns and weight 5; the columns must be a"},
    {"rmsnorm(f32[tokens,6], f32[4])", "x has 6 columns and weight 4"},
    {"rmsnorm(f32[tokens,4], f32[2,2])", "weight"},
    {"gate(f32[tokens,2], f32[tokens,4])", "up is f32[tokens,4]"},
    {"gate(f32[tokens,4], f32[tokens,4]) {activation=gelu slope=2}", "a slope is for silu only"},
    {"softcap(f32[tokens,4]) {limit=0}", "limit"},
    {"hadamard(f32[tokens,12]) {size=8}", "a power of two that divides the columns"},
    {"hadamard(f32[tokens,12]) {size=6}", "x has 12 columns and size is 6"},
    {"part(f32[tokens,9]) {heads=2 size=3}", "x has 9 columns in 2 heads"},
    {"part(f32[tokens,8]) {heads=2 first=2 size=3}", "none of them has 5 columns"},
    {"join(f32[tokens,8], f32[tokens,3]) {heads=2}", "both must fall into 2 heads"},
    {"join(f32[tokens,8], f32[2*tokens,4]) {heads=2}", "tail is f32[2*tokens,4]"},
    {"head_linear(f32[tokens,8], f32[3,5,2])", "x is f32[tokens,8]"},
    {"head_linear(f32[tokens,6], f32[3,5,2]) {shared=1}", "x is f32[tokens,6]"},
    {"grouped_bias(f32[tokens,8], i32[4], f32[4,8])", "offsets is i32[4]"},
    {"grouped_bias(f32[tokens,8], i32[5], f32[4,7])", "bias is f32[4,7]"},
    {"rmsnorm(f32[tokens,4], f32[4]) {epsilon=-1}", "epsilon"},
    {"add_rmsnorm(f32[tokens,4], f32[tokens,5], f32[4])", "y is f32[tokens,5]"},
    {"add(f32[tokens,4], f32[outputs,4])", "y is f32[outputs,4]"},
    {"gate(f32[tokens,4], f32[2*tokens,4])", "up is f32[2*tokens,4]"},
    {"rope(f32[tokens,12], i32[tokens]) {heads=2 head_size=8 pairing=halves}",
     "x is f32[tokens,12], but dimension 1 (12) must equal heads * head_size, which is 16"},
    {"rope(f32[tokens,16], i32[outputs]) {heads=2 head_size=8 pairing=halves}", "positions is"},
    {"rope(f32[tokens,16], i32[tokens]) {heads=2 head_size=8 rotated=7 pairing=halves}",
     "rotated is 7"},
    {"rope(f32[tokens,16], i32[tokens]) {heads=2 head_size=8 rotated=10 pairing=halves}",
     "rotated is 10"},
    {"rope(f32[tokens,16], i32[tokens], f32[3]) {heads=2 head_size=8 pairing=halves}",
     "factors is f32[3], but dimension 0 (3) must equal rotated / 2, which is 4"},
    {"rope(f32[tokens,16], i32[tokens]) {heads=2 head_size=8}", "pairing"},
    {"rope(f32[tokens,4096], i32[tokens]) {heads=2 head_size=2048 pairing=halves}", "head_size"},
    {"append(f32[tokens,8], " BATCH ", f16[pages,4,9])", "state is f16[pages,4,9], but x is"},
    {"append(f32[tokens,8], " BATCH ", f16[pages,8])", "it must have 3 dimensions, not 2"},
    {"append(f32[tokens,8], i32[tokens], i32[outputs], i32[sequences,stride], f16[pages,4,8])",
     "sequences is i32[outputs]"},
    {"append(f32[tokens,8], i32[tokens], i32[tokens], i32[stride], f16[pages,4,8])",
     "pages is i32[stride]"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,8], f32[pages,4,8]) "
     "{heads=3 kv_heads=2 head_size=8}",
     "heads must be a multiple of kv_heads"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,8], f32[pages,4,9]) "
     "{heads=3 kv_heads=1 head_size=8}",
     "v_state is f32[pages,4,9]"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,16], f32[pages,4,8]) "
     "{heads=3 kv_heads=1 head_size=8}",
     "k_state is f32[pages,4,16]"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,8], f32[pages,5,8]) "
     "{heads=3 kv_heads=1 head_size=8}",
     "v_state is f32[pages,5,8]"},
    {"attention(f32[tokens,160], " BATCH ", q8_0[pages,4,160], q8_0[pages,4,160]) "
     "{heads=2 kv_heads=2 head_size=80}",
     "no whole blocks of 32"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,8], f32[pages,4,8]) "
     "{heads=3 kv_heads=1 head_size=8 window=-1}",
     "window"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,8], f32[pages,4,8], f32[2]) "
     "{heads=3 kv_heads=1 head_size=8}",
     "sinks is f32[2]"},
    {"attention(f32[tokens,24], " BATCH ", f32[pages,4,8], f32[pages,4,8]) "
     "{heads=3 kv_heads=1 head_size=8 value_size=9 values_in_keys=1}",
     "values in keys cannot be larger"},
    {"rope(f32[tokens,16], i32[tokens]) {heads=2 head_size=8 first=2 rotated=8 pairing=halves}",
     "from element 2"},
    {"rope_append(f32[tokens,16], f32[tokens,8], f32[tokens,8], " BATCH ", _, f32[pages,4,9], "
     "f32[pages,4,8]) {heads=2 kv_heads=1 head_size=8 pairing=halves}",
     "k_state is f32[pages,4,9]"},
    {"rope_append(f32[tokens,16], f32[tokens,16], f32[tokens,8], " BATCH ", _, f32[pages,4,8], "
     "f32[pages,4,8]) {heads=2 kv_heads=1 head_size=8 pairing=halves}",
     "k is f32[tokens,16]"},
    {"select(i32[outputs,1], f32[tokens,4])", "outputs is i32[outputs,1]"},
    {"select(i32[outputs], i32[tokens,4])", "x is i32[tokens,4]"},
    {"route(f32[tokens,8]) {used=9}", "leave only 8 experts"},
    {"route(f32[tokens,8]) {used=3 groups=4 groups_used=1}", "leave only 2 experts"},
    {"route(f32[tokens,8]) {used=1 groups=3}", "groups must divide"},
    {"route(f32[tokens,8]) {used=1 groups=2 groups_used=3}", "must not exceed groups"},
    {"route(f32[tokens,8]) {used=1 groups=8 group_score=top2sum}", "two experts per group"},
    {"route(f32[tokens,2048]) {used=1}", "at most 1024"},
    {"route(f32[tokens,8], f32[7]) {used=1}", "bias is f32[7]"},
    {"dispatch(f32[tokens,2]) {experts=4}", "experts is f32[tokens,2]"},
    {"dispatch(i32[tokens,tokens]) {experts=4}", "dimension 1 must be a number"},
    {"grouped_linear(f32[tokens,8], i32[2*tokens], i32[5], f32[5,3,8])",
     "offsets is i32[5], but dimension 0 (5) must equal experts + 1, which is 6"},
    {"grouped_linear(f32[2*tokens,8], i32[3*tokens], i32[6], f32[5,3,8])",
     "a whole number of slots"},
    {"grouped_linear(f32[outputs,8], i32[2*tokens], i32[6], f32[5,3,8])",
     "a whole number of slots"},
    {"grouped_linear(f32[tokens,8], i32[tokens], i32[6], f32[5,3,8])", "say {rows=by_token}"},
    {"grouped_linear(f32[tokens,8], i32[2*tokens], i32[6], f32[5,3,8]) {rows=by_slot}",
     "as many rows as slots"},
    {"grouped_linear(f32[tokens,9], i32[2*tokens], i32[6], f32[5,3,8])", "weight is f32[5,3,8]"},
    {"grouped_gated(f32[tokens,8], i32[2*tokens], i32[6], f32[5,3,8], f32[5,4,8])",
     "up is f32[5,4,8], but gate is f32[5,3,8]"},
    {"combine(f32[tokens,2], f32[3*tokens,8], i32[3*tokens])",
     "places needs one number per weight"},
    {"combine(f32[tokens,2], f32[2*tokens,8], i32[3*tokens])", "places is i32[3*tokens]"},
    {NULL, NULL},
};

static void test_refusals(void **state)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    (void)state;
    for (const struct refusal *refusal = refusals; refusal->text; refusal++) {
        struct arena *arena = arena_create(0);
        status got = op_case_problem(refusal->text, 1, 16, arena, &problem, &diagnostic);
        if (got != STATUS_BAD_INPUT || !strstr(diagnostic.text, refusal->words))
            CHECK_FAIL("%s: %s '%s', expected '%s'", refusal->text, status_name(got),
                       diagnostic.text, refusal->words);
        diagnostic = (struct diagnostic){0};
        arena_destroy(arena);
    }
}

/* Graphs check types before they ask an operator; the rules do not rely on it. */
static void test_illegal_types(void **state)
{
    union attribute attributes[OP_ATTRIBUTES_MAX] = {0};
    struct tensor_type x = {.element = ELEMENT_F32, .rank = 2};
    struct tensor_type weight = {.element = ELEMENT_F32, .rank = 2}, outputs[OP_OUTPUTS_MAX];
    const struct tensor_type *inputs[OP_INPUTS_MAX] = {&x, &weight};
    struct diagnostic diagnostic = {0};
    (void)state;
    x.shape[0] = dimension_of(SYMBOL_TOKENS, 1);
    x.shape[1] = weight.shape[0] = weight.shape[1] = dimension_fixed(8);
    CHECK_OK(op_linear.infer(attributes, inputs, outputs, &diagnostic));
    static const int64_t sizes[] = {0, -1, INT64_MIN, INT64_MAX, (int64_t)1 << 62};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        weight.shape[0] = dimension_fixed(sizes[i]);
        CHECK_REFUSED(op_linear.infer(attributes, inputs, outputs, &diagnostic), STATUS_BAD_INPUT,
                      "weight: dimension 0");
    }
    weight.shape[0] = dimension_fixed(8);
    weight.rank = 5;
    CHECK_REFUSED(op_linear.infer(attributes, inputs, outputs, &diagnostic), STATUS_BAD_INPUT,
                  "weight: rank 5");
    inputs[1] = NULL;
    CHECK_REFUSED(op_linear.infer(attributes, inputs, outputs, &diagnostic), STATUS_BAD_INPUT,
                  "weight is missing");
}

static void test_inferred(void **state)
{
    static const struct refusal texts[] = {
        {"embed(i32[tokens], q8_0[7,64])", "-> f32[rows,64]"},
        {"linear(f32[outputs,64], q8_0[7,64])", "-> f32[rows,7]"},
        {"select(i32[outputs], f32[tokens,4])", "f32[tokens,4]) -> f32[rows,4]"},
        {"linear_group(f32[tokens,4], f32[3,4], f32[2,4])", "-> f32[rows,3], f32[rows,2], _"},
        {"dispatch(i32[tokens,2]) {experts=8}", "-> i32[2*rows], i32[9], i32[2*rows]"},
        {"resolve(i32[tokens,2]) {experts=8 slots=3}", "-> i32[rows,2]"},
        {"route(f32[tokens,8]) {used=2}", "-> i32[rows,2], f32[rows,2]"},
        {"grouped_linear(f32[tokens,8], i32[2*tokens], i32[6], f32[5,3,8])", "-> f32[2*rows,3]"},
        {"combine(f32[tokens,2], f32[2*tokens,8], i32[2*tokens])", "-> f32[rows,8]"},
        {"transfer(q8_0[tokens,64])", "-> q8_0[rows,64]"},
        {NULL, NULL},
    };
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    (void)state;
    for (const struct refusal *row = texts; row->text; row++) {
        struct arena *arena = arena_create(0);
        CHECK_OK(op_case_problem(row->text, 1, 16, arena, &problem, &diagnostic));
        if (!strstr(problem->text, row->words))
            CHECK_FAIL("'%s' does not contain '%s'", problem->text, row->words);
        arena_destroy(arena);
    }
}

static void test_table(void **state)
{
    int count = 0;
    (void)state;
    for (const struct op *const *op = op_table(); *op; op++, count++) {
        assert_true((*op)->infer && (*op)->cost && (*op)->reference && (*op)->reference_items);
        assert_true(op_input_count(*op) >= 1 && op_input_count(*op) <= OP_INPUTS_MAX);
        assert_true(op_output_count(*op) <= OP_OUTPUTS_MAX);
        assert_true(op_attribute_count(*op) <= OP_ATTRIBUTES_MAX);
        assert_ptr_equal(op_by_name(op_table(), (*op)->name), *op);
    }
    assert_int_equal(count, 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_illegal_types),
        cmocka_unit_test(test_inferred),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
