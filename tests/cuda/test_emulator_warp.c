/* What lanes, warps and blocks do together on the stand-in: shuffles, votes, atomics, barriers,
 * lanes that part and meet, functions that are called, tables of branches. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

static struct emulator emulator;

enum { WARPS = 8, LANES = 32, THREADS = WARPS * LANES };

static void run_kernel(const char *source, const void *input, size_t input_bytes, void *output,
                       size_t output_bytes, unsigned blocks)
{
    struct emulation emulation = {.architecture = "sm_86",
                                  .source = source,
                                  .blocks = blocks,
                                  .threads = THREADS,
                                  .input = input,
                                  .input_bytes = input_bytes,
                                  .output = output,
                                  .output_bytes = output_bytes};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
}

static const char exchange_source[] =
    "extern \"C\" __global__ void k(const unsigned *in, unsigned *out) {\n"
    " unsigned t = threadIdx.x, x = in[t], lane = t & 31, *o = out + t * 12, all = ~0u;\n"
    " o[0] = __shfl_xor_sync(all, x, 5);\n"
    " o[1] = __shfl_up_sync(all, x, 3);\n"
    " o[2] = __shfl_down_sync(all, x, 7, 16);\n"
    " o[3] = __shfl_sync(all, x, x & 31);\n"
    " o[4] = __ballot_sync(all, x & 1);\n"
    " o[5] = __any_sync(all, x == in[0]) + 2 * __all_sync(all, x != 12345);\n"
    " o[6] = __match_any_sync(all, x % 5);\n"
    " o[7] = __reduce_add_sync(all, x % 1000);\n"
    " o[8] = (unsigned)__reduce_max_sync(all, (int)x);\n"
    " o[9] = lane < 11 ? __shfl_xor_sync(0x7ffu, x, lane < 8 ? 1 : 0) : __activemask();\n"
    " int same; o[10] = __match_all_sync(all, x >> 31, &same); o[10] += same;\n"
    " o[11] = __syncthreads_count(x & 2);\n"
    "}\n";

static void expect_exchange(const uint32_t *x, unsigned lane, unsigned count, uint32_t *expected)
{
    uint32_t ballot = 0, same = 0, sum = 0, signs = 0;
    int32_t largest = INT32_MIN;
    for (unsigned l = 0; l < LANES; l++) {
        ballot |= (x[l] & 1) << l;
        same |= (uint32_t)(x[l] % 5 == x[lane] % 5) << l;
        sum += x[l] % 1000;
        signs += x[l] >> 31;
        if ((int32_t)x[l] > largest) largest = (int32_t)x[l];
    }
    expected[0] = x[lane ^ 5];
    expected[1] = lane < 3 ? x[lane] : x[lane - 3];
    expected[2] = lane % 16 + 7 < 16 ? x[lane + 7] : x[lane];
    expected[3] = x[x[lane] & 31];
    expected[4] = ballot;
    expected[6] = same;
    expected[7] = sum;
    expected[8] = (uint32_t)largest;
    expected[9] = lane < 8 ? x[lane ^ 1] : lane < 11 ? x[lane] : 0xfffff800u;
    expected[10] = signs == 0 || signs == LANES ? 0 : 0;
    if (signs == 0 || signs == LANES) expected[10] = UINT32_MAX + 1u;
    expected[11] = count;
}

static void test_exchange(void **unused)
{
    (void)unused;
    static uint32_t x[THREADS], output[THREADS * 12];
    uint64_t state = 7;
    unsigned count = 0;
    for (int i = 0; i < THREADS; i++) x[i] = emulator_random(&state);
    for (int i = 0; i < LANES; i++) x[i] >>= 1; /* a warp whose signs are all the same */
    for (int i = 0; i < THREADS; i++) count += (x[i] & 2) != 0;
    run_kernel(exchange_source, x, sizeof x, output, sizeof output, 1);
    for (unsigned t = 0; t < THREADS; t++) {
        uint32_t expected[12];
        const uint32_t *warp = x + t / LANES * LANES;
        expect_exchange(warp, t % LANES, count, expected);
        bool any = false;
        for (int l = 0; l < LANES; l++) any |= warp[l] == x[0];
        expected[5] = (uint32_t)any + 2;
        for (int e = 0; e < 12; e++)
            if (output[t * 12 + (unsigned)e] != expected[e])
                CHECK_FAIL("thread %u result %d: got %#x, expected %#x", t, e,
                           output[t * 12 + (unsigned)e], expected[e]);
    }
}

static const char atomic_source[] =
    "extern \"C\" __global__ void k(const unsigned *in, unsigned *out) {\n"
    " __shared__ unsigned bins[16]; __shared__ float total;\n"
    " unsigned t = threadIdx.x, x = in[blockIdx.x * blockDim.x + t];\n"
    " if (t < 16) bins[t] = 0; if (!t) total = 0;\n"
    " __syncthreads();\n"
    " atomicAdd(&bins[x & 15], 1u); atomicAdd(&total, (float)(x & 7));\n"
    " __syncthreads();\n"
    " if (t < 16) atomicAdd(out + t, bins[t]);\n"
    " if (!t) atomicAdd((float *)out + 16, total);\n"
    " atomicMax(out + 17, x); atomicMin((int *)out + 18, (int)x); atomicXor(out + 19, x);\n"
    " atomicAdd((unsigned long long *)(out + 20), (unsigned long long)x);\n"
    " atomicOr(out + 22, x & 0xff00ff); atomicAnd(out + 23, x | 1); atomicInc(out + 24, 99);\n"
    " unsigned old = out[25], seen; do { seen = old; old = atomicCAS(out + 25, seen, seen + (x & "
    "3)); } while (old != seen);\n"
    "}\n";

static void test_atomics(void **unused)
{
    (void)unused;
    enum { BLOCKS = 16, COUNT = BLOCKS * THREADS };
    static uint32_t x[COUNT];
    uint32_t output[26] = {[18] = INT32_MAX, [23] = UINT32_MAX}, expected[26] = {0};
    uint64_t state = 8, sum = 0;
    float total = 0;
    int32_t least = INT32_MAX;
    expected[23] = UINT32_MAX;
    for (int i = 0; i < COUNT; i++) {
        x[i] = emulator_random(&state);
        expected[x[i] & 15]++;
        total += (float)(x[i] & 7);
        if (x[i] > expected[17]) expected[17] = x[i];
        if ((int32_t)x[i] < least) least = (int32_t)x[i];
        expected[19] ^= x[i];
        sum += x[i];
        expected[22] |= x[i] & 0xff00ff;
        expected[23] &= x[i] | 1;
        expected[24] = expected[24] >= 99 ? 0 : expected[24] + 1;
        expected[25] += x[i] & 3;
    }
    memcpy(&expected[16], &total, 4);
    expected[18] = (uint32_t)least;
    memcpy(&expected[20], &sum, 8);
    run_kernel(atomic_source, x, sizeof x, output, sizeof output, BLOCKS);
    for (int i = 0; i < 26; i++)
        if (output[i] != expected[i])
            CHECK_FAIL("result %d: got %#x, expected %#x", i, output[i], expected[i]);
}

/* Loops of different lengths, early returns, a switch, recursion written out, local memory. */
static const char control_source[] =
    "__device__ __noinline__ unsigned step(unsigned x) { return x & 1 ? 3 * x + 1 : x / 2; }\n"
    "extern \"C\" __global__ void k(const unsigned *in, unsigned *out) {\n"
    " unsigned t = threadIdx.x, x = in[t] % 1000 + 1, n = 0, kept[8];\n"
    " for (int i = 0; i < 8; i++) kept[i] = 0;\n"
    " if (x == 77) { out[t] = 7; return; }\n"
    " while (x != 1) { x = step(x); kept[n & 7] = x; n++; }\n"
    " __syncthreads();\n"
    " unsigned r = 0;\n"
    " for (int i = 0; i < 8; i++) r = r * 31 + kept[(in[t] + i) & 7];\n"
    " switch (in[t] % 9) {\n"
    " case 0: r += 5; break; case 1: r ^= 77; break; case 2: r *= 3; break; case 3: r -= n; "
    "break;\n"
    " case 4: r = ~r; break; case 5: r += n * n; break; case 6: r <<= 1; break; default: r >>= 1; "
    "}\n"
    " out[t] = r + (n << 20);\n"
    "}\n";

static uint32_t expect_control(uint32_t input)
{
    uint32_t x = input % 1000 + 1, n = 0, kept[8] = {0}, r = 0;
    if (x == 77) return 7;
    while (x != 1) {
        x = x & 1 ? 3 * x + 1 : x / 2;
        kept[n++ & 7] = x;
    }
    for (uint32_t i = 0; i < 8; i++) r = r * 31 + kept[(input + i) & 7];
    switch (input % 9) {
    case 0: r += 5; break;
    case 1: r ^= 77; break;
    case 2: r *= 3; break;
    case 3: r -= n; break;
    case 4: r = ~r; break;
    case 5: r += n * n; break;
    case 6: r <<= 1; break;
    default: r >>= 1; break;
    }
    return r + (n << 20);
}

static void test_control(void **unused)
{
    (void)unused;
    static uint32_t x[THREADS], output[THREADS];
    uint64_t state = 9;
    for (int i = 0; i < THREADS; i++) x[i] = emulator_random(&state);
    x[5] = 76;
    run_kernel(control_source, x, sizeof x, output, sizeof output, 1);
    for (int i = 0; i < THREADS; i++)
        if (output[i] != expect_control(x[i]))
            CHECK_FAIL("thread %d: got %#x, expected %#x", i, output[i], expect_control(x[i]));
}

/* Vectors, narrow types, constants, 64-bit addresses into shared memory, named barriers. */
static const char memory_source[] =
    "__constant__ float weights[4] = {0.5f, 1.0f, 2.0f, 4.0f};\n"
    "__device__ unsigned short table[256] = {1, 2, 3, 4, 5};\n"
    "__device__ float take(const float *p, int i) { return p[i]; }\n"
    "extern \"C\" __global__ void k(const float4 *in, float4 *out) {\n"
    " extern __shared__ float dynamic[]; __shared__ float fixed[256]; __shared__ signed char "
    "small[256];\n"
    " int t = threadIdx.x; float4 v = in[t];\n"
    " dynamic[t] = v.x; fixed[255 - t] = v.y; small[t] = (signed char)(t - 128);\n"
    " asm volatile(\"bar.sync 1, 256;\" ::: \"memory\");\n"
    " const float *p = v.z > 0 ? dynamic : fixed;\n"
    " float4 r; r.x = take(p, 255 - t) * weights[t & 3]; r.y = small[255 - t];\n"
    " r.z = table[t & 7]; r.w = ((const unsigned char *)in)[t] + v.w;\n"
    " out[t] = r;\n"
    "}\n";

static void test_memory(void **unused)
{
    (void)unused;
    static float x[THREADS * 4], output[THREADS * 4];
    static const float weights[4] = {0.5f, 1, 2, 4};
    uint64_t state = 10;
    for (int i = 0; i < THREADS * 4; i++)
        x[i] = (float)(int)(emulator_random(&state) % 2000) - 1000;
    struct emulation emulation = {.architecture = "sm_86",
                                  .source = memory_source,
                                  .blocks = 1,
                                  .threads = THREADS,
                                  .shared_bytes = THREADS * 4,
                                  .input = x,
                                  .input_bytes = sizeof x,
                                  .output = output,
                                  .output_bytes = sizeof output};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
    for (int t = 0; t < THREADS; t++) {
        const float *v = x + 4 * t;
        float taken = v[2] > 0 ? x[4 * (255 - t)] : x[4 * t + 1];
        assert_true(output[4 * t] == taken * weights[t & 3]);
        assert_true(output[4 * t + 1] == (float)(127 - t));
        assert_true(output[4 * t + 2] == (float)((t & 7) < 5 ? (t & 7) + 1 : 0));
        assert_true(output[4 * t + 3] == (float)((const unsigned char *)x)[t] + v[3]);
    }
}

EMULATOR_TESTS("sm_86:1GiB", NULL, cmocka_unit_test(test_exchange), cmocka_unit_test(test_atomics),
               cmocka_unit_test(test_control), cmocka_unit_test(test_memory))

#endif
