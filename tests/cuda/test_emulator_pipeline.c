/* A whole matrix product on the stand-in, on every architecture with cp.async: a pipeline of stages,
 * ldmatrix without bank conflicts, mma.sync. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Their functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

static struct emulator emulator;

/* C[m][n] = sum of A[m][k] * B[n][k], bf16 into f32: 64 x 64 tiles by four warps, three stages of 32
 * columns, rows of 64 bytes whose 16-byte chunks are permuted so that ldmatrix has no conflicts. */
static const char pipeline_source[] =
    "typedef unsigned u32;\n"
    "#define STAGES 3\n"
    "#define STAGE_BYTES 8192\n"
    "__device__ u32 place(u32 row, u32 chunk) { return row * 64 + ((chunk ^ (row >> 1 & 3)) << 4); "
    "}\n"
    "__device__ void fetch(u32 to, const unsigned short *from, int depth) {\n"
    " for (u32 i = threadIdx.x; i < 256; i += 128)\n"
    "  asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16;\" :: \"r\"(to + place(i >> 2, i & "
    "3)),\n"
    "   \"l\"(from + (long long)(i >> 2) * depth + (i & 3) * 8) : \"memory\"); }\n"
    "extern \"C\" __global__ void __launch_bounds__(128) k(const unsigned short *in, float *out) "
    "{\n"
    " extern __shared__ __align__(128) unsigned char s[];\n"
    " const int M = 128, N = 128, K = 192, T = K / 32;\n"
    " u32 s0 = (u32)__cvta_generic_to_shared(s), t = threadIdx.x, lane = t & 31, warp = t >> 5;\n"
    " int bm = blockIdx.x / 2 * 64, bn = blockIdx.x % 2 * 64;\n"
    " const unsigned short *A = in + (long long)bm * K, *B = in + (long long)(M + bn) * K;\n"
    " float d[2][4][4] = {};\n"
    " for (int i = 0; i < STAGES - 1; i++) {\n"
    "  fetch(s0 + i * STAGE_BYTES, A + i * 32, K); fetch(s0 + i * STAGE_BYTES + 4096, B + i * 32, "
    "K);\n"
    "  asm volatile(\"cp.async.commit_group;\" ::: \"memory\"); }\n"
    " for (int i = 0; i < T; i++) {\n"
    "  asm volatile(\"cp.async.wait_group %0;\" :: \"n\"(STAGES - 2) : \"memory\");\n"
    "  __syncthreads();\n"
    "  int next = i + STAGES - 1; u32 to = s0 + next % STAGES * STAGE_BYTES;\n"
    "  if (next < T) { fetch(to, A + next * 32, K); fetch(to + 4096, B + next * 32, K); }\n"
    "  asm volatile(\"cp.async.commit_group;\" ::: \"memory\");\n"
    "  u32 sa = s0 + i % STAGES * STAGE_BYTES, sb = sa + 4096;\n"
    "  for (u32 kk = 0; kk < 2; kk++) {\n"
    "   u32 a[2][4], b[2][4];\n"
    "   for (u32 m = 0; m < 2; m++)\n"
    "    asm volatile(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\"\n"
    "     : \"=r\"(a[m][0]), \"=r\"(a[m][1]), \"=r\"(a[m][2]), \"=r\"(a[m][3])\n"
    "     : \"r\"(sa + place((warp & 1) * 32 + m * 16 + (lane & 15), kk * 2 + (lane >> 4))) : "
    "\"memory\");\n"
    "   for (u32 n = 0; n < 2; n++)\n"
    "    asm volatile(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\"\n"
    "     : \"=r\"(b[n][0]), \"=r\"(b[n][1]), \"=r\"(b[n][2]), \"=r\"(b[n][3])\n"
    "     : \"r\"(sb + place((warp >> 1) * 32 + n * 16 + (lane & 7) + (lane >> 4) * 8, kk * 2 + "
    "(lane >> 3 & 1))) : \"memory\");\n"
    "   for (u32 m = 0; m < 2; m++) for (u32 n = 0; n < 4; n++)\n"
    "    asm volatile(\"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, "
    "%5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\"\n"
    "     : \"+f\"(d[m][n][0]), \"+f\"(d[m][n][1]), \"+f\"(d[m][n][2]), \"+f\"(d[m][n][3])\n"
    "     : \"r\"(a[m][0]), \"r\"(a[m][1]), \"r\"(a[m][2]), \"r\"(a[m][3]), \"r\"(b[n / 2][n % 2 * "
    "2]), \"r\"(b[n / 2][n % 2 * 2 + 1]));\n"
    "  } }\n"
    " for (u32 m = 0; m < 2; m++) for (u32 n = 0; n < 4; n++) for (u32 e = 0; e < 4; e++)\n"
    "  out[(bm + (warp & 1) * 32 + m * 16 + (lane >> 2) + e / 2 * 8) * N + bn + (warp >> 1) * 32 + "
    "n * 8 + (lane & 3) * 2 + e % 2] = d[m][n][e];\n"
    "}\n";

static void test_pipeline(void **unused)
{
    (void)unused;
    enum { SIDE = 128, DEPTH = 192 };
    static const char *const architectures[] = {"sm_80", "sm_86", "sm_89", "sm_120"};
    static uint16_t input[2 * SIDE * DEPTH];
    static float output[SIDE * SIDE];
    uint64_t state = 21;
    for (int i = 0; i < 2 * SIDE * DEPTH; i++)
        input[i] = bf16_encode((float)((int)(emulator_random(&state) % 2001) - 1000) / 1000.0f);
    for (int a = 0; a < 4; a++) {
        if (!emulator_can_run(&emulator, architectures[a])) continue;
        memset(output, 0xff, sizeof output);
        struct emulation emulation = {.architecture = architectures[a],
                                      .source = pipeline_source,
                                      .blocks = 4,
                                      .threads = 128,
                                      .shared_bytes = 3 * 8192,
                                      .input = input,
                                      .input_bytes = sizeof input,
                                      .output = output,
                                      .output_bytes = sizeof output};
        CUresult result = emulator_run(&emulator, &emulation);
        if (result) CHECK_FAIL("%s: %d: %s", architectures[a], result, emulator.last_fault());
        for (int m = 0; m < SIDE; m++)
            for (int n = 0; n < SIDE; n++) {
                double sum = 0;
                for (int k = 0; k < DEPTH; k++)
                    sum += (double)bf16_decode(input[m * DEPTH + k]) *
                           (double)bf16_decode(input[(SIDE + n) * DEPTH + k]);
                assert_true(fabs(sum - (double)output[m * SIDE + n]) < 1e-4);
            }
        if (emulator.real) continue;
        struct hone_emulator_counters counters;
        assert_true(emulator.last_launches(&counters, 1) >= 1);
        assert_int_equal(counters.matrix_operations, 2 * SIDE * SIDE * DEPTH);
        assert_int_equal(counters.shared_waves, counters.shared_accesses); /* no bank conflicts */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pipeline)};
    if (!emulator_open(&emulator, EMULATOR_LIBRARY, "sm_120:1GiB", NULL)) return 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    emulator_close(&emulator);
    return failed;
}

#else
int main(void)
{
    puts("skipped: built without the CUDA toolkit's cuda.h");
    return 0;
}
#endif
