/* The harness notices what it is there for: each fault below is planted once. */
#include "tests/check.h"
#include "tests/ops/op_harness.h"

enum fault {
    FAULT_NONE,
    FAULT_NOTHING_WRITTEN,
    FAULT_ONE_MISSING,
    FAULT_SLIGHTLY_WRONG,
    FAULT_WRONG,
    FAULT_BEHIND,
    FAULT_BEFORE,
    FAULT_INPUT
};

static status run_faulty(void *context, const struct op_trial *trial, struct diagnostic *diagnostic)
{
    enum fault fault = *(enum fault *)context;
    int last = trial->count - 1;
    float *y = trial->operands[last], *x = trial->operands[0];
    int64_t count = trial->bytes[last] / (int64_t)sizeof *y;
    if (fault == FAULT_NOTHING_WRITTEN) return STATUS_OK;
    float poison = y[count - 1];
    TRY(op_run_pieces(&(int64_t){2}, trial, diagnostic));
    if (fault == FAULT_ONE_MISSING) y[count - 1] = poison;
    if (fault == FAULT_SLIGHTLY_WRONG) y[3] *= 1 + 1e-6f;
    if (fault == FAULT_WRONG) y[3] += 0.5f;
    if (fault == FAULT_BEHIND) y[count] = 1;
    if (fault == FAULT_BEFORE) y[-1] = 1;
    if (fault == FAULT_INPUT) x[2] += 1;
    return STATUS_OK;
}

static void test_outputs(void **state)
{
    static const struct {
        enum fault fault;
        double bound;
        const char *words;
    } rows[] = {
        {FAULT_NOTHING_WRITTEN, 1e-3, "y[0][0] is"},
        {FAULT_ONE_MISSING, 1e-3, "y[4][6] is"},
        {FAULT_SLIGHTLY_WRONG, 0, "y[0][3] is"},
        {FAULT_WRONG, 1e-3, "y[0][3] is"},
        {FAULT_BEHIND, 1e-3, "written 1 bytes behind operand y"},
        {FAULT_BEFORE, 1e-3, "bytes before operand y"},
        {FAULT_INPUT, 1e-3, "input x was changed"},
    };
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 5};
    struct problem *problem;
    struct op_trial *trial;
    enum fault none = FAULT_NONE, slight = FAULT_SLIGHTLY_WRONG;
    (void)state;
    CHECK_OK(
        op_case_problem("linear(f32[tokens,9], f32[7,9])", 5, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 1, arena, &trial, &diagnostic));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum fault fault = rows[i].fault;
        CHECK_REFUSED(op_trial_check(trial, run_faulty, &fault, rows[i].bound, &diagnostic),
                      STATUS_MISMATCH, rows[i].words);
    }
    CHECK_OK(op_trial_check(trial, run_faulty, &none, 0, &diagnostic));
    CHECK_OK(op_trial_check(trial, run_faulty, &slight, 1e-5, &diagnostic));
    arena_destroy(arena);
}

/* Adds `offset` bytes' worth of change to the state's byte there. */
static status run_state_fault(void *context, const struct op_trial *trial,
                              struct diagnostic *diagnostic)
{
    const int64_t *offset = context;
    TRY(op_run_pieces(&(int64_t){2}, trial, diagnostic));
    if (*offset >= 0) ((unsigned char *)trial->operands[4])[*offset] ^= 1;
    return STATUS_OK;
}

/* A step of f16 in a written row is rounding; any bit elsewhere in the state is a fault. */
static void test_states(void **state)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 1, .context = 20, .sequences = 1};
    struct problem *problem;
    struct op_trial *trial;
    int64_t none = -1, offset = 0;
    (void)state;
    CHECK_OK(op_case_problem("append(f32[tokens,8], i32[tokens], i32[tokens], "
                             "i32[sequences,stride], f16[pages,4,8])",
                             1, 20, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 1, arena, &trial, &diagnostic));
    CHECK_OK(op_trial_check(trial, run_state_fault, &none, 0, &diagnostic));
    int accepted = 0, refused = 0;
    for (offset = 0; offset < trial->bytes[4]; offset += 2) {
        if (op_trial_check(trial, run_state_fault, &offset, 1e-6, &diagnostic) == STATUS_OK)
            accepted++;
        else
            refused++;
        diagnostic = (struct diagnostic){0};
    }
    assert_int_equal(accepted, 8);
    assert_int_equal(refused, trial->bytes[4] / 2 - 8);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
