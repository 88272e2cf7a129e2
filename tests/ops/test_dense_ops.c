/* Dense operators against their definitions in long double, over odd row counts, every weight type
 * and layout, and in pieces. */
#include "ir/layout.h"
#include "ops/activation.h"
#include "tests/check.h"
#include "tests/ops/definitions.h"
#include "tests/ops/op_cases.h"

#include <math.h>

/* y[r][n] = x[r] . w[n] + bias[n]; `w` decoded, n x k. */
static long double product(const struct operands *o, int x, int weight, int64_t r, int64_t n)
{
    int64_t k = columns_of(o, x);
    long double sum = 0;
    for (int64_t c = 0; c < k; c++)
        sum += (long double)o->values[x][r * k + c] * (long double)o->values[weight][n * k + c];
    return sum;
}

static long double definition_embed(const struct operands *o, int output, int64_t r, int64_t c)
{
    int64_t columns = columns_of(o, 1);
    (void)output;
    return (long double)o->values[1][(int64_t)o->values[0][r] * columns + c] *
           (long double)o->problem->attributes[0].real;
}

static long double definition_linear(const struct operands *o, int output, int64_t r, int64_t n)
{
    long double y = product(o, 0, 1, r, n);
    if (o->values[2]) y += (long double)o->values[2][n];
    if (o->values[3]) y += (long double)o->values[3][r * columns_of(o, 3) + n];
    (void)output;
    return y;
}

static long double definition_linear_group(const struct operands *o, int output, int64_t r,
                                           int64_t n)
{
    const float *bias = o->values[4 + output];
    return product(o, 0, 1 + output, r, n) + (bias ? (long double)bias[n] : 0);
}

static long double activation(int64_t choice, long double x)
{
    if (choice == ACTIVATION_SILU) return x / (1 + expl(-x));
    if (choice == ACTIVATION_GELU) return x * (1 + erfl(x / sqrtl(2))) / 2;
    return x * (1 + tanhl(sqrtl(2 / acosl(-1)) * (x + 0.044715L * x * x * x))) / 2;
}

static long double definition_linear_gated(const struct operands *o, int output, int64_t r,
                                           int64_t n)
{
    (void)output;
    return activation(o->problem->attributes[0].integer, product(o, 0, 1, r, n)) *
           product(o, 0, 2, r, n);
}

/* The clamped gate of gpt-oss: (up + 1) * gate * sigmoid(1.702 * gate), both within the limit. */
static long double definition_gate(const struct operands *o, int output, int64_t r, int64_t c)
{
    const union attribute *a = o->problem->attributes;
    int64_t gates = columns_of(o, 0);
    long double gate = (long double)o->values[0][r * gates + (gates == 1 ? 0 : c)];
    long double up = (long double)o->values[1][r * columns_of(o, 1) + c];
    long double limit = (long double)a[1].real, slope = (long double)a[2].real;
    (void)output;
    if (limit > 0 && gate > limit) gate = limit;
    if (limit > 0 && up > limit) up = limit;
    if (limit > 0 && up < -limit) up = -limit;
    up += (long double)a[3].real;
    if (a[0].integer == 3) return up / (1 + expl(-gate)); /* sigmoid */
    if (slope != 1) return up * gate / (1 + expl(-slope * gate));
    return activation(a[0].integer, gate) * up;
}

static long double definition_softcap(const struct operands *o, int output, int64_t r, int64_t c)
{
    long double limit = (long double)o->problem->attributes[0].real;
    (void)output;
    return limit * tanhl((long double)o->values[0][r * columns_of(o, 0) + c] / limit);
}

static long double definition_hadamard(const struct operands *o, int output, int64_t r, int64_t c)
{
    int64_t size = o->problem->attributes[0].integer, first = c / size * size;
    long double sum = 0;
    (void)output;
    for (int64_t j = 0; j < size; j++) {
        long double x = (long double)o->values[0][r * columns_of(o, 0) + first + j];
        sum += __builtin_popcountll((unsigned long long)(j & (c - first))) % 2 ? -x : x;
    }
    return sum / sqrtl((long double)size);
}

static long double definition_part(const struct operands *o, int output, int64_t r, int64_t c)
{
    int64_t heads = o->problem->attributes[0].integer, first = o->problem->attributes[1].integer;
    int64_t size = o->problem->attributes[2].integer, columns = columns_of(o, 0);
    (void)output;
    return (long double)o->values[0][r * columns + c / size * (columns / heads) + first + c % size];
}

static long double definition_join(const struct operands *o, int output, int64_t r, int64_t c)
{
    int64_t heads = o->problem->attributes[0].integer, shared = o->problem->attributes[1].integer;
    int64_t x = columns_of(o, 0) / heads, tail = columns_of(o, 1) / (shared ? 1 : heads);
    int64_t head = c / (x + tail), within = c % (x + tail);
    (void)output;
    if (within < x) return (long double)o->values[0][r * columns_of(o, 0) + head * x + within];
    return (long double)
        o->values[1][r * columns_of(o, 1) + (shared ? 0 : head * tail) + within - x];
}

static long double definition_head_linear(const struct operands *o, int output, int64_t r,
                                          int64_t i)
{
    const struct dimension *shape = o->problem->operands[1].type.shape;
    int64_t n = shape[1].scale, k = shape[2].scale, head = i / n;
    bool shared = o->problem->attributes[0].integer;
    const float *x = o->values[0] + r * columns_of(o, 0) + (shared ? 0 : head * k);
    long double sum = 0;
    (void)output;
    for (int64_t c = 0; c < k; c++) sum += (long double)x[c] * (long double)o->values[1][i * k + c];
    return sum;
}

static long double definition_add(const struct operands *o, int output, int64_t r, int64_t c)
{
    int64_t i = r * columns_of(o, 0) + c;
    (void)output;
    return (long double)o->values[0][i] + (long double)o->values[1][i];
}

static long double norm(const float *x, const float *y, int64_t columns, int64_t c,
                        long double epsilon, long double factor)
{
    long double squares = 0;
    for (int64_t i = 0; i < columns; i++) {
        long double value = (long double)x[i] + (y ? (long double)y[i] : 0);
        squares += value * value;
    }
    long double value = (long double)x[c] + (y ? (long double)y[c] : 0);
    return value / sqrtl(squares / (long double)columns + epsilon) * factor;
}

static long double definition_rmsnorm(const struct operands *o, int output, int64_t r, int64_t c)
{
    int64_t columns = columns_of(o, 0), width = columns_of(o, 1); /* less: of a head */
    (void)output;
    return norm(o->values[0] + r * columns + c / width * width, NULL, width, c % width,
                (long double)o->problem->attributes[0].real,
                (long double)o->values[1][c % width] + (long double)o->problem->attributes[1].real);
}

static long double definition_add_rmsnorm(const struct operands *o, int output, int64_t r,
                                          int64_t c)
{
    int64_t columns = columns_of(o, 0);
    if (output == 0) return definition_add(o, 0, r, c);
    return norm(o->values[0] + r * columns, o->values[1] + r * columns, columns, c,
                (long double)o->problem->attributes[0].real,
                (long double)o->values[2][c] + (long double)o->problem->attributes[1].real);
}

static long double definition_select(const struct operands *o, int output, int64_t r, int64_t c)
{
    (void)output;
    return (long double)o->values[1][(int64_t)o->values[0][r] * columns_of(o, 1) + c];
}

static const struct definition_row definitions[] = {
    {"embed", definition_embed, 0},
    {"linear", definition_linear, 2},
    {"linear_group", definition_linear_group, 0},
    {"linear_gated", definition_linear_gated, 4},
    {"gate", definition_gate, 0},
    {"add", definition_add, 0},
    {"rmsnorm", definition_rmsnorm, 0},
    {"add_rmsnorm", definition_add_rmsnorm, 2},
    {"select", definition_select, 0},
    {"softcap", definition_softcap, 0},
    {"hadamard", definition_hadamard, 0},
    {"part", definition_part, 0},
    {"join", definition_join, 0},
    {"head_linear", definition_head_linear, 0},
    {NULL, NULL, 0},
};

static void test_definitions(void **state)
{
    (void)state;
    for (int c = 0; dense_cases[c].text; c++) check_definition(&dense_cases[c], definitions);
    for (int c = 0; dense_rare_cases[c].text; c++)
        check_definition(&dense_rare_cases[c], definitions);
}

/* A weight in another layout gives the same bits. */
static void check_layout(const char *text, const char *weight, const char *packed)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 5};
    struct problem *problem, *other;
    struct op_trial *trial, *packed_trial;
    const char *at = strstr(text, weight);
    assert_non_null(at);
    const char *changed =
        arena_print(arena, "%.*s%s%s", (int)(at - text), text, packed, at + strlen(weight));
    CHECK_OK(op_case_problem(text, 5, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_case_problem(changed, 5, 0, arena, &other, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 7, arena, &trial, &diagnostic));
    CHECK_OK(op_trial_create(other, &step, 7, arena, &packed_trial, &diagnostic));
    const struct tensor_type *type = &other->operands[1].type;
    layout_pack(LAYOUT_INTERLEAVE16, type->element, type->shape[0].scale, type->shape[1].scale,
                trial->originals[1], packed_trial->originals[1]);
    packed_trial->expected[trial->count - 1] = trial->expected[trial->count - 1];
    CHECK_OK(op_trial_check(packed_trial, op_run_pieces, &(int64_t){3}, 0, &diagnostic));
    arena_destroy(arena);
}

static void test_layouts(void **state)
{
    (void)state;
    check_layout("linear(f32[tokens,320], q8_0[80,320])", "q8_0[80,320]",
                 "q8_0[80,320]@interleave16");
    check_layout("linear(f32[tokens,288], q4_0[16,288])", "q4_0[16,288]",
                 "q4_0[16,288]@interleave16");
    check_layout("linear(f32[tokens,40], f32[32,40])", "f32[32,40]", "f32[32,40]@interleave16");
    check_layout("linear(f32[tokens,300], bf16[48,300])", "bf16[48,300]",
                 "bf16[48,300]@interleave16");
    check_layout("embed(i32[tokens], q8_0[32,64])", "q8_0[32,64]", "q8_0[32,64]@interleave16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
