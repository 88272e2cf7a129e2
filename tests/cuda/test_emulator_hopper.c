/* A whole matrix product in the manner of sm_90a on the stand-in: a producer warpgroup fills stages
 * by tensor maps, consumers wait for them on transaction barriers, multiply with wgmma, and send the
 * result back by a tensor map; and the same with mistakes planted into it. */
#include "base/text.h"
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Their functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

static struct emulator emulator;

enum { ROWS = 200, COLUMNS = 256, DEPTH = 320, TILE = 128, DEPTH_TILE = 64 };

/* C[m][n] = sum of A[m][k] * B[n][k] in bf16: 128 x 128 tiles, stages of 64 columns, rows of 128
 * bytes with the 128-byte swizzle. */
static const char vocabulary_source[] =
    "typedef unsigned u32; typedef unsigned long long u64; typedef unsigned short u16;\n"
    "struct __align__(64) map { u64 opaque[16]; };\n"
    "#define STAGES 3\n"
    "#define HALF_BYTES 16384\n"
    "#define STAGE_BYTES (2 * HALF_BYTES)\n"
    "#define DEPTH 320\n"
    "__device__ void start(u32 b, u32 n) { asm volatile(\"mbarrier.init.shared::cta.b64 [%0], "
    "%1;\" :: \"r\"(b), \"r\"(n) : \"memory\"); }\n"
    "__device__ void expect(u32 b, u32 n) { asm volatile(\"mbarrier.arrive.expect_tx.shared::cta"
    ".b64 _, [%0], %1;\" :: \"r\"(b), \"r\"(n) : \"memory\"); }\n"
    "__device__ void arrive(u32 b) { asm volatile(\"mbarrier.arrive.shared::cta.b64 _, [%0];\" :: "
    "\"r\"(b) : \"memory\"); }\n"
    "__device__ u32 try_wait(u32 b, u32 phase) { u32 r; asm volatile(\"{ .reg .pred p;"
    " mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }\" : \"=r\"(r) "
    ": \"r\"(b), \"r\"(phase) : \"memory\"); return r; }\n"
    "__device__ void wait(u32 b, u32 phase) { while (!try_wait(b, phase)) {} }\n"
    "__device__ void load(u32 to, const map *m, u32 b, int x, int y) { asm volatile("
    "\"cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
    "[%1, {%3, %4}], [%2];\" :: \"r\"(to), \"l\"(m), \"r\"(b), \"r\"(x), \"r\"(y) : \"memory\"); "
    "}\n"
    "__device__ u64 matrix(u32 a) { return (u64)((a & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | "
    "1ull << 62; }\n"
    "__device__ u32 pair(float low, float high) { u32 r; asm(\"cvt.rn.bf16x2.f32 %0, %1, %2;\" : "
    "\"=r\"(r) : \"f\"(high), \"f\"(low)); return r; }\n";

static const char kernel_source[] =
    "extern \"C\" __global__ void __launch_bounds__(384, 1) k(const void *in, void *out,\n"
    " const __grid_constant__ map ma, const __grid_constant__ map mb, const __grid_constant__ map "
    "mc) {\n"
    " extern __shared__ __align__(1024) unsigned char s[];\n"
    " u32 s0 = (u32)__cvta_generic_to_shared(s), bars = s0 + STAGES * STAGE_BYTES;\n"
    " int group = threadIdx.x >> 7, T = DEPTH / 64, bm = blockIdx.x / 2 * 128, bn = blockIdx.x % 2 "
    "* 128;\n"
    " if (threadIdx.x == 0) for (int i = 0; i < STAGES; i++) {\n"
    "  start(bars + 16 * i, 1); start(bars + 16 * i + 8, 256); }\n"
    " asm volatile(\"fence.mbarrier_init.release.cluster;\" ::: \"memory\");\n"
    "#ifndef NO_START_BARRIER\n"
    " __syncthreads();\n"
    "#endif\n"
    " if (group == 2) {\n"
    "  asm volatile(\"setmaxnreg.dec.sync.aligned.u32 40;\");\n"
    "  if (threadIdx.x == 256) for (int t = 0; t < T; t++) {\n"
    "   u32 stage = t % STAGES, full = bars + 16 * stage, to = s0 + stage * STAGE_BYTES;\n"
    "#ifndef NO_EMPTY_WAIT\n"
    "   wait(full + 8, t / STAGES & 1 ^ 1);\n"
    "#endif\n"
    "   expect(full, EXPECTED);\n"
    "   load(to, &ma, full, t * 64, bm); load(to + HALF_BYTES, &mb, full, t * 64, bn); }\n"
    " } else {\n"
    "  asm volatile(\"setmaxnreg.inc.sync.aligned.u32 232;\");\n"
    "  float d[64];\n"
    "  for (int i = 0; i < 64; i++) d[i] = 0;\n"
    "  for (int t = 0; t < T; t++) {\n"
    "   u32 stage = t % STAGES, full = bars + 16 * stage;\n"
    "   u32 a = s0 + stage * STAGE_BYTES + group * 8192, b = s0 + stage * STAGE_BYTES + "
    "HALF_BYTES;\n"
    "#ifndef NO_FULL_WAIT\n"
    "   wait(full, t / STAGES & 1);\n"
    "#endif\n"
    "#ifndef NO_PRODUCT_FENCE\n"
    "   asm volatile(\"wgmma.fence.sync.aligned;\" ::: \"memory\");\n"
    "#endif\n"
    "   for (int k = 0; k < 4; k++) multiply(d, matrix(a + k * 32), matrix(b + k * 32));\n"
    "   asm volatile(\"wgmma.commit_group.sync.aligned;\" ::: \"memory\");\n"
    "#ifdef EARLY_ARRIVE\n"
    "   arrive(full + 8);\n"
    "#endif\n"
    "#ifndef NO_PRODUCT_WAIT\n"
    "   asm volatile(\"wgmma.wait_group.sync.aligned 0;\" ::: \"memory\");\n"
    "#endif\n"
    "#ifndef EARLY_ARRIVE\n"
    "   arrive(full + 8);\n"
    "#endif\n"
    "  }\n"
    "  asm volatile(\"bar.sync 1, 256;\" ::: \"memory\");\n"
    "  u32 warp = threadIdx.x >> 5, lane = threadIdx.x & 31, row = warp * 16 + (lane >> 2);\n"
    "  for (u32 j = 0; j < 32; j++) {\n" /* rows of 64 columns, swizzled, in two halves of 16 KiB */
    "   u32 y = row + j % 2 * 8, x = j / 2 * 8 + (lane & 3) * 2;\n"
    "   u32 at = s0 + x / 64 * HALF_BYTES + y * 128 + (x % 64 * 2 ^ (y & 7) << 4);\n"
    "   asm volatile(\"st.shared.b32 [%0], %1;\" :: \"r\"(at), \"r\"(pair(d[j * 2], d[j * 2 + 1]))"
    " : \"memory\"); }\n"
    "#ifndef NO_PROXY_FENCE\n"
    "  asm volatile(\"fence.proxy.async.shared::cta;\" ::: \"memory\");\n"
    "#endif\n"
    "  asm volatile(\"bar.sync 1, 256;\" ::: \"memory\");\n"
    "  if (threadIdx.x == 0) {\n"
    "   for (int h = 0; h < 2; h++) asm volatile("
    "\"cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];\" :: "
    "\"l\"(&mc), \"r\"(s0 + h * HALF_BYTES), \"r\"(bn + h * 64), \"r\"(bm) : \"memory\");\n"
    "   asm volatile(\"cp.async.bulk.commit_group;\" ::: \"memory\");\n"
    "#ifndef NO_STORE_WAIT\n"
    "   asm volatile(\"cp.async.bulk.wait_group 0;\" ::: \"memory\");\n"
    "#endif\n"
    "  } } }\n";

/* "multiply", whose asm names 64 accumulators. */
static const char *whole_source(struct arena *arena, const char *flags)
{
    struct text text = {.arena = arena};
    bool told = strstr(flags, "EXPECTED") != NULL;
    text_print(&text, "%s\n%s%s", flags, told ? "" : "#define EXPECTED STAGE_BYTES\n",
               vocabulary_source);
    text_append(&text,
                "__device__ void multiply(float *d, unsigned long long a, unsigned long long "
                "b) {\n asm volatile(\"wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16"
                ".bf16 {");
    for (int i = 0; i < 64; i++) text_print(&text, "%s%%%d", i ? ", " : "", i);
    text_append(&text, "}, %64, %65, 1, 1, 1, 0, 0;\" : ");
    for (int i = 0; i < 64; i++) text_print(&text, "%s\"+f\"(d[%d])", i ? ", " : "", i);
    text_print(&text, " : \"l\"(a), \"l\"(b)); }\n%s", kernel_source);
    return text_finish(&text);
}

static uint16_t input[(ROWS + COLUMNS) * DEPTH], output[ROWS * COLUMNS];

static CUresult run_product(const char *flags)
{
    struct arena *arena = arena_create(0);
    struct emulated_tensor tensor = {.type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                                     .pitch_bytes = DEPTH * 2,
                                     .sizes = {DEPTH, ROWS},
                                     .box = {DEPTH_TILE, TILE},
                                     .swizzle = CU_TENSOR_MAP_SWIZZLE_128B};
    struct emulation emulation = {.architecture = "sm_90a",
                                  .source = whole_source(arena, flags),
                                  .tensors = {tensor, tensor, tensor},
                                  .tensor_count = 3,
                                  .blocks = 4,
                                  .threads = 384,
                                  .shared_bytes = 3 * 32768 + 3 * 16,
                                  .input = input,
                                  .input_bytes = sizeof input,
                                  .output = output,
                                  .output_bytes = sizeof output};
    emulation.tensors[1].offset_bytes = (size_t)ROWS * DEPTH * 2;
    emulation.tensors[1].sizes[1] = COLUMNS;
    emulation.tensors[2].output = true;
    emulation.tensors[2].pitch_bytes = COLUMNS * 2;
    emulation.tensors[2].sizes[0] = COLUMNS;
    memset(output, 0xff, sizeof output);
    CUresult result = emulator_run(&emulator, &emulation);
    arena_destroy(arena);
    return result;
}

static double expected_at(int m, int n)
{
    double sum = 0;
    for (int k = 0; k < DEPTH; k++)
        sum += (double)bf16_decode(input[m * DEPTH + k]) *
               (double)bf16_decode(input[(ROWS + n) * DEPTH + k]);
    return sum;
}

static int count_wrong(void)
{
    int wrong = 0;
    for (int m = 0; m < ROWS; m++)
        for (int n = 0; n < COLUMNS; n++) {
            double sum = expected_at(m, n), got = (double)bf16_decode(output[m * COLUMNS + n]);
            wrong += !(fabs(got - sum) <= 0.004 * fabs(sum) + 1e-3);
        }
    return wrong;
}

static void test_product(void **unused)
{
    (void)unused;
    struct hone_emulator_counters counters;
    CUresult result = run_product("");
    if (result) CHECK_FAIL("%d: %s", result, emulator.last_fault());
    assert_int_equal(count_wrong(), 0);
    if (emulator.real) return;
    assert_true(emulator.last_launches(&counters, 1) >= 1);
    assert_int_equal(counters.matrix_operations, 2 * 256 * COLUMNS * DEPTH);
    /* Rows behind the last are not fetched; every tile of A is fetched twice, of B too. */
    assert_int_equal(counters.global_bytes, 2 * 2 * (ROWS + COLUMNS) * DEPTH + 2 * ROWS * COLUMNS);
}

static void test_mistakes(void **unused)
{
    (void)unused;
    emulator_only(&emulator);
    static const struct {
        const char *flags;
        CUresult result;
        const char *words;
    } mistakes[] = {
        {"#define NO_FULL_WAIT", CUDA_ERROR_LAUNCH_FAILED, "wgmma"},
        {"#define NO_EMPTY_WAIT", CUDA_ERROR_LAUNCH_FAILED, "mbarrier"},
        {"#define EARLY_ARRIVE", CUDA_ERROR_LAUNCH_FAILED, "race"},
        {"#define NO_PRODUCT_WAIT", CUDA_SUCCESS, NULL}, /* its accumulators are not there yet */
        {"#define NO_PRODUCT_FENCE", CUDA_ERROR_LAUNCH_FAILED, "wgmma.fence"},
        {"#define NO_PROXY_FENCE", CUDA_ERROR_LAUNCH_FAILED, "fence.proxy.async"},
        {"#define NO_STORE_WAIT", CUDA_ERROR_LAUNCH_FAILED, "without having waited"},
        {"#define NO_START_BARRIER", CUDA_ERROR_LAUNCH_FAILED, "race"},
        {"#define EXPECTED (STAGE_BYTES + 16)", CUDA_ERROR_LAUNCH_TIMEOUT, "never completes"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        CUresult result = run_product(mistakes[i].flags);
        bool caught = result || count_wrong();
        if (!caught) CHECK_FAIL("%s: not noticed", mistakes[i].flags);
        if (!mistakes[i].words) continue;
        if (result != mistakes[i].result || !strstr(emulator.last_fault(), mistakes[i].words))
            CHECK_FAIL("%s: got %d (%s), expected %d", mistakes[i].flags, result,
                       emulator.last_fault(), mistakes[i].result);
    }
}

static int fill_input(void **state_of_group)
{
    (void)state_of_group;
    emulator_random_bf16(40, input, (ROWS + COLUMNS) * DEPTH);
    return 0;
}

EMULATOR_TESTS("sm_90:1GiB", fill_input, cmocka_unit_test(test_product),
               cmocka_unit_test(test_mistakes))

#endif
