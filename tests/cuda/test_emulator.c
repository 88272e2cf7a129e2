/* The stand-in driver: kernels that NVRTC compiled, run from loading to reading the result. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

static struct emulator emulator;

static const char add_source[] = "extern \"C\" __global__ void k(const float *x, float *y)\n"
                                 "{\n"
                                 "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                                 "    if (i < 1000) y[i] = 2.0f * x[i] + y[i];\n"
                                 "}\n";

static void test_simple_kernel(void **unused)
{
    (void)unused;
    float x[1000], y[1000];
    for (int i = 0; i < 1000; i++) x[i] = (float)i, y[i] = 0.5f * (float)i;
    struct emulation emulation = {.architecture = "sm_86",
                                  .source = add_source,
                                  .blocks = 8,
                                  .threads = 128,
                                  .input = x,
                                  .input_bytes = sizeof x,
                                  .output = y,
                                  .output_bytes = sizeof y};
    assert_int_equal(emulator_run(&emulator, &emulation), CUDA_SUCCESS);
    for (int i = 0; i < 1000; i++) assert_true(y[i] == 2.5f * (float)i);
    struct hone_emulator_counters counters;
    if (emulator.real) return;
    assert_true(emulator.last_launches(&counters, 1) >= 1);
    CHECK_TEXT(counters.kernel, "k");
    /* 32 warps, the last partly: 1000 floats of x and y read and y written. */
    assert_int_equal(counters.global_sectors, 3 * 125);
    assert_int_equal(counters.global_bytes, 3 * 4000);
}

static const char reduce_source[] = "extern \"C\" __global__ void k(const int *x, int *y)\n"
                                    "{\n"
                                    "    __shared__ int part[256];\n"
                                    "    int t = threadIdx.x;\n"
                                    "    part[t] = x[blockIdx.x * 256 + t];\n"
                                    "    __syncthreads();\n"
                                    "    for (int step = 128; step > 0; step /= 2) {\n"
                                    "        if (t < step) part[t] += part[t + step];\n"
                                    "        __syncthreads();\n"
                                    "    }\n"
                                    "    if (!t) y[blockIdx.x] = part[0];\n"
                                    "}\n";

static void test_shared_reduction(void **unused)
{
    (void)unused;
    static int x[16 * 256], y[16];
    for (int i = 0; i < 16 * 256; i++) x[i] = i * 7 % 1000;
    struct emulation emulation = {.architecture = "sm_86",
                                  .source = reduce_source,
                                  .blocks = 16,
                                  .threads = 256,
                                  .input = x,
                                  .input_bytes = sizeof x,
                                  .output = y,
                                  .output_bytes = sizeof y};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
    for (int b = 0; b < 16; b++) {
        int sum = 0;
        for (int i = 0; i < 256; i++) sum += x[b * 256 + i];
        assert_int_equal(y[b], sum);
    }
}

EMULATOR_TESTS("sm_86:1GiB", NULL, cmocka_unit_test(test_simple_kernel),
               cmocka_unit_test(test_shared_reduction))

#endif
