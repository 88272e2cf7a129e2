/* The CPU variants of grouped_linear and grouped_gated against sums in double: all element types,
 * odd shapes and row counts, every way in which tokens may be spread over experts, sampled configs,
 * every --cpu level that this machine runs.  HONE_TEST_SAMPLES=N tries N configs beside the default
 * one instead of 1. */
#include "base/random.h"
#include "ops/activation.h"
#include "ops/grouped_gated/grouped_gated.h"
#include "tests/check.h"
#include "tests/ops/variant_harness.h"

#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const int64_t row_counts[] = {1, 3, 17, 255, 2, 16};
static const int64_t output_counts[] = {1, 3, 33, 64, 100};
static const int64_t block_columns[] = {32, 64, 96, 544};
static const int64_t super_columns[] = {256, 512, 768};
static const int64_t plain_columns[] = {1, 32, 67, 100, 544};
static const int64_t used_counts[] = {1, 2, 4, 8};
static const int64_t expert_counts[] = {8, 9, 64}; /* at least as many as are used */
static const char *const activations[] = {"silu", "gelu_tanh", "gelu"};

/* How the slots fall to experts. */
enum spread { SPREAD_EVEN, SPREAD_ONE, SPREAD_HOLES, SPREAD_FOREIGN, SPREAD_NONE, SPREAD_COUNT };

static uint64_t draws;

static uint64_t draw(uint64_t limit)
{
    return random_bits(11, 0, draws++) % limit;
}

/* ---- Problems ---- */

struct shape {
    const char *element;
    bool gated, by_slot;
    int64_t rows, used, experts, outputs, columns;
};

static const char *symbolic(struct arena *arena, int64_t scale)
{
    return scale == 1 ? "tokens" : arena_print(arena, "%ld*tokens", scale);
}

static const char *shape_text(struct arena *arena, const struct shape *shape)
{
    const char *slots = symbolic(arena, shape->used), *rows = shape->by_slot ? "slot" : "token";
    const char *weight = arena_print(arena, "%s[%ld,%ld,%ld]", shape->element, shape->experts,
                                     shape->outputs, shape->columns);
    const char *head =
        arena_print(arena, "f32[%s,%ld], i32[%s], i32[%ld], %s", shape->by_slot ? slots : "tokens",
                    shape->columns, slots, shape->experts + 1, weight);
    if (!shape->gated) return arena_print(arena, "grouped_linear(%s) {rows=by_%s}", head, rows);
    return arena_print(arena, "grouped_gated(%s, %s) {rows=by_%s activation=%s}", head, weight,
                       rows, activations[draw(COUNT(activations))]);
}

static struct shape draw_shape(const struct element *element, bool gated, int64_t rows)
{
    int block = element->block_elements;
    return (struct shape){
        .element = element->name,
        .gated = gated,
        .by_slot = draw(2),
        .rows = rows,
        .used = used_counts[draw(COUNT(used_counts))],
        .experts = expert_counts[draw(COUNT(expert_counts))],
        .outputs = output_counts[draw(COUNT(output_counts))],
        .columns = block == 1    ? plain_columns[draw(COUNT(plain_columns))]
                   : block == 32 ? block_columns[draw(COUNT(block_columns))]
                                 : super_columns[draw(COUNT(super_columns))] * block / 256,
    };
}

/* ---- Routing ---- */

/* The expert of an assignment; `experts` or more: none. */
static int64_t expert_of(enum spread spread, int64_t experts, int64_t chosen)
{
    switch (spread) {
    case SPREAD_EVEN: return (int64_t)draw((uint64_t)experts);
    case SPREAD_ONE: return chosen;
    case SPREAD_HOLES: return (int64_t)draw((uint64_t)(experts + 2) / 3) * 3; /* every third */
    case SPREAD_FOREIGN: return (int64_t)draw((uint64_t)experts * 2);
    default: return experts;
    }
}

/* Replaces order and offsets by what dispatch makes of such assignments. */
static void route_slots(struct op_trial *trial, enum spread spread, int64_t experts)
{
    int32_t *order = trial->originals[GROUPED_ORDER], *offsets = trial->originals[GROUPED_OFFSETS];
    int64_t slots = trial->bytes[GROUPED_ORDER] / 4, filled = 0;
    int64_t chosen = (int64_t)draw((uint64_t)experts);
    struct arena *arena = arena_create(0);
    int64_t *of_slot = arena_allocate(arena, (size_t)slots, sizeof *of_slot);
    for (int64_t a = 0; a < slots; a++) of_slot[a] = expert_of(spread, experts, chosen);
    for (int64_t e = 0; e <= experts; e++) {
        offsets[e] = (int32_t)filled;
        for (int64_t a = 0; a < slots; a++)
            if (of_slot[a] == e || (e == experts && of_slot[a] > e)) order[filled++] = (int32_t)a;
    }
    assert_int_equal(filled, slots);
    arena_destroy(arena);
}

/* ---- What is right ---- */

struct expectation {
    const struct shape *shape;
    float *x, *weights[2];
    float *largest; /* per number of x, the largest magnitude of its block of 32 */
};

/* A sum and that of the terms' magnitudes, to which errors are relative. */
struct sum {
    double value, magnitude;
};

static struct sum dot(const float *x, const float *largest, const float *weight, int64_t columns)
{
    struct sum sum = {0, 0};
    for (int64_t k = 0; k < columns; k++) {
        sum.value += (double)x[k] * (double)weight[k];
        sum.magnitude += fabs((double)largest[k] * (double)weight[k]);
    }
    return sum;
}

/* Element (slot, output) and its allowed error. */
static struct sum expected(const struct expectation *right, const struct op_trial *trial,
                           int64_t slot, int64_t output, const struct space *space)
{
    const struct shape *shape = right->shape;
    const int32_t *offsets = trial->originals[GROUPED_OFFSETS];
    int64_t assignment = ((const int32_t *)trial->originals[GROUPED_ORDER])[slot], expert = 0;
    if (slot >= offsets[shape->experts]) return (struct sum){0, 0};
    while (offsets[expert + 1] <= slot) expert++;
    int64_t row = (shape->by_slot ? slot : assignment / shape->used) * shape->columns;
    int64_t at = (expert * shape->outputs + output) * shape->columns;
    const float *x = right->x + row;
    const float *scale = space->numerics.operand_block > 1 ? right->largest + row : x;
    double relative =
        error_bound_of(&space->numerics, (double)shape->columns, ELEMENT_F32).relative;
    struct sum sum = dot(x, scale, right->weights[0] + at, shape->columns);
    double error = relative * sum.magnitude + 1e-7 * fabs(sum.value);
    if (!shape->gated) return (struct sum){sum.value, error};
    struct sum up = dot(x, scale, right->weights[1] + at, shape->columns);
    int64_t choice = trial->problem->attributes[GROUPED_GATED_ACTIVATION].integer;
    double gate = activate((enum activation)choice, sum.value); /* slopes stay below 1.13 */
    error = 1.13 * error * (fabs(up.value) + relative * up.magnitude) +
            fabs(gate) * relative * up.magnitude + 1e-6 * fabs(gate * up.value);
    return (struct sum){gate * up.value, error};
}

/* All of small outputs, a sample of large ones. */
static status judge(void *context, const struct space *space, const struct op_trial *trial,
                    struct diagnostic *diagnostic)
{
    const struct expectation *right = context;
    const float *y = trial->operands[trial->count - 1];
    int64_t outputs = right->shape->outputs, total = trial->bytes[trial->count - 1] / 4;
    int64_t step = total > 4000 ? total / 2000 | 1 : 1;
    for (int64_t at = 0; at < total; at += step) {
        struct sum wanted = expected(right, trial, at / outputs, at % outputs, space);
        double error = fabs((double)y[at] - wanted.value);
        if (!(error <= wanted.magnitude))
            return fail(diagnostic, STATUS_MISMATCH,
                        "slot %ld output %ld is %g, not %g (error %g, allowed %g)", at / outputs,
                        at % outputs, (double)y[at], wanted.value, error, wanted.magnitude);
    }
    return STATUS_OK;
}

static void expect(struct expectation *right, const struct op_trial *trial, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    enum { BLOCK = 32 };
    int64_t columns = right->shape->columns, count = trial->bytes[GROUPED_X] / 4;
    CHECK_OK(op_trial_values(trial, GROUPED_X, trial->originals[GROUPED_X], arena, &right->x,
                             &diagnostic));
    for (int i = 0; i <= right->shape->gated; i++)
        CHECK_OK(op_trial_values(trial, GROUPED_GATED_GATE + i,
                                 trial->originals[GROUPED_GATED_GATE + i], arena,
                                 &right->weights[i], &diagnostic));
    right->largest = arena_allocate(arena, (size_t)count, sizeof *right->largest);
    for (int64_t i = 0; i < count; i++) {
        int64_t row = i / columns * columns, first = row + (i - row) / BLOCK * BLOCK;
        for (int64_t j = first; j < first + BLOCK && j < row + columns; j++)
            right->largest[i] = fmaxf(right->largest[i], fabsf(right->x[j]));
    }
}

/* ---- Trying ---- */

/* The reference is compared within a bound that only a broken one exceeds; the judge does the rest.
 */
#define LOOSE 1e30

static void try_shape(struct variant_check *check, const struct shape *shape, enum spread spread)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct expectation right = {.shape = shape};
    struct op_step step = {.rows = shape->rows};
    struct problem *problem;
    struct op_trial *trial;
    int64_t bound = shape->rows + (draw(2) ? (int64_t)draw((uint64_t)shape->rows) : 0);
    CHECK_OK(op_case_problem(shape_text(arena, shape), bound, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, ++check->draws, arena, &trial, &diagnostic));
    route_slots(trial, spread, shape->experts);
    variant_renew_trial(trial);
    expect(&right, trial, arena);
    check->judge_context = &right;
    if (!variant_check_trial(check, trial, LOOSE))
        CHECK_FAIL("no variant answers %s", problem->text);
    arena_destroy(arena);
}

static void variants_agree_with_sums_in_double(void **state)
{
    struct variant_check check;
    size_t number = 0;
    (void)state;
    variant_check_create(&check, 1);
    check.judge = judge;
    /* Over all types each spread and row count comes up. */
    for (enum element_type type = 0; type < ELEMENT_COUNT; type++) {
        if (type == ELEMENT_I8 || type == ELEMENT_I32) continue;
        /* Large blocks take long to compile: one operator each. */
        bool one = element_of(type)->block_elements > 32;
        for (int gated = 0; gated < 2; gated++, number++) {
            if (one && gated != (int)type % 2) continue;
            struct shape shape =
                draw_shape(element_of(type), gated, row_counts[number % COUNT(row_counts)]);
            try_shape(&check, &shape, (enum spread)(number % SPREAD_COUNT));
        }
    }
    variant_check_destroy(&check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(variants_agree_with_sums_in_double)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
