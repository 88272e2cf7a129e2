/* Arithmetic of f16 and bf16, single and in pairs: computed in double and rounded once. */
#include "emulator/lanes.h"
#include "emulator/number.h"

#include <math.h>

/* To float by rounding to odd, so that rounding once more to 16 bits is right. */
static float float_to_odd(double value)
{
    float nearest = (float)value;
    if ((double)nearest == value || isnan(value) || isinf(nearest)) return nearest;
    uint32_t bits = bits_of(nearest);
    if (fabs((double)nearest) > fabs(value)) bits--;
    return float_of(bits | 1);
}

static uint32_t f16_round(double value)
{
    return f16_encode(float_to_odd(value));
}

static uint32_t bf16_round(double value)
{
    return bf16_encode(float_to_odd(value));
}

#define READ_F16(register, shift)  (double)f16_decode((uint16_t)((register)[lane] >> (shift)))
#define READ_BF16(register, shift) (double)bf16_decode((uint16_t)((register)[lane] >> (shift)))

/* One operation in one format: `name` for a single number, `name`x2 for a pair. */
#define HALF_FORMAT(name, READ, ROUND, expression)                                                 \
    OPERATION(name)                                                                                \
    {                                                                                              \
        uint32_t *d = DESTINATION(uint32_t);                                                       \
        const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1);                         \
        const uint32_t *c = SOURCE(uint32_t, 2);                                                   \
        EACH_LANE(double x = READ(a, 0); double y = READ(b, 0); double z = READ(c, 0); (void)y;    \
                  (void)z; d[lane] = ROUND(expression));                                           \
        return OUTCOME_NEXT;                                                                       \
    }                                                                                              \
    OPERATION(name##x2)                                                                            \
    {                                                                                              \
        uint32_t *d = DESTINATION(uint32_t);                                                       \
        const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1);                         \
        const uint32_t *c = SOURCE(uint32_t, 2);                                                   \
        EACH_LANE(uint32_t result = 0; for (int s = 0; s < 32; s += 16) {                          \
            double x = READ(a, s), y = READ(b, s), z = READ(c, s);                                 \
            (void)y;                                                                               \
            (void)z;                                                                               \
            result |= ROUND(expression) << s;                                                      \
        } d[lane] = result);                                                                       \
        return OUTCOME_NEXT;                                                                       \
    }

#define HALF(name, expression)                                                                     \
    HALF_FORMAT(name##_f16, READ_F16, f16_round, expression)                                       \
    HALF_FORMAT(name##_bf16, READ_BF16, bf16_round, expression)                                    \
    TABLE(name##_runs) = {[TYPE_F16] = name##_f16,                                                 \
                          [TYPE_F16X2] = name##_f16x2,                                             \
                          [TYPE_BF16] = name##_bf16,                                               \
                          [TYPE_BF16X2] = name##_bf16x2};

#define LESS(x, y)    ((x) < (y) || ((x) == (y) && signbit(x)))
#define MINIMUM(x, y) (isnan(x) ? (y) : isnan(y) ? (x) : LESS(x, y) ? (x) : (y))
#define MAXIMUM(x, y) (isnan(x) ? (y) : isnan(y) ? (x) : LESS(x, y) ? (y) : (x))
#define RELU(value)   ((value) > 0 ? (value) : isnan(value) ? (double)NAN : 0.0)

HALF(add, x + y)
HALF(subtract, x - y)
HALF(multiply, x *y)
HALF(fused, fma(x, y, z))
HALF(fused_relu, RELU(fma(x, y, z)))
HALF(minimum, MINIMUM(x, y))
HALF(maximum, MAXIMUM(x, y))
HALF(minimum_nan, isnan(x) || isnan(y) ? (double)NAN : MINIMUM(x, y))
HALF(maximum_nan, isnan(x) || isnan(y) ? (double)NAN : MAXIMUM(x, y))
HALF(exponential, exp2(x))
HALF(tangent, tanh(x))
HALF(reciprocal_root, 1 / sqrt(x))

/* Signs, of NaN as well. */
UNARY(negate_half, uint32_t, uint32_t, uint32_t, x ^ 0x8000)
UNARY(negate_pair, uint32_t, uint32_t, uint32_t, x ^ 0x80008000u)
UNARY(absolute_half, uint32_t, uint32_t, uint32_t, x & 0x7fff)
UNARY(absolute_pair, uint32_t, uint32_t, uint32_t, x & 0x7fff7fffu)
TABLE(negate_runs) = {[TYPE_F16] = negate_half,
                      [TYPE_BF16] = negate_half,
                      [TYPE_F16X2] = negate_pair,
                      [TYPE_BF16X2] = negate_pair};
TABLE(absolute_runs) = {[TYPE_F16] = absolute_half,
                        [TYPE_BF16] = absolute_half,
                        [TYPE_F16X2] = absolute_pair,
                        [TYPE_BF16X2] = absolute_pair};

const struct opcode opcodes_half[] = {
    {"add", "daa", add_runs, CATEGORY_HALF, NULL},
    {"sub", "daa", subtract_runs, CATEGORY_HALF, NULL},
    {"mul", "daa", multiply_runs, CATEGORY_HALF, NULL},
    {"fma", "daaa", fused_runs, CATEGORY_HALF, NULL},
    {"fma.relu", "daaa", fused_relu_runs, CATEGORY_HALF, NULL},
    {"min", "daa", minimum_runs, CATEGORY_HALF, NULL},
    {"max", "daa", maximum_runs, CATEGORY_HALF, NULL},
    {"min.NaN", "daa", minimum_nan_runs, CATEGORY_HALF, NULL},
    {"max.NaN", "daa", maximum_nan_runs, CATEGORY_HALF, NULL},
    {"neg", "da", negate_runs, CATEGORY_HALF, NULL},
    {"abs", "da", absolute_runs, CATEGORY_HALF, NULL},
    {"ex2", "da", exponential_runs, CATEGORY_SPECIAL, NULL},
    {"tanh", "da", tangent_runs, CATEGORY_SPECIAL, NULL},
    {"rsqrt", "da", reciprocal_root_runs, CATEGORY_SPECIAL, NULL},
    {0},
};
