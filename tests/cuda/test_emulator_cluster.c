/* Clusters on the stand-in: the barrier, shared memory of other blocks, arrivals at their
 * transaction barriers, bulk copies to one block and to all, and out of shared memory. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

static struct emulator emulator;

enum { BLOCKS = 8, CLUSTER = 4, THREADS = 128 };

#define VOCABULARY                                                                                 \
    "typedef unsigned u32; typedef unsigned long long u64;\n"                                      \
    "__device__ u32 rank() { u32 r; asm volatile(\"mov.u32 %0, %%cluster_ctarank;\" : \"=r\"(r));" \
    " return r; }\n"                                                                               \
    "__device__ u32 there(u32 a, u32 r) { u32 d; asm volatile(\"mapa.shared::cluster.u32 %0, %1, " \
    "%2;\" : \"=r\"(d) : \"r\"(a), \"r\"(r)); return d; }\n"                                       \
    "__device__ u32 get(u32 a) { u32 v; asm volatile(\"ld.shared::cluster.u32 %0, [%1];\" : "      \
    "\"=r\"(v) : \"r\"(a) : \"memory\"); return v; }\n"                                            \
    "__device__ void meet() { asm volatile(\"barrier.cluster.arrive.release.aligned; "             \
    "barrier.cluster.wait.acquire.aligned;\" ::: \"memory\"); }\n"                                 \
    "__device__ void start(u32 b, u32 n) { asm volatile(\"mbarrier.init.shared::cta.b64 [%0], "    \
    "%1;\" :: \"r\"(b), \"r\"(n) : \"memory\"); }\n"                                               \
    "__device__ void expect(u32 b, u32 n) { asm volatile(\"mbarrier.arrive.expect_tx.release.cta"  \
    ".shared::cta.b64 _, [%0], %1;\" :: \"r\"(b), \"r\"(n) : \"memory\"); }\n"                     \
    "__device__ void arrive_there(u32 b) { asm volatile(\"mbarrier.arrive.release.cluster"         \
    ".shared::cluster.b64 _, [%0];\" :: \"r\"(b) : \"memory\"); }\n"                               \
    "__device__ void wait(u32 b, u32 phase) { u32 r; do asm volatile(\"{ .reg .pred p;"            \
    " mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, "   \
    "p; }\" : \"=r\"(r) : \"r\"(b), \"r\"(phase) : \"memory\"); while (!r); }\n"                   \
    "__device__ u32 place(const void *p) { return (u32)__cvta_generic_to_shared(p); }\n"

#define KERNEL(body)                                                                               \
    VOCABULARY "extern \"C\" __global__ void __cluster_dims__(4) k(const u32 *in, u32 *out) {\n"   \
               " int t = threadIdx.x, i = blockIdx.x * 128 + t; (void)i;\n" body "}\n"

static uint32_t input[BLOCKS * THREADS * 4], output[BLOCKS * THREADS];

static CUresult run_cluster(const char *source)
{
    struct emulation emulation = {.architecture = "sm_90a",
                                  .source = source,
                                  .blocks = BLOCKS,
                                  .threads = THREADS,
                                  .cluster = CLUSTER,
                                  .input = input,
                                  .input_bytes = sizeof input,
                                  .output = output,
                                  .output_bytes = sizeof output};
    memset(output, 0xff, sizeof output);
    return emulator_run(&emulator, &emulation);
}

static void run_right(const char *source)
{
    CUresult result = run_cluster(source);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
}

/* Each block reads the numbers of the next one of its cluster. */
static void test_shared_memory(void **unused)
{
    (void)unused;
    run_right(KERNEL(" __shared__ u32 s[128]; s[t] = in[i]; meet();\n"
                     " out[i] = get(there(place(s + t), (rank() + 1) % 4)); meet();\n"));
    for (int b = 0; b < BLOCKS; b++)
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(output[b * THREADS + t],
                             input[(b / CLUSTER * CLUSTER + (b + 1) % CLUSTER) * THREADS + t]);
}

/* The first block waits until a thread of each block has put a number into its shared memory. */
static void test_arrivals(void **unused)
{
    (void)unused;
    run_right(
        KERNEL(" __shared__ u32 s[4]; __shared__ u64 b; if (t == 0 && rank() == 0) start(place(&b),"
               " 4);\n meet();\n"
               " if (t == 0) { u32 to = there(place(s + rank()), 0);"
               " asm volatile(\"st.shared::cluster.u32 [%0], %1;\" :: \"r\"(to), \"r\"(in[i]) : "
               "\"memory\"); arrive_there(there(place(&b), 0)); }\n"
               " if (rank() == 0) { wait(place(&b), 0); if (t < 4) out[i] = s[t]; }\n meet();\n"));
    for (int b = 0; b < BLOCKS; b++)
        assert_int_equal(output[b / CLUSTER * CLUSTER * THREADS + b % CLUSTER], input[b * THREADS]);
}

/* Every block sends a quarter of 2 KiB to all; each waits for all of them, and copies a part out. */
#define SEND                                                                                       \
    " __shared__ __align__(128) u32 s[512]; __shared__ u64 b;\n"                                   \
    " if (t == 0) { start(place(&b), 1); expect(place(&b), 2048); }\n"                             \
    " asm volatile(\"fence.mbarrier_init.release.cluster;\" ::: \"memory\"); meet();\n"            \
    " if (t == 0) asm volatile(\"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::byte" \
    "s.multicast::cluster [%0], [%1], 512, [%2], %3;\" :: \"r\"(place(s + rank() * 128)), "        \
    "\"l\"(in + blockIdx.x / 4 * 512 + rank() * 128), \"r\"(place(&b)), \"h\"((short)15) : "       \
    "\"memory\");\n"
#define RECEIVE                                                                                    \
    " for (int x = t; x < 512; x += 128) s[x] += rank();\n"                                        \
    " asm volatile(\"fence.proxy.async;\" ::: \"memory\"); __syncthreads();\n"                     \
    " if (t == 0) { asm volatile(\"cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], 512;"   \
    " cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;\" :: \"l\"(out + i), "          \
    "\"r\"(place(s + rank() * 128)) : \"memory\"); }\n"

static void test_multicast(void **unused)
{
    (void)unused;
    run_right(KERNEL(SEND " wait(place(&b), 0);\n __syncthreads();\n" RECEIVE " meet();\n"));
    for (int b = 0; b < BLOCKS; b++)
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(output[b * THREADS + t],
                             input[b / CLUSTER * 512 + b % CLUSTER * 128 + t] +
                                 (uint32_t)(b % CLUSTER));
}

/* Every block sends a box of 4 rows of 32 numbers to all; each box is fetched once. */
static const char box_source[] = VOCABULARY
    "struct __align__(64) map { u64 opaque[16]; };\n"
    "extern \"C\" __global__ void __cluster_dims__(4) k(const u32 *in, u32 *out, const "
    "__grid_constant__ map m) {\n"
    " __shared__ __align__(128) u32 s[512]; __shared__ u64 b; int t = threadIdx.x;\n"
    " if (t == 0) { start(place(&b), 1); expect(place(&b), 2048); }\n"
    " asm volatile(\"fence.mbarrier_init.release.cluster;\" ::: \"memory\"); meet();\n"
    " if (t == 0) asm "
    "volatile(\"cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
    ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;\" :: \"r\"(place(s + rank() * 128)), "
    "\"l\"(&m), "
    "\"r\"(place(&b)), \"r\"(rank() * 32), \"r\"(blockIdx.x / 4 * 4), \"h\"((short)15) : "
    "\"memory\");\n"
    " wait(place(&b), 0); out[blockIdx.x * 128 + t] = s[(rank() + 1) % 4 * 128 + t]; meet(); }\n";

static void test_multicast_boxes(void **unused)
{
    (void)unused;
    struct hone_emulator_counters counters;
    struct emulation emulation = {.architecture = "sm_90a",
                                  .source = box_source,
                                  .tensors = {{.type = CU_TENSOR_MAP_DATA_TYPE_UINT32,
                                               .pitch_bytes = 512,
                                               .sizes = {128, 8},
                                               .box = {32, 4}}},
                                  .tensor_count = 1,
                                  .blocks = BLOCKS,
                                  .threads = THREADS,
                                  .cluster = CLUSTER,
                                  .input = input,
                                  .input_bytes = sizeof input,
                                  .output = output,
                                  .output_bytes = sizeof output};
    CUresult result = emulator_run(&emulator, &emulation);
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
    for (int b = 0; b < BLOCKS; b++)
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(
                output[b * THREADS + t],
                input[(b / CLUSTER * 4 + t / 32) * 128 + (b + 1) % CLUSTER * 32 + t % 32]);
    if (emulator.real) return;
    assert_true(emulator.last_launches(&counters, 1) >= 1);
    assert_int_equal(counters.global_bytes, 2 * sizeof output);
}

static void test_mistakes(void **unused)
{
    (void)unused;
    emulator_only(&emulator);
    static const struct {
        const char *what, *source;
        CUresult result;
        const char *words;
    } mistakes[] = {
        {"nobody waits for the copies", KERNEL(SEND " __syncthreads();\n" RECEIVE " meet();\n"),
         CUDA_ERROR_LAUNCH_FAILED, "before the copy"},
        {"another block's memory, without a barrier",
         KERNEL(" __shared__ u32 s[128]; s[t] = in[i];\n"
                " out[i] = get(there(place(s + t), (rank() + 1) % 4)); meet();\n"),
         CUDA_ERROR_LAUNCH_FAILED, "nobody has written"},
        {"a barrier that one block leaves out",
         KERNEL(" if (rank() != 2) asm volatile(\"barrier.cluster.arrive.aligned;"
                " barrier.cluster.wait.aligned;\" ::: \"memory\");\n"
                " else asm volatile(\"bar.sync 1, 256;\" ::: \"memory\"); out[i] = 0;"),
         CUDA_ERROR_LAUNCH_TIMEOUT, "never fill"},
        {"a wait without an arrival",
         KERNEL(" asm volatile(\"barrier.cluster.wait.aligned;\" ::: \"memory\"); out[i] = 0;"),
         CUDA_ERROR_LAUNCH_FAILED, "without having arrived"},
        {"a block behind the last of the cluster",
         KERNEL(" __shared__ u32 s[128]; s[t] = in[i]; meet();\n"
                " out[i] = get(there(place(s + t), rank() + 1)); meet();\n"),
         CUDA_ERROR_ILLEGAL_ADDRESS, "shared"},
        {"one arrival too many",
         KERNEL(" __shared__ u64 b; if (t == 0) start(place(&b), 1); __syncthreads();\n"
                " if (t == 0) expect(place(&b), 16); __syncthreads();"
                " if (t == 1) expect(place(&b), 16); out[i] = 0;"),
         CUDA_ERROR_LAUNCH_FAILED, "arrivals"},
        {"no barrier there",
         KERNEL(" __shared__ u64 b; if (t == 0) wait(place(&b), 0); out[i] = 0;"),
         CUDA_ERROR_LAUNCH_FAILED, "no mbarrier"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        CUresult result = run_cluster(mistakes[i].source);
        if (result != mistakes[i].result || !strstr(emulator.last_fault(), mistakes[i].words))
            CHECK_FAIL("%s: got %d (%s), expected %d", mistakes[i].what, result,
                       emulator.last_fault(), mistakes[i].result);
    }
}

static int fill_input(void **state_of_group)
{
    (void)state_of_group;
    uint64_t state = 60;
    for (size_t i = 0; i < sizeof input / sizeof *input; i++) input[i] = emulator_random(&state);
    return 0;
}

EMULATOR_TESTS("sm_90:1GiB", fill_input, cmocka_unit_test(test_shared_memory),
               cmocka_unit_test(test_arrivals), cmocka_unit_test(test_multicast),
               cmocka_unit_test(test_multicast_boxes), cmocka_unit_test(test_mistakes))

#endif
