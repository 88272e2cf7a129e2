/* Operations of the stand-in's machine against plain C, on random numbers: each line below is
 * compiled by NVRTC for the emulated card and by the compiler for the host. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Its functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

#include <math.h>

static struct emulator emulator;

enum { THREADS = 256, BLOCKS = 2, COUNT = THREADS * BLOCKS, RESULTS_MAX = 64 };

/* Values at the ends of ranges come often. */
static uint32_t odd_word(uint64_t *state)
{
    static const uint32_t ends[] = {0, 1, 2, 31, 32, 33, 0x7fffffff, 0x80000000u, 0xffffffffu, 255};
    uint32_t word = emulator_random(state);
    return word % 4 ? emulator_random(state) : ends[emulator_random(state) % 10];
}

struct text_buffer {
    char text[16384];
    size_t length;
};

static void add_text(struct text_buffer *buffer, const char *text)
{
    size_t length = strlen(text);
    assert_true(buffer->length + length < sizeof buffer->text);
    memcpy(buffer->text + buffer->length, text, length + 1);
    buffer->length += length;
}

/* A kernel that stores the value of each expression in x, y and z. */
static void make_source(struct text_buffer *buffer, const char *prelude, const char *word,
                        const char *const *expressions, int count)
{
    char line[400];
    buffer->length = 0;
    add_text(buffer, "typedef unsigned u32; typedef int s32; typedef unsigned long long u64;"
                     "typedef long long s64; typedef unsigned short u16; typedef short s16;"
                     "typedef signed char s8; typedef unsigned char u8;\n");
    add_text(buffer, prelude);
    snprintf(line, sizeof line,
             "extern \"C\" __global__ void k(const %s *in, %s *out) {\n"
             " int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
             " %s x = in[3 * i], y = in[3 * i + 1], z = in[3 * i + 2];\n",
             word, word, word);
    add_text(buffer, line);
    for (int e = 0; e < count; e++) {
        snprintf(line, sizeof line, " out[i * %d + %d] = %s;\n", count, e, expressions[e]);
        add_text(buffer, line);
    }
    add_text(buffer, "}\n");
}

static void run_expressions(const struct text_buffer *source, const void *input, void *output,
                            size_t word_bytes, int count)
{
    struct emulation emulation = {.architecture = "sm_89",
                                  .source = source->text,
                                  .blocks = BLOCKS,
                                  .threads = THREADS,
                                  .input = input,
                                  .input_bytes = COUNT * 3 * word_bytes,
                                  .output = output,
                                  .output_bytes = (size_t)COUNT * (size_t)count * word_bytes};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
}

static uint32_t rotate(uint32_t x, uint32_t by)
{
    by &= 31;
    return by ? x << by | x >> (32 - by) : x;
}

static uint32_t bytes_of(uint32_t x, uint32_t y, uint32_t selector)
{
    uint64_t both = (uint64_t)y << 32 | x;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++)
        result |= (uint32_t)(both >> 8 * (selector >> 4 * i & 7) & 255) << 8 * i;
    return result;
}

static uint32_t dot_bytes(uint32_t x, uint32_t y, uint32_t z)
{
    for (int i = 0; i < 4; i++)
        z += (uint32_t)((int)(int8_t)(x >> 8 * i) * (int)(int8_t)(y >> 8 * i));
    return z;
}

static uint32_t reversed(uint32_t x)
{
    uint32_t result = 0;
    for (int i = 0; i < 32; i++) result |= (x >> i & 1) << (31 - i);
    return result;
}

static int32_t field(int32_t x, uint32_t position, uint32_t length)
{
    int64_t wide = x;
    return (int32_t)((int64_t)((uint64_t)(wide >> position) << (64 - length)) >> (64 - length));
}

static const char word_prelude[] =
    "__device__ u32 sbfe(u32 a, u32 b, u32 c) {"
    " u32 r; asm(\"bfe.s32 %0, %1, %2, %3;\" : \"=r\"(r) : \"r\"(a), \"r\"(b), \"r\"(c)); return "
    "r; }\n"
    "__device__ u32 ubfi(u32 a, u32 b, u32 c, u32 d) {"
    " u32 r; asm(\"bfi.b32 %0, %1, %2, %3, %4;\" : \"=r\"(r) : \"r\"(a), \"r\"(b), \"r\"(c), "
    "\"r\"(d));"
    " return r; }\n"
    "__device__ u32 table(u32 a, u32 b, u32 c) {"
    " u32 r; asm(\"lop3.b32 %0, %1, %2, %3, 0xca;\" : \"=r\"(r) : \"r\"(a), \"r\"(b), \"r\"(c));"
    " return r; }\n"
    "__device__ u32 added(u32 a, u32 b) {"
    " u32 r; asm(\"add.sat.s32 %0, %1, %2;\" : \"=r\"(r) : \"r\"(a), \"r\"(b)); return r; }\n"
    "__device__ u32 narrowed(u32 a) { u32 r; asm(\"{ .reg .b16 h; cvt.s8.s32 h, %1; cvt.s32.s16 "
    "%0, h; "
    "}\" : \"=r\"(r) : \"r\"(a)); return r; }\n";

static int32_t saturated(uint32_t x, uint32_t y)
{
    int64_t sum = (int64_t)(int32_t)x + (int32_t)y;
    return sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : (int32_t)sum;
}

#define WORD_CASES(C)                                                                              \
    C("x + y * z", x + y * z)                                                                      \
    C("x - y", x - y)                                                                              \
    C("x / (y | 1)", x / (y | 1))                                                                  \
    C("x % (y | 1)", x % (y | 1))                                                                  \
    C("(s32)x / (s32)(y | 1 | (y == ~0u ? 2 : 0))",                                                \
      (y | 1) == ~0u ? 0 - x : (uint32_t)((int32_t)x / (int32_t)(y | 1)))                          \
    C("__umulhi(x, y)", (uint32_t)((uint64_t)x * y >> 32))                                         \
    C("__mulhi((s32)x, (s32)y)", (uint32_t)(((int64_t)(int32_t)x * (int32_t)y) >> 32))             \
    C("(u32)((u64)x * y >> 7)", (uint32_t)((uint64_t)x * y >> 7))                                  \
    C("(u32)(((s64)(s32)x * (s32)y + (s64)z) >> 9)",                                               \
      (uint32_t)((uint64_t)((int64_t)(int32_t)x * (int32_t)y + (int64_t)z) >> 9))                  \
    C("min(x, y)", x < y ? x : y)                                                                  \
    C("max((s32)x, (s32)y)", (int32_t)x > (int32_t)y ? x : y)                                      \
    C("abs((s32)x)", (int32_t)x < 0 ? 0 - x : x)                                                   \
    C("x & y | z", (x & y) | z)                                                                    \
    C("x ^ y ^ ~z", x ^ y ^ ~z)                                                                    \
    C("x << (y & 31)", x << (y & 31))                                                              \
    C("(s32)x >> (y & 31)", (uint32_t)((int32_t)x >> (y & 31)))                                    \
    C("x >> (y & 31)", x >> (y & 31))                                                              \
    C("__funnelshift_l(x, x, y)", rotate(x, y))                                                    \
    C("__popc(x)", (uint32_t)__builtin_popcount(x))                                                \
    C("__clz(x)", x ? (uint32_t)__builtin_clz(x) : 32)                                             \
    C("__brev(x)", reversed(x))                                                                    \
    C("__byte_perm(x, y, z & 0x7777)", bytes_of(x, y, z & 0x7777))                                 \
    C("__dp4a((s32)x, (s32)y, (s32)z)", dot_bytes(x, y, z))                                        \
    C("sbfe(x, y & 15, 1 + (z & 15))", (uint32_t)field((int32_t)x, y & 15, 1 + (z & 15)))          \
    C("ubfi(x, y, 3, 7)", (y & ~(127u << 3)) | (x & 127) << 3)                                     \
    C("table(x, y, z)", (x & y) | (~x & z))                                                        \
    C("added(x, y)", (uint32_t)saturated(x, y))                                                    \
    C("x < y ? z : x", x < y ? z : x)                                                              \
    C("((s32)x <= (s32)y) + 2 * (x != z)", (uint32_t)(((int32_t)x <= (int32_t)y) + 2 * (x != z)))  \
    C("(u16)((s16)x * (s16)y)", (uint16_t)((int16_t)x * (int16_t)y))                               \
    C("(u32)(s32)(s8)x", (uint32_t)(int32_t)(int8_t)x)                                             \
    C("narrowed(x)", (uint32_t)(int32_t)(int8_t)x)                                                 \
    C("(u8)x + (u16)y", (uint32_t)((uint8_t)x + (uint16_t)y))                                      \
    C("(u32)((s64)(((u64)x << 32) | y) >> (z & 63))",                                              \
      (uint32_t)((int64_t)((uint64_t)x << 32 | y) >> (z & 63)))                                    \
    C("(u32)((((u64)x << 32) | y) % (z | 1))", (uint32_t)(((uint64_t)x << 32 | y) % (z | 1)))

static void test_words(void **unused)
{
    (void)unused;
    static uint32_t input[COUNT * 3], output[COUNT * RESULTS_MAX];
    static struct text_buffer source;
#define DEVICE(device, host) device,
    static const char *const expressions[] = {WORD_CASES(DEVICE)};
    enum { EXPRESSIONS = sizeof expressions / sizeof *expressions };
    uint64_t state = 1;
    for (int i = 0; i < COUNT * 3; i++) input[i] = odd_word(&state);
    make_source(&source, word_prelude, "u32", expressions, EXPRESSIONS);
    run_expressions(&source, input, output, 4, EXPRESSIONS);
    for (int i = 0; i < COUNT; i++) {
        uint32_t x = input[3 * i], y = input[3 * i + 1], z = input[3 * i + 2];
#define HOST(device, host) (host),
        uint32_t expected[] = {WORD_CASES(HOST)};
        for (int e = 0; e < EXPRESSIONS; e++)
            if (output[i * EXPRESSIONS + e] != expected[e])
                CHECK_FAIL("%s of %#x, %#x, %#x: got %#x, expected %#x", expressions[e], x, y, z,
                           output[i * EXPRESSIONS + e], expected[e]);
    }
}

static float odd_float(uint64_t *state)
{
    static const float ends[] = {0.0f, -0.0f, 1.0f, -1.5f, 65504.0f, 1e-40f, 3e38f, 0.5f};
    uint32_t word = emulator_random(state);
    if (word % 8 == 0) return ends[emulator_random(state) % 8];
    return ldexpf((float)(int32_t)emulator_random(state) * 0x1p-31f, (int)(word >> 8 & 31) - 16);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool same_float(float a, float b, float tolerance)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (float_bits(a) == float_bits(b)) return true;
    return tolerance > 0 && fabsf(a - b) <= tolerance * fabsf(b);
}

static float nearest_half(double value)
{
    return (float)number_decode(TYPE_F16, number_encode(TYPE_F16, value, ROUND_NEAREST, false));
}

static float nearest_brain(double value)
{
    return (float)number_decode(TYPE_BF16, number_encode(TYPE_BF16, value, ROUND_NEAREST, false));
}

static float nearest_byte(double value)
{
    return (float)number_decode(TYPE_E4M3, number_encode(TYPE_E4M3, value, ROUND_NEAREST, true));
}

static const char float_prelude[] =
    "__device__ u16 to_half(float a) { u16 r; asm(\"cvt.rn.f16.f32 %0, %1;\" : \"=h\"(r) : "
    "\"f\"(a)); return r; }\n"
    "__device__ float of_half(u16 a) { float r; asm(\"cvt.f32.f16 %0, %1;\" : \"=f\"(r) : "
    "\"h\"(a)); return r; }\n"
    "__device__ u16 to_brain(float a) { u16 r; asm(\"cvt.rn.bf16.f32 %0, %1;\" : \"=h\"(r) : "
    "\"f\"(a)); return r; }\n"
    "__device__ float of_brain(u16 a) { return __uint_as_float((u32)a << 16); }\n"
    "__device__ float half_fma(float a, float b, float c) { u16 r;"
    " asm(\"fma.rn.f16 %0, %1, %2, %3;\" : \"=h\"(r) : \"h\"(to_half(a)), \"h\"(to_half(b)), "
    "\"h\"(to_half(c)));"
    " return of_half(r); }\n"
    "__device__ float pair_add(float a, float b) { u32 p, q, r;"
    " asm(\"cvt.rn.bf16x2.f32 %0, %1, %2;\" : \"=r\"(p) : \"f\"(a), \"f\"(b));"
    " asm(\"cvt.rn.bf16x2.f32 %0, %1, %2;\" : \"=r\"(q) : \"f\"(b), \"f\"(b));"
    " u32 one = 0x3f803f80; asm(\"fma.rn.bf16x2 %0, %1, %2, %3;\" : \"=r\"(r) : \"r\"(p), "
    "\"r\"(one), \"r\"(q));"
    " return of_brain((u16)(r >> 16)); }\n"
    "__device__ float byte_trip(float a, float b) { u16 p; u32 h;"
    " asm(\"cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\" : \"=h\"(p) : \"f\"(a), \"f\"(b));"
    " asm(\"cvt.rn.f16x2.e4m3x2 %0, %1;\" : \"=r\"(h) : \"h\"(p));"
    " return of_half((u16)(h >> 16)) + 1000.0f * of_half((u16)h); }\n"
    "__device__ float power(float a) { float r; asm(\"ex2.approx.f32 %0, %1;\" : \"=f\"(r) : "
    "\"f\"(a)); return r; }\n"
    "__device__ float bend(float a) { float r; asm(\"tanh.approx.f32 %0, %1;\" : \"=f\"(r) : "
    "\"f\"(a)); return r; }\n"
    "__device__ float flush(float a, float b) { float r; asm(\"mul.ftz.f32 %0, %1, %2;\" : "
    "\"=f\"(r) : \"f\"(a), \"f\"(b)); return r; }\n";

static float flushed(float value)
{
    return fabsf(value) < 0x1p-126f ? copysignf(0, value) : value;
}

static float whole(float value, int32_t least, int32_t most)
{
    return value < (float)least  ? (float)least
           : value > (float)most ? (float)most
                                 : truncf(value) + 0.0f;
}

/* Device, host, relative tolerance (0: the same bits). */
#define FLOAT_CASES(C)                                                                             \
    C("x + y", x + y, 0)                                                                           \
    C("__fmaf_rn(x, y, -z)", fmaf(x, y, -z), 0)                                                    \
    C("__fmul_rn(x, y)", x *y, 0)                                                                  \
    C("fmaf(x, y, z)", fmaf(x, y, z), 0)                                                           \
    C("x / (fabsf(y) + 1.0f)", x / (fabsf(y) + 1.0f), 0)                                           \
    C("sqrtf(fabsf(x))", sqrtf(fabsf(x)), 0)                                                       \
    C("rsqrtf(fabsf(x) + 1.0f)", 1 / sqrtf(fabsf(x) + 1.0f), 1e-6f)                                \
    C("fminf(x, y)", x == y ? (signbit(x) ? x : y) : fminf(x, y), 0)                               \
    C("fmaxf(x, y)", x == y ? (signbit(x) ? y : x) : fmaxf(x, y), 0)                               \
    C("floorf(x)", floorf(x), 0)                                                                   \
    C("rintf(x)", rintf(x), 0)                                                                     \
    C("truncf(x)", truncf(x), 0)                                                                   \
    C("(float)(s32)x", whole(x, INT32_MIN, INT32_MAX), 0)                                          \
    C("(float)(u8)(u32)fminf(fabsf(x), 255.0f)", truncf(fminf(fabsf(x), 255.0f)), 0)               \
    C("(float)(s64)(x * 1000.0f)",                                                                 \
      fabsf(x * 1000.0f) < 9e18f ? (float)(int64_t)(x * 1000.0f) : copysignf(0x1p63f, x), 0)       \
    C("(float)__float2int_rn(y)",                                                                  \
      rintf(y) >= 0x1p31f   ? 2147483647.0f                                                        \
      : rintf(y) < -0x1p31f ? -0x1p31f                                                             \
                            : (float)lrintf(y),                                                    \
      0)                                                                                           \
    C("(float)((double)x * (double)y)", (float)((double)x * (double)y), 0)                         \
    C("(float)fma((double)x, (double)y, (double)z)", (float)fma((double)x, (double)y, (double)z),  \
      0)                                                                                           \
    C("of_half(to_half(x))", nearest_half((double)x), 0)                                           \
    C("of_brain(to_brain(x))", nearest_brain((double)x), 0)                                        \
    C("half_fma(x, y, z)",                                                                         \
      nearest_half(fma((double)nearest_half((double)x), (double)nearest_half((double)y),           \
                       (double)nearest_half((double)z))),                                          \
      0)                                                                                           \
    C("pair_add(x, y)",                                                                            \
      nearest_brain((double)nearest_brain((double)x) + (double)nearest_brain((double)y)), 0)       \
    C("byte_trip(x, y)", fmaf(1000.0f, nearest_byte((double)y), nearest_byte((double)x)), 0)       \
    C("power(fminf(fmaxf(x, -20.0f), 20.0f))", exp2f(fminf(fmaxf(x, -20.0f), 20.0f)), 4e-7f)       \
    C("bend(x)", tanhf(x), 1e-6f)                                                                  \
    C("__sinf(fminf(fmaxf(x, -3.0f), 3.0f))", sinf(fminf(fmaxf(x, -3.0f), 3.0f)), 1e-6f)           \
    C("__log2f(fabsf(x) + 2.0f)", log2f(fabsf(x) + 2.0f), 1e-6f)                                   \
    C("expf(fminf(x, 4.0f))", expf(fminf(x, 4.0f)), 4e-7f)                                         \
    C("flush(x, 1e-38f)", flushed(x * 1e-38f), 0)                                                  \
    C("__saturatef(x)", x > 0 ? x < 1 ? x : 1 : 0, 0)                                              \
    C("x < y ? 1.0f : x > y ? 2.0f : x == y ? 3.0f : 4.0f",                                        \
      x<y ? 1.0f : x> y ? 2.0f                                                                     \
      : x == y          ? 3.0f                                                                     \
                        : 4.0f,                                                                             \
      0)                                                                                           \
    C("isnan(x) || !(x >= y) ? z : -x", isnan(x) || !(x >= y) ? z : -x, 0)

static void test_floats(void **unused)
{
    (void)unused;
    static float input[COUNT * 3], output[COUNT * RESULTS_MAX];
    static struct text_buffer source;
#define DEVICE_FLOAT(device, host, tolerance) device,
    static const char *const expressions[] = {FLOAT_CASES(DEVICE_FLOAT)};
    enum { EXPRESSIONS = sizeof expressions / sizeof *expressions };
#define TOLERANCE(device, host, tolerance) (float)(tolerance),
    static const float tolerances[] = {FLOAT_CASES(TOLERANCE)};
    uint64_t state = 2;
    for (int i = 0; i < COUNT * 3; i++) input[i] = odd_float(&state);
    make_source(&source, float_prelude, "float", expressions, EXPRESSIONS);
    run_expressions(&source, input, output, 4, EXPRESSIONS);
    for (int i = 0; i < COUNT; i++) {
        float x = input[3 * i], y = input[3 * i + 1], z = input[3 * i + 2];
#define HOST_FLOAT(device, host, tolerance) (host),
        float expected[] = {FLOAT_CASES(HOST_FLOAT)};
        for (int e = 0; e < EXPRESSIONS; e++)
            if (!same_float(output[i * EXPRESSIONS + e], expected[e],
                            emulator.real && tolerances[e] > 0 ? 1e-3f : tolerances[e]))
                CHECK_FAIL("%s of %a, %a, %a: got %a, expected %a", expressions[e], (double)x,
                           (double)y, (double)z, (double)output[i * EXPRESSIONS + e],
                           (double)expected[e]);
    }
}

/* Every code of every narrow format comes back from its value. */
static void test_narrow_formats(void **unused)
{
    (void)unused;
    static const enum ptx_type narrow[] = {TYPE_F16,  TYPE_BF16, TYPE_E4M3, TYPE_E5M2,
                                           TYPE_E2M1, TYPE_E2M3, TYPE_E3M2};
    for (size_t t = 0; t < sizeof narrow / sizeof *narrow; t++)
        for (uint32_t code = 0; code < 1u << type_bits(narrow[t]); code++) {
            double value = number_decode(narrow[t], code);
            if (isnan(value)) continue;
            assert_int_equal(number_encode(narrow[t], value, ROUND_NEAREST, false), code);
            assert_int_equal(number_encode(narrow[t], value, ROUND_ZERO, true),
                             isinf(value) ? code - 1 : code);
        }
    for (uint32_t code = 0; code < 1u << 16; code++) {
        double value = number_decode(TYPE_F16, code);
        float quick = f16_decode((uint16_t)code);
        assert_true(isnan(value) ? isnan(quick) : (double)quick == value);
        if (!isnan(value)) assert_int_equal(f16_encode(quick), code);
    }
    uint64_t state = 3;
    for (int i = 0; i < 100000; i++) {
        float value = odd_float(&state);
        assert_int_equal(f16_encode(value),
                         number_encode(TYPE_F16, (double)value, ROUND_NEAREST, false));
        assert_int_equal(bf16_encode(value),
                         number_encode(TYPE_BF16, (double)value, ROUND_NEAREST, false));
    }
}

EMULATOR_TESTS("sm_89:1GiB", NULL, cmocka_unit_test(test_words), cmocka_unit_test(test_floats),
               cmocka_unit_test(test_narrow_formats))

#endif
