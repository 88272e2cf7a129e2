/* Mistakes planted into kernels: each is caught by the stand-in, with its reason; and kernels that
 * look alike but are right are left alone. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

static struct emulator emulator;

enum { THREADS = 128 };

struct planted {
    const char *what, *source;
    CUresult result;
    const char *words; /* of the reason */
};

#define KERNEL(body)                                                                               \
    "extern \"C\" __global__ void k(const int *in, int *out) {\n int t = threadIdx.x;\n" body      \
    "\n}\n"
#define COPY(offset, from)                                                                         \
    "asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16;\" :: "                               \
    "\"r\"((unsigned)__cvta_generic_to_shared(s) + " offset "), \"l\"(" from ") : \"memory\");\n"
#define COMMIT  "asm volatile(\"cp.async.commit_group;\" ::: \"memory\");\n"
#define WAIT(n) "asm volatile(\"cp.async.wait_group " n ";\" ::: \"memory\");\n"

static const struct planted mistakes[] = {
    {"a barrier is missing before a read",
     KERNEL("__shared__ int s[128]; s[t] = in[t]; out[t] = s[127 - t];"), CUDA_ERROR_LAUNCH_FAILED,
     ""}, /* a race, or a word that is not written yet: by which warp runs first */
    {"a barrier is missing between a read and the next write",
     KERNEL("__shared__ int s[128]; s[t] = in[t]; __syncthreads(); int x = s[127 - t]; s[t] = x;"
            " __syncthreads(); out[t] = s[t];"),
     CUDA_ERROR_LAUNCH_FAILED, "race"},
    {"two warps write one word",
     KERNEL("__shared__ int s[64]; s[t & 63] = t; __syncthreads(); out[t] = s[t & 63];"),
     CUDA_ERROR_LAUNCH_FAILED, "race"},
    {"shared memory is read before anybody wrote it",
     KERNEL("__shared__ int s[256]; s[t] = in[t]; __syncthreads(); out[t] = s[t + 1];"),
     CUDA_ERROR_LAUNCH_FAILED, "nobody has written"},
    {"the last group of copies is not waited for",
     KERNEL("__shared__ __align__(16) int s[1024]; " COPY("t * 16", "in + t * 4")
                COMMIT COPY("2048 + t * 16", "in + t * 4")
                    COMMIT WAIT("1") " __syncthreads(); out[t] = s[t] + s[512 + t];"),
     CUDA_ERROR_LAUNCH_FAILED, "before the copy"},
    {"copies are waited for, but not with a barrier",
     KERNEL("__shared__ __align__(16) int s[512]; " COPY("t * 16", "in + t * 4")
                COMMIT WAIT("0") " out[t] = s[511 - t * 4];"),
     CUDA_ERROR_LAUNCH_FAILED, ""},
    {"one element behind the input", KERNEL("out[t] = in[t + 385];"), CUDA_ERROR_ILLEGAL_ADDRESS,
     "byte 2048"},
    {"one element before the output", KERNEL("out[t - 1] = in[t];"), CUDA_ERROR_ILLEGAL_ADDRESS,
     "thread 0"},
    {"a null pointer", KERNEL("int *p = (int *)(long long)in[0]; out[t] = *p;"),
     CUDA_ERROR_ILLEGAL_ADDRESS, "nothing is allocated"},
    {"behind the block's shared memory",
     KERNEL("__shared__ int s[128]; s[t] = in[t]; __syncthreads(); out[t] = s[t + 100 + (in[0] & "
            "0)];"),
     CUDA_ERROR_ILLEGAL_ADDRESS, "shared"},
    {"four floats at a multiple of four bytes",
     KERNEL("int4 v = *(const int4 *)(in + t * 2 + 1); out[t] = v.x + v.w;"),
     CUDA_ERROR_MISALIGNED_ADDRESS, "no multiple of 16"},
    {"half a warp goes to a barrier",
     KERNEL("if (t % 32 < 16) asm volatile(\"bar.sync 0;\" ::: \"memory\");"
            " else asm volatile(\"bar.sync 1;\" ::: \"memory\"); out[t] = t;"),
     CUDA_ERROR_LAUNCH_FAILED, "lanes"},
    {"a barrier that one warp leaves out",
     KERNEL("if (t < 96) asm volatile(\"bar.sync 1, 128;\" ::: \"memory\"); out[t] = t;"),
     CUDA_ERROR_LAUNCH_TIMEOUT, "never fill"},
    {"a shuffle with lanes that have returned",
     KERNEL("if (t % 32 > 20) return; out[t] = __shfl_xor_sync(~0u, in[t], 1);"),
     CUDA_ERROR_LAUNCH_FAILED, "have returned"},
    {"a trap", KERNEL("if (in[t] >= 0) asm volatile(\"trap;\"); out[t] = 0;"),
     CUDA_ERROR_LAUNCH_FAILED, "trapped"},
};

static const struct planted right[] = {
    {"bytes of one word by two warps",
     KERNEL("__shared__ unsigned char s[128]; s[t % 4 * 32 + t / 4] = (unsigned char)t;"
            " __syncthreads(); out[t] = s[t];"),
     CUDA_SUCCESS, ""},
    {"a pair of barriers hands over from warps 0 and 1 to warps 2 and 3",
     KERNEL("__shared__ int s[64]; for (int i = 0; i < 4; i++) { if (t < 64) {"
            " if (i) asm volatile(\"bar.sync 2, 128;\" ::: \"memory\");"
            " s[t] = in[t] + i; asm volatile(\"bar.arrive 1, 128;\" ::: \"memory\"); } else {"
            " asm volatile(\"bar.sync 1, 128;\" ::: \"memory\"); out[t] = s[127 - t];"
            " if (i < 3) asm volatile(\"bar.arrive 2, 128;\" ::: \"memory\"); } }"),
     CUDA_SUCCESS, ""},
    {"a warp's lanes among themselves",
     KERNEL("__shared__ int s[128]; s[t] = in[t]; __syncwarp(); out[t] = s[t ^ 1];"), CUDA_SUCCESS,
     ""},
    {"copies of two stages",
     KERNEL("__shared__ __align__(16) int s[1024]; " COPY("t * 16", "in + t * 4")
                COMMIT COPY("2048 + t * 16", "in + t * 4")
                    COMMIT WAIT("1") " __syncthreads(); int x = s[t]; " WAIT(
                        "0") " __syncthreads(); out[t] = x + s[512 + t];"),
     CUDA_SUCCESS, ""},
    {"early returns before a barrier",
     KERNEL("if (t >= 64) return; __shared__ int s[64]; s[t] = in[t]; __syncthreads(); out[t] = "
            "s[63 - t];"),
     CUDA_SUCCESS, ""},
    {"counters that all warps add to",
     KERNEL("__shared__ int n; if (!t) n = 0; __syncthreads(); atomicAdd(&n, 1); __syncthreads(); "
            "out[t] = n;"),
     CUDA_SUCCESS, ""},
};

static void check_planted(const struct planted *planted)
{
    static int input[512], output[128];
    struct emulation emulation = {.architecture = "sm_86",
                                  .source = planted->source,
                                  .blocks = 1,
                                  .threads = THREADS,
                                  .input = input,
                                  .input_bytes = sizeof input,
                                  .output = output,
                                  .output_bytes = sizeof output};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result != planted->result)
        CHECK_FAIL("%s: got %d (%s), expected %d", planted->what, result, emulator.last_fault(),
                   planted->result);
    if (result && !strstr(emulator.last_fault(), planted->words))
        CHECK_FAIL("%s: '%s' should say '%s'", planted->what, emulator.last_fault(),
                   planted->words);
}

static void test_mistakes(void **unused)
{
    (void)unused;
    emulator_only(&emulator);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) check_planted(&mistakes[i]);
}

static void test_right(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) check_planted(&right[i]);
}

static struct hone_emulator_counters count_kernel(const char *source)
{
    static int input[512], output[THREADS];
    struct emulation emulation = {.architecture = "sm_86",
                                  .source = source,
                                  .blocks = 1,
                                  .threads = THREADS,
                                  .input = input,
                                  .input_bytes = sizeof input,
                                  .output = output,
                                  .output_bytes = sizeof output};
    struct hone_emulator_counters counters;
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
    assert_true(emulator.last_launches(&counters, 1) >= 1);
    return counters;
}

static void test_counters(void **unused)
{
    (void)unused;
    emulator_only(&emulator);
    struct hone_emulator_counters dense = count_kernel(
        KERNEL("__shared__ int s[4096]; s[t] = in[t]; __syncthreads(); out[t] = s[t ^ 1];"));
    struct hone_emulator_counters strided = count_kernel(KERNEL(
        "__shared__ int s[4096]; s[t * 32] = in[t * 4]; __syncthreads(); out[t] = s[t * 32];"));
    struct hone_emulator_counters quarter = count_kernel(
        KERNEL("__shared__ int s[4096]; s[t * 4] = in[t]; __syncthreads(); out[t] = s[t * 4];"));
    assert_int_equal(dense.shared_accesses, 8);
    assert_int_equal(dense.shared_waves, 8);
    assert_int_equal(strided.shared_waves, 8 * 32);
    assert_int_equal(quarter.shared_waves, 8 * 4);
    assert_int_equal(dense.global_sectors, 2 * 16);
    assert_int_equal(strided.global_sectors, 16 + 64);
    assert_int_equal(dense.unique_sectors, 32);
    assert_int_equal(dense.line_count, 0);
    assert_int_equal(strided.line_count,
                     3); /* the load from global memory, and both accesses to s */
    assert_int_equal(strided.lines[0].shared_waves, 4 * 32);
    assert_non_null(strstr(strided.lines[0].text, ".shared."));
    assert_int_equal(strided.lines[2].global_sectors, 64);
    assert_int_equal(strided.lines[2].global_bytes, 512);
    assert_int_equal(dense.barriers, 1);
    struct hone_emulator_counters again = count_kernel(
        KERNEL("__shared__ int s[4096]; s[t] = in[t]; __syncthreads(); out[t] = s[t ^ 1];"));
    assert_true(again.seconds == dense.seconds && strided.seconds > dense.seconds);
}

EMULATOR_TESTS("sm_86:1GiB", NULL, cmocka_unit_test(test_mistakes), cmocka_unit_test(test_right),
               cmocka_unit_test(test_counters))

#endif
