/* Arithmetic of f32 and f64.  What a card approximates (.approx, .full) is computed exactly here:
 * results are within the card's error bounds, not equal to its bits. */
#include "emulator/lanes.h"

#include <math.h>

#define FLOATS(form, name, expression)                                                             \
    form(name##_f32, float, float, float, expression)                                              \
        form(name##_f64, double, double, double, expression)
#define FLOAT_ROWS(name) [TYPE_F32] = name##_f32, [TYPE_F64] = name##_f64

FLOATS(BINARY, add, x + y)
FLOATS(BINARY, subtract, x - y)
FLOATS(BINARY, multiply, x *y)
FLOATS(BINARY, divide, x / y)
TABLE(add_runs) = {FLOAT_ROWS(add)};
TABLE(subtract_runs) = {FLOAT_ROWS(subtract)};
TABLE(multiply_runs) = {FLOAT_ROWS(multiply)};
TABLE(divide_runs) = {FLOAT_ROWS(divide)};

/* The library's fmaf is a call per lane; processors with the instruction take it. */
TERNARY(fused_f32, float, float, float, fmaf(x, y, z))
TERNARY(fused_f64, double, double, double, fma(x, y, z))
TABLE(fused_runs) = {FLOAT_ROWS(fused)};
#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
TERNARY(fused_fast_f32, float, float, float, __builtin_fmaf(x, y, z))
TERNARY(fused_fast_f64, double, double, double, __builtin_fma(x, y, z))
#pragma GCC pop_options
#else
#define fused_fast_f32 fused_f32
#define fused_fast_f64 fused_f64
#endif
TABLE(fused_fast_runs) = {FLOAT_ROWS(fused_fast)};

static bool processor_fuses(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

static status decode_fused(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    enum ptx_type type = decoder->types[0];
    (void)opcode;
    decoder_take(decoder, "rn");
    if (decoder_take(decoder, "ftz")) instruction->flags |= FLAG_FLUSH;
    if (decoder_take(decoder, "sat")) instruction->flags |= FLAG_SATURATE;
    if (type == TYPE_F64 && instruction->flags) return decoder_refuse(decoder, "f64 has no flags");
    instruction->category = type == TYPE_F64 ? CATEGORY_DOUBLE : CATEGORY_FLOAT;
    instruction->run = (processor_fuses() ? fused_fast_runs : fused_runs)[type];
    if (instruction->flags) {
        instruction->inner = instruction->run;
        instruction->run = run_finished;
    }
    TRY(read_destination(decoder, type, &instruction->destination));
    for (int i = 0; i < 3; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, type, &instruction->sources[i]));
    }
    return STATUS_OK;
}

/* The number wins over NaN, and -0 is below +0. */
#define LESS(x, y)    ((x) < (y) || ((x) == (y) && signbit(x)))
#define MINIMUM(x, y) (isnan(x) ? (y) : isnan(y) ? (x) : LESS(x, y) ? (x) : (y))
#define MAXIMUM(x, y) (isnan(x) ? (y) : isnan(y) ? (x) : LESS(x, y) ? (y) : (x))
FLOATS(BINARY, minimum, MINIMUM(x, y))
FLOATS(BINARY, maximum, MAXIMUM(x, y))
BINARY(minimum_nan_f32, float, float, float, isnan(x) || isnan(y) ? NAN : MINIMUM(x, y))
BINARY(maximum_nan_f32, float, float, float, isnan(x) || isnan(y) ? NAN : MAXIMUM(x, y))
TABLE(minimum_runs) = {FLOAT_ROWS(minimum)};
TABLE(maximum_runs) = {FLOAT_ROWS(maximum)};
TABLE(minimum_nan_runs) = {[TYPE_F32] = minimum_nan_f32};
TABLE(maximum_nan_runs) = {[TYPE_F32] = maximum_nan_f32};

/* Signs of NaN count too, so these work on bits. */
UNARY(negate_f32, uint32_t, uint32_t, uint32_t, x ^ 0x80000000u)
UNARY(negate_f64, uint64_t, uint64_t, uint64_t, x ^ UINT64_C(0x8000000000000000))
UNARY(absolute_f32, uint32_t, uint32_t, uint32_t, x & 0x7fffffffu)
UNARY(absolute_f64, uint64_t, uint64_t, uint64_t, x &UINT64_C(0x7fffffffffffffff))
BINARY(copysign_f32, uint32_t, uint32_t, uint32_t, (x & 0x80000000u) | (y & 0x7fffffffu))
TABLE(negate_runs) = {FLOAT_ROWS(negate)};
TABLE(absolute_runs) = {FLOAT_ROWS(absolute)};
TABLE(copysign_runs) = {[TYPE_F32] = copysign_f32};

FLOATS(UNARY, reciprocal, 1 / x)
UNARY(root_f32, float, float, float, sqrtf(x))
UNARY(root_f64, double, double, double, sqrt(x))
UNARY(reciprocal_root_f32, float, float, float, 1.0 / sqrt((double)x))
UNARY(reciprocal_root_f64, double, double, double, 1.0 / sqrt(x))
UNARY(sine_f32, float, float, float, sinf(x))
UNARY(cosine_f32, float, float, float, cosf(x))
UNARY(exponential_f32, float, float, float, exp2f(x))
UNARY(logarithm_f32, float, float, float, log2f(x))
UNARY(tangent_f32, float, float, float, tanhf(x))
TABLE(reciprocal_runs) = {FLOAT_ROWS(reciprocal)};
TABLE(root_runs) = {FLOAT_ROWS(root)};
TABLE(reciprocal_root_runs) = {FLOAT_ROWS(reciprocal_root)};
TABLE(sine_runs) = {[TYPE_F32] = sine_f32};
TABLE(cosine_runs) = {[TYPE_F32] = cosine_f32};
TABLE(exponential_runs) = {[TYPE_F32] = exponential_f32};
TABLE(logarithm_runs) = {[TYPE_F32] = logarithm_f32};
TABLE(tangent_runs) = {[TYPE_F32] = tangent_f32};

enum outcome run_finished(struct warp *warp, const struct instruction *instruction)
{
    enum outcome outcome = instruction->inner(warp, instruction);
    float *d = DESTINATION(float);
    if (instruction->flags & FLAG_SATURATE)
        EACH_LANE(d[lane] = d[lane] > 0.0f ? (d[lane] < 1.0f ? d[lane] : 1.0f) : 0.0f);
    if (instruction->flags & FLAG_FLUSH)
        EACH_LANE(d[lane] = fabsf(d[lane]) < 0x1p-126f ? copysignf(0.0f, d[lane]) : d[lane]);
    return outcome;
}

/* testp.X: a property of a float as a predicate. */
OPERATION(test_f32)
{
    const float *a = SOURCE(float, 0);
    uint32_t *d = DESTINATION(uint32_t), result = 0;
    for (unsigned lane = 0; lane < WARP_LANES; lane++) {
        int class = fpclassify(a[lane]);
        bool is = instruction->count == 0   ? class != FP_NAN && class != FP_INFINITE
                  : instruction->count == 1 ? class == FP_INFINITE
                  : instruction->count == 2 ? class == FP_NAN
                                            : class == FP_SUBNORMAL;
        result |= (uint32_t)is << lane;
    }
    *d = (*d & ~warp->mask) | (result & warp->mask);
    return OUTCOME_NEXT;
}

static status decode_test(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const names[] = {"finite", "infinite", "notanumber", "subnormal"};
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    for (uint8_t i = 0; i < 4; i++)
        if (decoder_take(decoder, names[i])) instruction->count = i;
    instruction->run = test_f32;
    TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_F32, &instruction->sources[0]);
}

TABLE(test_runs) = {[TYPE_F32] = test_f32};

const struct opcode opcodes_float[] = {
    {"add", "daa", add_runs, CATEGORY_FLOAT, NULL},
    {"sub", "daa", subtract_runs, CATEGORY_FLOAT, NULL},
    {"mul", "daa", multiply_runs, CATEGORY_FLOAT, NULL},
    {"fma", NULL, fused_runs, CATEGORY_FLOAT, decode_fused},
    {"mad", NULL, fused_runs, CATEGORY_FLOAT, decode_fused},
    {"div", "daa", divide_runs, CATEGORY_SPECIAL, NULL},
    {"min", "daa", minimum_runs, CATEGORY_FLOAT, NULL},
    {"max", "daa", maximum_runs, CATEGORY_FLOAT, NULL},
    {"min.NaN", "daa", minimum_nan_runs, CATEGORY_FLOAT, NULL},
    {"max.NaN", "daa", maximum_nan_runs, CATEGORY_FLOAT, NULL},
    {"neg", "da", negate_runs, CATEGORY_FLOAT, NULL},
    {"abs", "da", absolute_runs, CATEGORY_FLOAT, NULL},
    {"copysign", "daa", copysign_runs, CATEGORY_FLOAT, NULL},
    {"rcp", "da", reciprocal_runs, CATEGORY_SPECIAL, NULL},
    {"sqrt", "da", root_runs, CATEGORY_SPECIAL, NULL},
    {"rsqrt", "da", reciprocal_root_runs, CATEGORY_SPECIAL, NULL},
    {"sin", "da", sine_runs, CATEGORY_SPECIAL, NULL},
    {"cos", "da", cosine_runs, CATEGORY_SPECIAL, NULL},
    {"ex2", "da", exponential_runs, CATEGORY_SPECIAL, NULL},
    {"lg2", "da", logarithm_runs, CATEGORY_SPECIAL, NULL},
    {"tanh", "da", tangent_runs, CATEGORY_SPECIAL, NULL},
    {"testp", NULL, test_runs, CATEGORY_FLOAT, decode_test},
    {0},
};
