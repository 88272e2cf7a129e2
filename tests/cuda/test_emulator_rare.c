/* What kernels seldom have, on the stand-in: carries, prmt with modes, comparisons of pairs, calls
 * of functions that are defined further down, vectors of atomic additions, copies that arrive at a
 * transaction barrier. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

#include <math.h>

static struct emulator emulator;

enum { THREADS = 128, WORDS = 4 };

static uint32_t input[THREADS * WORDS], output[THREADS * WORDS];

static CUresult run_rare(const char *architecture, const char *source)
{
    struct emulation emulation = {.architecture = architecture,
                                  .source = source,
                                  .blocks = 1,
                                  .threads = THREADS,
                                  .input = input,
                                  .input_bytes = sizeof input,
                                  .output = output,
                                  .output_bytes = sizeof output};
    memset(output, 0, sizeof output);
    return emulator_run(&emulator, &emulation);
}

static void run_right(const char *architecture, const char *source)
{
    CUresult result = run_rare(architecture, source);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
}

#define KERNEL(body)                                                                               \
    "typedef unsigned u32; typedef unsigned long long u64;\n"                                      \
    "extern \"C\" __global__ void k(const u32 *in, u32 *out) {\n int t = threadIdx.x;\n"           \
    " u32 x = in[4 * t], y = in[4 * t + 1], z = in[4 * t + 2], w = in[4 * t + 3], a, b, c, d;\n"   \
    " (void)x; (void)y; (void)z; (void)w;\n" body                                                  \
    " out[4 * t] = a; out[4 * t + 1] = b; out[4 * t + 2] = c; out[4 * t + 3] = d; }\n"

/* (y:x) + (w:z), (y:x) - (w:z), and the four words of their product's lower half. */
static void test_carries(void **unused)
{
    (void)unused;
    run_right("sm_86", KERNEL(" asm(\"add.cc.u32 %0, %2, %4; addc.u32 %1, %3, %5;\" : \"=&r\"(a), "
                              "\"=r\"(b) : \"r\"(x), \"r\"(y), \"r\"(z), \"r\"(w));\n"
                              " asm(\"sub.cc.u32 %0, %2, %4; subc.u32 %1, %3, %5;\" : \"=&r\"(c), "
                              "\"=r\"(d) : \"r\"(x), \"r\"(y), \"r\"(z), \"r\"(w));\n"));
    for (int t = 0; t < THREADS; t++) {
        const uint32_t *in = &input[4 * t], *out = &output[4 * t];
        uint64_t first = (uint64_t)in[1] << 32 | in[0], second = (uint64_t)in[3] << 32 | in[2];
        uint64_t sum = first + second, difference = first - second;
        assert_int_equal(out[0], (uint32_t)sum);
        assert_int_equal(out[1], sum >> 32);
        assert_int_equal(out[2], (uint32_t)difference);
        assert_int_equal(out[3], difference >> 32);
    }
    run_right("sm_86",
              KERNEL(" asm(\"mul.lo.u32 %0, %2, %3; mul.hi.u32 %1, %2, %3; mad.lo.cc.u32 %0, %4, "
                     "%5, %0; madc.hi.u32 %1, %4, %5, %1;\" : \"=&r\"(a), \"=&r\"(b) : \"r\"(x), "
                     "\"r\"(y), \"r\"(z), \"r\"(w));\n"
                     " u64 p = (u64)y << 32 | x, q = (u64)w << 32 | z, r;\n"
                     " asm(\"{ .reg .u64 l; mad.lo.cc.u64 l, %1, %2, %1; madc.hi.u64 %0, %1, %2, "
                     "0; }\" : \"=l\"(r) : \"l\"(p), \"l\"(q));\n c = (u32)r; d = r >> 32;\n"));
    __extension__ typedef unsigned __int128 wide;
    for (int t = 0; t < THREADS; t++) {
        const uint32_t *in = &input[4 * t], *out = &output[4 * t];
        uint64_t sum = (uint64_t)in[0] * in[1] + (uint64_t)in[2] * in[3];
        uint64_t p = (uint64_t)in[1] << 32 | in[0], q = (uint64_t)in[3] << 32 | in[2];
        uint64_t high = (uint64_t)(((wide)p * q + p) >> 64);
        assert_int_equal((uint64_t)out[1] << 32 | out[0], sum);
        assert_int_equal((uint64_t)out[3] << 32 | out[2], high);
    }
}

static uint32_t byte_of(uint32_t low, uint32_t high, uint32_t index)
{
    return (index & 4 ? high : low) >> 8 * (index & 3) & 255;
}

/* By the words of the PTX manual: b3..b0 of each mode for a selector. */
static uint32_t permuted(int mode, uint32_t x, uint32_t y, uint32_t s)
{
    uint32_t result = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t from = mode == 0   ? s + i              /* f4e */
                        : mode == 1 ? (s - i) & 7        /* b4e */
                        : mode == 2 ? s                  /* rc8 */
                        : mode == 3 ? (i > s ? i : s)    /* ecl */
                                    : s % 2 * 2 + i % 2; /* rc16 */
        result |= byte_of(x, y, from) << 8 * i;
    }
    return result;
}

static void test_permutations(void **unused)
{
    (void)unused;
    static const char *const modes[] = {"f4e", "b4e", "rc8", "ecl", "rc16"};
    for (int mode = 0; mode < 5; mode++) {
        char source[2048];
        snprintf(source, sizeof source,
                 "typedef unsigned u32;\nextern \"C\" __global__ void k(const u32 *in, u32 *out) "
                 "{ int t = threadIdx.x;\n for (u32 s = 0; s < 4; s++) { u32 r; "
                 "asm(\"prmt.b32.%s %%0, %%1, %%2, %%3;\" : \"=r\"(r) : \"r\"(in[4 * t]), "
                 "\"r\"(in[4 * t + 1]), \"r\"(s)); out[4 * t + s] = r; } }",
                 modes[mode]);
        run_right("sm_80", source);
        for (int i = 0; i < THREADS * WORDS; i++)
            assert_int_equal(
                output[i], permuted(mode, input[i / 4 * 4], input[i / 4 * 4 + 1], (uint32_t)i % 4));
    }
}

/* Numbers 0 to 3 in both halves. */
static void test_pairs(void **unused)
{
    (void)unused;
    run_right("sm_86", KERNEL(" x = t & 3; y = t >> 2 & 3; z = t >> 4 & 3; w = t >> 5 & 3;\n"
                              " u32 p = x << 16 | y, q = z << 16 | w; b = d = 0;\n"
                              " asm(\"{ .reg .pred p, q; setp.lt.f16x2 p|q, %2, %3; selp.u32 %0, 1,"
                              " 0, p; selp.u32 %1, 1, 0, q; }\" : \"=r\"(a), \"=r\"(c) : \"r\"(p), "
                              "\"r\"(q));\n"));
    for (uint32_t t = 0; t < THREADS; t++) {
        assert_int_equal(output[4 * t], (t >> 2 & 3) < (t >> 5 & 3));
        assert_int_equal(output[4 * t + 2], (t & 3) < (t >> 4 & 3));
    }
}

/* The double sine of the CUDA library calls its slow path, which NVRTC puts behind the kernel. */
static void test_calls(void **unused)
{
    (void)unused;
    run_right("sm_86",
              "typedef unsigned u32;\n__device__ __noinline__ float twice(float x);\n"
              "extern \"C\" __global__ void k(const u32 *in, float *out) { int t = threadIdx.x;\n"
              " out[4 * t] = (float)sin((double)in[4 * t] * 1e6); out[4 * t + 1] = twice((float)t);"
              " out[4 * t + 2] = out[4 * t + 3] = 0; }\n"
              "__device__ __noinline__ float once(float x) { return x + 1; }\n"
              "__device__ __noinline__ float twice(float x) { return once(once(x)) * 2; }\n");
    for (int t = 0; t < THREADS; t++) {
        float got[2];
        memcpy(got, &output[4 * t], sizeof got);
        assert_true(fabs((double)got[0] - sin((double)input[4 * t] * 1e6)) < 1e-6);
        assert_true(got[1] == ((float)t + 2) * 2);
    }
}

static void test_recursion(void **unused)
{
    (void)unused;
    emulator_only(&emulator);
    struct arena *arena = arena_create(0);
    CUmodule module;
    const char *ptx = emulator_compile(
        arena, "sm_86",
        "__device__ __noinline__ int f(int n, int *o) { if (n < 2) return 1; o[n] = n;"
        " int x = f(n - 1, o); return x * f(n - 2, o) + o[x]; }\n"
        "extern \"C\" __global__ void k(const int *in, int *out) { out[0] = f(in[0], out); }");
    assert_int_equal(emulator.cuModuleLoadData(&module, ptx), CUDA_ERROR_INVALID_PTX);
    assert_non_null(strstr(emulator.last_fault(), "calls itself"));
    arena_destroy(arena);
}

static void test_vector_additions(void **unused)
{
    (void)unused;
    run_right("sm_90a",
              "extern \"C\" __global__ void k(const unsigned *in, float *out) {\n"
              " float x = (float)threadIdx.x; float *to = out + threadIdx.x % 2 * 4;\n"
              " asm volatile(\"red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %1, %1};\" :: "
              "\"l\"(to), \"f\"(x), \"f\"(x + 1) : \"memory\"); }");
    for (int i = 0; i < 8; i++) {
        float got, sum = 0;
        memcpy(&got, &output[i], sizeof got);
        for (int t = i / 4; t < THREADS; t += 2) sum += (float)(t + (i % 4 == 1));
        assert_true(got == sum);
    }
}

/* Each thread's copies arrive by themselves; whoever waits for all of them may read all. */
static void test_arriving_copies(void **unused)
{
    (void)unused;
    run_right(
        "sm_80",
        "typedef unsigned u32; typedef unsigned long long u64;\n"
        "extern \"C\" __global__ void k(const u32 *in, u32 *out) { int t = threadIdx.x;\n"
        " __shared__ __align__(16) u32 s[512]; __shared__ u64 bar;\n"
        " u32 b = (u32)__cvta_generic_to_shared(&bar), a = (u32)__cvta_generic_to_shared(s), "
        "done;\n"
        " if (t == 0) asm volatile(\"mbarrier.init.shared.b64 [%0], 128;\" :: \"r\"(b) : "
        "\"memory\");\n __syncthreads();\n"
        " asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16; "
        "cp.async.mbarrier.arrive.noinc.shared.b64 [%2];\" :: \"r\"(a + t * 16), \"l\"(in + 4 * t),"
        " \"r\"(b) : \"memory\");\n"
        " do asm volatile(\"{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], 0; "
        "selp.u32 %0, 1, 0, p; }\" : \"=r\"(done) : \"r\"(b) : \"memory\"); while (!done);\n"
        " for (int i = 0; i < 4; i++) out[4 * t + i] = s[511 - 4 * t - i]; }");
    for (int i = 0; i < THREADS * WORDS; i++)
        assert_int_equal(output[i], input[THREADS * WORDS - 1 - i]);
}

static int fill_input(void **state_of_group)
{
    (void)state_of_group;
    uint64_t state = 70;
    for (int i = 0; i < THREADS * WORDS; i++)
        input[i] = emulator_random(&state) | (i % 16 == 3 ? UINT32_MAX : 0);
    return 0;
}

EMULATOR_TESTS("sm_120:1GiB", fill_input, cmocka_unit_test(test_carries),
               cmocka_unit_test(test_permutations), cmocka_unit_test(test_pairs),
               cmocka_unit_test(test_calls), cmocka_unit_test(test_recursion),
               cmocka_unit_test(test_vector_additions), cmocka_unit_test(test_arriving_copies))

#endif
