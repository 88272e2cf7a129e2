/* Fused operators against their parts one after the other: bit for bit, for every one of them. */
#include "tests/check.h"
#include "tests/ops/op_cases.h"

enum { ROWS = 17, CONTEXT = 90 };

/* A fused trial, and memory for what its parts hand on. */
struct fused {
    struct arena *arena;
    struct op_trial *trial;
};

static struct fused fused_begin(const char *text)
{
    struct fused fused = {.arena = arena_create(0)};
    struct diagnostic diagnostic = {0};
    struct op_step step = {ROWS, CONTEXT, 3};
    struct problem *problem;
    CHECK_OK(op_case_problem(text, ROWS, CONTEXT, fused.arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 23, fused.arena, &fused.trial, &diagnostic));
    return fused;
}

/* The fused input `i` as it was before the reference ran. */
static void *input(const struct fused *fused, int i)
{
    return fused->trial->originals[i];
}

static void *room(const struct fused *fused, int operand)
{
    void *bytes = arena_allocate(fused->arena, (size_t)fused->trial->bytes[operand], 1);
    assert_non_null(bytes);
    return bytes;
}

/* Runs one part on these operands, inputs then outputs. */
static void part(const struct fused *fused, const char *text, void *const *operands)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(op_case_problem(text, ROWS, CONTEXT, fused->arena, &problem, &diagnostic));
    int64_t items = problem->op->reference_items(problem, &fused->trial->run);
    problem->op->reference(problem, &fused->trial->run, operands, 0, items);
}

static void check_same(const struct fused *fused, int operand, const void *bytes)
{
    assert_memory_equal(fused->trial->expected[operand], bytes,
                        (size_t)fused->trial->bytes[operand]);
}

static void test_linear_residual(void **state)
{
    struct fused f = fused_begin("linear(f32[tokens,96], q8_0[70,96], f32[70], f32[tokens,70])");
    void *product = room(&f, 4), *sum = room(&f, 4);
    (void)state;
    part(&f, "linear(f32[tokens,96], q8_0[70,96], f32[70])",
         (void *[]){input(&f, 0), input(&f, 1), input(&f, 2), NULL, product});
    part(&f, "add(f32[tokens,70], f32[tokens,70])", (void *[]){product, input(&f, 3), sum});
    check_same(&f, 4, sum);
    arena_destroy(f.arena);
}

static void test_linear_group(void **state)
{
    struct fused f = fused_begin(
        "linear_group(f32[tokens,64], q8_0[70,64], f16[9,64], q4_0[130,64], f32[70], _, f32[130])");
    static const char *const parts[] = {"linear(f32[tokens,64], q8_0[70,64], f32[70])",
                                        "linear(f32[tokens,64], f16[9,64])",
                                        "linear(f32[tokens,64], q4_0[130,64], f32[130])"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        void *product = room(&f, 7 + i);
        part(&f, parts[i],
             (void *[]){input(&f, 0), input(&f, 1 + i), input(&f, 4 + i), NULL, product});
        check_same(&f, 7 + i, product);
    }
    arena_destroy(f.arena);
}

static void test_linear_gated(void **state)
{
    struct fused f = fused_begin(
        "linear_gated(f32[tokens,96], q8_0[70,96], bf16[70,96]) {activation=gelu_tanh}");
    void *gate = room(&f, 3), *up = room(&f, 3), *y = room(&f, 3);
    (void)state;
    part(&f, "linear(f32[tokens,96], q8_0[70,96])",
         (void *[]){input(&f, 0), input(&f, 1), NULL, NULL, gate});
    part(&f, "linear(f32[tokens,96], bf16[70,96])",
         (void *[]){input(&f, 0), input(&f, 2), NULL, NULL, up});
    part(&f, "gate(f32[tokens,70], f32[tokens,70]) {activation=gelu_tanh}",
         (void *[]){gate, up, y});
    check_same(&f, 3, y);
    arena_destroy(f.arena);
}

static void test_grouped_gated(void **state)
{
    struct fused f = fused_begin(
        "grouped_gated(f32[tokens,64], i32[2*tokens], i32[9], q8_0[8,70,64], f32[8,70,64])");
    void *gate = room(&f, 5), *up = room(&f, 5), *y = room(&f, 5);
    (void)state;
    part(&f, "grouped_linear(f32[tokens,64], i32[2*tokens], i32[9], q8_0[8,70,64])",
         (void *[]){input(&f, 0), input(&f, 1), input(&f, 2), input(&f, 3), gate});
    part(&f, "grouped_linear(f32[tokens,64], i32[2*tokens], i32[9], f32[8,70,64])",
         (void *[]){input(&f, 0), input(&f, 1), input(&f, 2), input(&f, 4), up});
    part(&f, "gate(f32[2*tokens,70], f32[2*tokens,70])", (void *[]){gate, up, y});
    check_same(&f, 5, y);
    arena_destroy(f.arena);
}

static void test_add_rmsnorm(void **state)
{
    struct fused f = fused_begin(
        "add_rmsnorm(f32[tokens,515], f32[tokens,515], f32[515]) {epsilon=1e-06 offset=1}");
    void *sum = room(&f, 3), *norm = room(&f, 4);
    (void)state;
    part(&f, "add(f32[tokens,515], f32[tokens,515])", (void *[]){input(&f, 0), input(&f, 1), sum});
    part(&f, "rmsnorm(f32[tokens,515], f32[515]) {epsilon=1e-06 offset=1}",
         (void *[]){sum, input(&f, 2), norm});
    check_same(&f, 3, sum);
    check_same(&f, 4, norm);
    arena_destroy(f.arena);
}

#define ROTATION "head_size=64 rotated=48 pairing=halves base=500000 scaling=llama3 factor=8"

static void test_rope_append(void **state)
{
    struct fused f = fused_begin(
        "rope_append(f32[tokens,384], f32[tokens,128], f32[tokens,96], i32[tokens], i32[tokens], "
        "i32[sequences,stride], f32[24], q8_0[pages,8,128], f16[pages,8,96]) "
        "{heads=6 kv_heads=2 " ROTATION "}");
    void *q = room(&f, 0), *k = room(&f, 1);
    (void)state;
    part(&f, "rope(f32[tokens,384], i32[tokens], f32[24]) {heads=6 " ROTATION "}",
         (void *[]){input(&f, 0), input(&f, 3), input(&f, 6), q});
    part(&f, "rope(f32[tokens,128], i32[tokens], f32[24]) {heads=2 " ROTATION "}",
         (void *[]){input(&f, 1), input(&f, 3), input(&f, 6), k});
    part(&f,
         "append(f32[tokens,128], i32[tokens], i32[tokens], i32[sequences,stride], "
         "q8_0[pages,8,128])",
         (void *[]){k, input(&f, 3), input(&f, 4), input(&f, 5), input(&f, 7)});
    part(&f,
         "append(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], "
         "f16[pages,8,96])",
         (void *[]){input(&f, 2), input(&f, 3), input(&f, 4), input(&f, 5), input(&f, 8)});
    check_same(&f, 9, q);
    check_same(&f, 7, input(&f, 7));
    check_same(&f, 8, input(&f, 8));
    arena_destroy(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_residual), cmocka_unit_test(test_linear_group),
        cmocka_unit_test(test_linear_gated),    cmocka_unit_test(test_grouped_gated),
        cmocka_unit_test(test_add_rmsnorm),     cmocka_unit_test(test_rope_append),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
