/* Conversions of the stand-in's machine to and from the narrow formats of matrix products, against
 * the nearest of all codes, and arithmetic that rounds other than to nearest, against the host's
 * rounding modes. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Its functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

#include <fenv.h>

static struct emulator emulator;

enum { COUNT = 256, ROUNDED_RESULTS = 12 };

struct format_case {
    const char *architecture, *name, *relu;
    enum ptx_type type;
    float largest;
};

static const struct format_case format_cases[] = {
    {"sm_89", "e4m3x2", "", TYPE_E4M3, 448},       {"sm_89", "e5m2x2", "", TYPE_E5M2, 57344},
    {"sm_89", "e4m3x2", ".relu", TYPE_E4M3, 448},  {"sm_120a", "e2m1x2", "", TYPE_E2M1, 6},
    {"sm_120a", "e2m1x2", ".relu", TYPE_E2M1, 6},  {"sm_120a", "e2m3x2", "", TYPE_E2M3, 7.5f},
    {"sm_120a", "e3m2x2", ".relu", TYPE_E3M2, 28},
};

/* Each thread packs two numbers, and unpacks a pair of the codes that its number says. */
static const char format_source[] =
    "extern \"C\" __global__ void k(const float *in, unsigned *out) {\n"
    " int t = threadIdx.x; unsigned short pair = 0; unsigned halves;\n"
    "#if FOUR\n"
    " asm(\"{ .reg .b8 c; cvt.rn.satfinite%s.%s.f32 c, %%1, %%2; mov.b16 %%0, {c, 0}; }\"\n"
    "  : \"=h\"(pair) : \"f\"(in[2 * t + 1]), \"f\"(in[2 * t]));\n"
    " unsigned short codes = t;\n"
    " asm(\"{ .reg .b8 c, z; mov.b16 {c, z}, %%1; cvt.rn.f16x2.%s %%0, c; }\"\n"
    "  : \"=r\"(halves) : \"h\"(codes));\n"
    "#else\n"
    " asm(\"cvt.rn.satfinite%s.%s.f32 %%0, %%1, %%2;\"\n"
    "  : \"=h\"(pair) : \"f\"(in[2 * t + 1]), \"f\"(in[2 * t]));\n"
    " unsigned short codes = (t & MASK) | (255 - t & MASK) << 8;\n"
    " asm(\"cvt.rn.f16x2.%s %%0, %%1;\" : \"=r\"(halves) : \"h\"(codes));\n"
    "#endif\n"
    " out[2 * t] = pair; out[2 * t + 1] = halves;\n"
    "}\n";

/* What the format has that is nearest to `value`; of two the one whose code is even. */
static double nearest_number(enum ptx_type type, double value)
{
    double best = 0, distance = INFINITY;
    bool best_is_even = true;
    if (isinf(value)) value = copysign(1e9, value); /* nearest is the largest */
    for (uint32_t code = 0; code < 1u << type_bits(type); code++) {
        double number = number_decode(type, code);
        if (isnan(number) || isinf(number)) continue;
        double away = fabs(number - value);
        if (away > distance || (away >= distance && (best_is_even || code % 2))) continue;
        best = number;
        best_is_even = code % 2 == 0;
        distance = away;
    }
    return best;
}

static float input_number(uint64_t *state, float largest)
{
    static const float ends[] = {0, -0.0f, 1e9f, -1e9f, 1e-9f, INFINITY, 2.5f, -1.75f};
    uint32_t word = emulator_random(state);
    if (word % 16 < 8) return ends[word % 16];
    float part = (float)(int32_t)emulator_random(state) * 0x1p-31f;
    return ldexpf(part * largest * 1.2f, -(int)(word >> 8 & 15));
}

static void check_format(const struct format_case *format, const float *input,
                         const uint32_t *output)
{
    int bits = type_bits(format->type), step = bits == 4 ? 4 : 8;
    uint32_t mask = (1u << bits) - 1;
    for (uint32_t t = 0; t < COUNT; t++)
        for (uint32_t half = 0; half < 2; half++) {
            double wanted = nearest_number(format->type, (double)input[2 * t + half]);
            if (*format->relu && wanted < 0) wanted = 0;
            double got = number_decode(format->type, output[2 * t] >> (int)half * step & mask);
            if (!(got == wanted)) /* -0 is 0 */
                CHECK_FAIL("%s of %a: got %a, expected %a", format->name,
                           (double)input[2 * t + half], got, wanted);
            uint32_t code = bits == 4 ? t >> 4 * half & 15 : (half ? 255 - t : t) & mask;
            double number = number_decode(format->type, code);
            double back = number_decode(TYPE_F16, output[2 * t + 1] >> 16 * half & 0xffff);
            if (!(back == number) && !(isnan(back) && isnan(number)))
                CHECK_FAIL("%s code %u: got %a, expected %a", format->name, code, back, number);
        }
}

static CUresult run_numbers(const char *architecture, const char *source, const void *input,
                            size_t input_bytes, void *output, size_t output_bytes)
{
    struct emulation emulation = {.architecture = architecture,
                                  .source = source,
                                  .blocks = 1,
                                  .threads = COUNT,
                                  .input = input,
                                  .input_bytes = input_bytes,
                                  .output = output,
                                  .output_bytes = output_bytes};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
    return result;
}

static void test_formats(void **unused)
{
    (void)unused;
    static float input[2 * COUNT];
    static uint32_t output[2 * COUNT];
    char source[4096];
    uint64_t state = 30;
    for (size_t f = 0; f < sizeof format_cases / sizeof *format_cases; f++) {
        const struct format_case *format = &format_cases[f];
        if (!emulator_can_run(&emulator, format->architecture)) continue;
        int bits = type_bits(format->type);
        for (int i = 0; i < 2 * COUNT; i++) input[i] = input_number(&state, format->largest);
        int length = snprintf(source, sizeof source, "#define FOUR %d\n#define MASK %d\n",
                              bits == 4, (1 << bits) - 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(source + length, sizeof source - (size_t)length, format_source, format->relu,
                 format->name, format->name, format->relu, format->name, format->name);
#pragma GCC diagnostic pop
        run_numbers(format->architecture, source, input, sizeof input, output, sizeof output);
        check_format(format, input, output);
    }
}

/* Ends of the formats, from their definitions. */
static void test_definitions(void **unused)
{
    (void)unused;
    static const struct {
        enum ptx_type type;
        uint32_t code;
        double value;
    } known[] = {
        {TYPE_E4M3, 0x7e, 448},    {TYPE_E4M3, 1, 0x1p-9},    {TYPE_E4M3, 0xb8, -1},
        {TYPE_E5M2, 0x7b, 57344},  {TYPE_E5M2, 1, 0x1p-16},   {TYPE_E5M2, 0x7c, INFINITY},
        {TYPE_E2M1, 7, 6},         {TYPE_E2M1, 9, -0.5},      {TYPE_E2M3, 31, 7.5},
        {TYPE_E2M3, 1, 0.125},     {TYPE_E3M2, 31, 28},       {TYPE_E3M2, 1, 0.0625},
        {TYPE_UE8M0, 127, 1},      {TYPE_UE8M0, 0, 0x1p-127}, {TYPE_UE4M3, 0x7e, 448},
        {TYPE_F16, 0x7bff, 65504}, {TYPE_BF16, 0x3f80, 1},    {TYPE_F16, 1, 0x1p-24},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(number_decode(known[i].type, known[i].code) == known[i].value);
    assert_true(isnan(number_decode(TYPE_E4M3, 0x7f)) && isnan(number_decode(TYPE_UE8M0, 255)));
}

/* Scales: towards zero and up, saturating or not, from f32 and from bf16, and back. */
static const char scale_source[] =
    "typedef unsigned short u16;\n"
    "extern \"C\" __global__ void k(const float *in, unsigned *out) {\n"
    " int t = threadIdx.x; u16 p, q, r; unsigned back, pair;\n"
    " asm(\"cvt.rz.satfinite.ue8m0x2.f32 %0, %1, %2;\" : \"=h\"(p) : \"f\"(in[2 * t + 1]), "
    "\"f\"(in[2 * t]));\n"
    " asm(\"cvt.rp.ue8m0x2.f32 %0, %1, %2;\" : \"=h\"(q) : \"f\"(in[2 * t + 1]), \"f\"(in[2 * "
    "t]));\n"
    " asm(\"cvt.rz.bf16x2.f32 %0, %1, %2;\" : \"=r\"(pair) : \"f\"(in[2 * t + 1]), \"f\"(in[2 * "
    "t]));\n"
    " asm(\"cvt.rp.satfinite.ue8m0x2.bf16x2 %0, %1;\" : \"=h\"(r) : \"r\"(pair));\n"
    " asm(\"cvt.rn.bf16x2.ue8m0x2 %0, %1;\" : \"=r\"(back) : \"h\"(p));\n"
    " out[4 * t] = p; out[4 * t + 1] = q; out[4 * t + 2] = r; out[4 * t + 3] = back;\n"
    "}\n";

/* The exponent of f32's own bits, plus one where something is left and `up`. */
static uint32_t scale_code(float value, bool up, bool finite)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t code = bits >> 23 & 255, rest = bits & 0x7fffff;
    if (isinf(value)) return finite ? 254 : 255;
    if (up && rest && (code || rest > 0x400000)) code++;
    return finite && code == 255 ? 254 : code;
}

static void test_scales(void **unused)
{
    (void)unused;
    static float input[2 * COUNT];
    static uint32_t output[4 * COUNT];
    uint64_t state = 31;
    for (int i = 0; i < 2 * COUNT; i++) {
        uint32_t bits = emulator_random(&state) & (i % 4 ? 0x7fffffff : 0x7f800000);
        memcpy(&input[i], &bits, sizeof bits);
        if (isnan(input[i])) input[i] = INFINITY;
    }
    run_numbers("sm_120a", scale_source, input, sizeof input, output, sizeof output);
    for (int i = 0; i < 2 * COUNT; i++) {
        const uint32_t *out = &output[i / 2 * 4];
        float cut;
        uint32_t bits, shift = (uint32_t)i % 2 * 8;
        memcpy(&bits, &input[i], sizeof bits);
        bits &= isinf(input[i]) ? UINT32_MAX : UINT32_C(0xffff0000);
        memcpy(&cut, &bits, sizeof cut);
        uint32_t down = scale_code(input[i], false, true);
        assert_int_equal(out[0] >> shift & 255, down);
        assert_int_equal(out[1] >> shift & 255, scale_code(input[i], true, false));
        assert_int_equal(out[2] >> shift & 255, scale_code(cut, true, true));
        assert_true(number_decode(TYPE_BF16, out[3] >> 2 * shift & 0xffff) ==
                    ldexp(1, (int)down - 127));
    }
}

/* add, mul, fma, cvt with .rm, .rp and .rz. */
static const char rounded_source[] =
    "extern \"C\" __global__ void k(const float *in, float *out) {\n"
    " int t = threadIdx.x; float x = in[3 * t], y = in[3 * t + 1], z = in[3 * t + 2];\n"
    " float *o = out + 12 * t;\n"
    " o[0] = __fadd_rd(x, y); o[1] = __fadd_ru(x, y); o[2] = __fadd_rz(x, y);\n"
    " o[3] = __fmul_rd(x, y); o[4] = __fmul_ru(x, y); o[5] = __fmul_rz(x, y);\n"
    " o[6] = __fmaf_rd(x, y, z); o[7] = __fmaf_ru(x, y, z); o[8] = __fmaf_rz(x, y, z);\n"
    " double d = (double)x * y;\n"
    " o[9] = __double2float_rd(d); o[10] = __double2float_ru(d); o[11] = __double2float_rz(d);\n"
    "}\n";

static void test_rounding(void **unused)
{
    (void)unused;
    static const int modes[] = {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    static float input[3 * COUNT], output[ROUNDED_RESULTS * COUNT];
    uint64_t state = 32;
    for (int i = 0; i < 3 * COUNT; i++)
        input[i] = ldexpf((float)(int32_t)emulator_random(&state) * 0x1p-31f,
                          (int)(emulator_random(&state) % 16));
    run_numbers("sm_80", rounded_source, input, sizeof input, output, sizeof output);
    for (int i = 0; i < COUNT; i++)
        for (int m = 0; m < 3; m++) {
            volatile float x = input[3 * i], y = input[3 * i + 1], z = input[3 * i + 2];
            const float *got = &output[ROUNDED_RESULTS * i + m];
            fesetround(modes[m]);
            volatile float sum = x + y, product = x * y, both = fmaf(x, y, z);
            fesetround(FE_TONEAREST);
            assert_true(got[0] == sum && got[3] == product && got[6] == both && got[9] == product);
        }
}

EMULATOR_TESTS("sm_120:1GiB", NULL, cmocka_unit_test(test_definitions),
               cmocka_unit_test(test_formats), cmocka_unit_test(test_scales),
               cmocka_unit_test(test_rounding))

#endif
