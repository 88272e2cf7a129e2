/* A whole matrix product on the stand-in, on every architecture with cp.async: a pipeline of stages,
 * ldmatrix without bank conflicts, mma.sync; and the mistakes that are made in such kernels. */
#include "base/text.h"
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Their functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

static struct emulator emulator;

enum { ROWS = 100, COLUMNS = 128, DEPTH = 192 };

/* C[m][n] = sum of A[m][k] * B[n][k], bf16 into f32: 64 x 64 tiles by four warps, three stages of 32
 * columns, rows of 64 bytes whose 16-byte chunks are permuted so that ldmatrix has no conflicts.  A
 * lies behind B, at the end of the input.  The words in capitals are where mistakes go. */
static const char defaults_source[] =
    "typedef unsigned u32;\n"
    "#define STAGES 3\n"
    "#define STAGE_BYTES 8192\n"
    "#ifndef WAITS\n#define WAITS (STAGES - 2)\n#endif\n"
    "#ifndef BARRIER\n#define BARRIER __syncthreads();\n#endif\n"
    "#ifndef PERMUTED\n#define PERMUTED(row) (row >> 1 & 3)\n#endif\n"
    "#ifndef FETCH_PERMUTED\n#define FETCH_PERMUTED PERMUTED\n#endif\n"
    "#ifndef FETCHES\n#define FETCHES(row) (row < rows)\n#endif\n"
    "#ifndef STORES\n#define STORES(row) (row < M)\n#endif\n"
    "#ifndef FRAGMENTS\n#define FRAGMENTS \"%4, %5, %6, %7\"\n#endif\n"
    "#ifndef PAIR\n#define PAIR \"%8, %9\"\n#endif\n"
    "#ifndef NEXT\n#define NEXT (next % STAGES)\n#endif\n"
    "#ifndef STEPS\n#define STEPS T\n#endif\n"
    "#ifndef COMMITS\n#define COMMITS 1\n#endif\n"
    "#ifndef DOWN\n#define DOWN (e / 2 * 8)\n#endif\n"
    "#ifndef TURNED\n#define TURNED \"\"\n#endif\n"
    "#ifndef CLEARED\n#define CLEARED = {}\n#endif\n";

static const char pipeline_source[] =
    "__device__ u32 place(u32 row, u32 chunk) { return row * 64 + ((chunk ^ PERMUTED(row)) << 4); "
    "}\n"
    "__device__ void fetch(u32 to, const unsigned short *from, int depth, int rows) {\n"
    " for (u32 i = threadIdx.x; i < 256; i += 128) { int row = i >> 2, there = FETCHES(row);\n"
    "  asm volatile(\"cp.async.cg.shared.global [%0], [%1], 16, %2;\" :: \"r\"(to + row * 64 + "
    "((i & 3 ^ FETCH_PERMUTED(row)) << 4)),\n"
    "   \"l\"(from + (long long)(there ? row : 0) * depth + (i & 3) * 8), \"r\"(there * 16) : "
    "\"memory\"); } }\n"
    "__device__ void commit() { asm volatile(\"cp.async.commit_group;\" ::: \"memory\"); }\n"
    "extern \"C\" __global__ void __launch_bounds__(128) k(const unsigned short *in, float *out) "
    "{\n"
    " extern __shared__ __align__(128) unsigned char s[];\n"
    " const int M = 100, N = 128, K = 192, T = K / 32;\n"
    " u32 s0 = (u32)__cvta_generic_to_shared(s), t = threadIdx.x, lane = t & 31, warp = t >> 5;\n"
    " int bm = blockIdx.x / 2 * 64, bn = blockIdx.x % 2 * 64;\n"
    " const unsigned short *A = in + (long long)(N + bm) * K, *B = in + (long long)bn * K;\n"
    " float d[2][4][4] CLEARED;\n"
    " for (int i = 0; i < STAGES - 1; i++) {\n"
    "  fetch(s0 + i * STAGE_BYTES, A + i * 32, K, M - bm); fetch(s0 + i * STAGE_BYTES + 4096, B + "
    "i * 32, K, 64);\n"
    "  commit(); }\n"
    " for (int i = 0; i < STEPS; i++) {\n"
    "  asm volatile(\"cp.async.wait_group %0;\" :: \"n\"(WAITS) : \"memory\");\n"
    "  BARRIER\n"
    "  int next = i + STAGES - 1; u32 to = s0 + NEXT * STAGE_BYTES;\n"
    "  if (next < T) { fetch(to, A + next * 32, K, M - bm); fetch(to + 4096, B + next * 32, K, "
    "64); "
    "}\n"
    "  if (COMMITS) commit();\n"
    "  u32 sa = s0 + i % STAGES * STAGE_BYTES, sb = sa + 4096;\n"
    "  for (u32 kk = 0; kk < 2; kk++) {\n"
    "   u32 a[2][4], b[2][4];\n"
    "   for (u32 m = 0; m < 2; m++)\n"
    "    asm volatile(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\"\n"
    "     : \"=r\"(a[m][0]), \"=r\"(a[m][1]), \"=r\"(a[m][2]), \"=r\"(a[m][3])\n"
    "     : \"r\"(sa + place((warp & 1) * 32 + m * 16 + (lane & 15), kk * 2 + (lane >> 4))) : "
    "\"memory\");\n"
    "   for (u32 n = 0; n < 2; n++)\n"
    "    asm volatile(\"ldmatrix.sync.aligned.m8n8.x4\" TURNED \".shared.b16 {%0, %1, %2, %3}, "
    "[%4];\"\n"
    "     : \"=r\"(b[n][0]), \"=r\"(b[n][1]), \"=r\"(b[n][2]), \"=r\"(b[n][3])\n"
    "     : \"r\"(sb + place((warp >> 1) * 32 + n * 16 + (lane & 7) + (lane >> 4) * 8, kk * 2 + "
    "(lane >> 3 & 1))) : \"memory\");\n"
    "   for (u32 m = 0; m < 2; m++) for (u32 n = 0; n < 4; n++)\n"
    "    asm volatile(\"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {\" "
    "FRAGMENTS \"}, {\" PAIR \"}, {%0, %1, %2, %3};\"\n"
    "     : \"+f\"(d[m][n][0]), \"+f\"(d[m][n][1]), \"+f\"(d[m][n][2]), \"+f\"(d[m][n][3])\n"
    "     : \"r\"(a[m][0]), \"r\"(a[m][1]), \"r\"(a[m][2]), \"r\"(a[m][3]), \"r\"(b[n / 2][n % 2 * "
    "2]), \"r\"(b[n / 2][n % 2 * 2 + 1]));\n"
    "  } }\n"
    " for (u32 m = 0; m < 2; m++) for (u32 n = 0; n < 4; n++) for (u32 e = 0; e < 4; e++) {\n"
    "  int row = bm + (warp & 1) * 32 + m * 16 + (lane >> 2) + DOWN;\n"
    "  if (STORES(row)) out[row * N + bn + (warp >> 1) * 32 + n * 8 + (lane & 3) * 2 + e % 2] = "
    "d[m][n][e]; }\n"
    "}\n";

static uint16_t input[(ROWS + COLUMNS) * DEPTH];
static float output[ROWS * COLUMNS];

static CUresult run_pipeline(const char *architecture, const char *mistake)
{
    struct arena *arena = arena_create(0);
    struct emulation emulation = {
        .architecture = architecture,
        .source = arena_print(arena, "%s\n%s%s", mistake, defaults_source, pipeline_source),
        .blocks = 4,
        .threads = 128,
        .shared_bytes = 3 * 8192,
        .input = input,
        .input_bytes = sizeof input,
        .output = output,
        .output_bytes = sizeof output};
    memset(output, 0xff, sizeof output);
    CUresult result = emulator_run(&emulator, &emulation);
    arena_destroy(arena);
    return result;
}

static int count_wrong(void)
{
    int wrong = 0;
    for (int m = 0; m < ROWS; m++)
        for (int n = 0; n < COLUMNS; n++) {
            double sum = 0;
            for (int k = 0; k < DEPTH; k++)
                sum += (double)bf16_decode(input[(COLUMNS + m) * DEPTH + k]) *
                       (double)bf16_decode(input[n * DEPTH + k]);
            wrong += !(fabs(sum - (double)output[m * COLUMNS + n]) < 1e-4);
        }
    return wrong;
}

static void test_pipeline(void **unused)
{
    (void)unused;
    static const char *const architectures[] = {"sm_80", "sm_86", "sm_89", "sm_90a", "sm_120"};
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++) {
        if (!emulator_can_run(&emulator, architectures[a])) continue;
        CUresult result = run_pipeline(architectures[a], "");
        if (result) CHECK_FAIL("%s: %d: %s", architectures[a], result, emulator.last_fault());
        assert_int_equal(count_wrong(), 0);
        if (emulator.real) continue;
        struct hone_emulator_counters counters;
        assert_true(emulator.last_launches(&counters, 1) >= 1);
        assert_int_equal(counters.matrix_operations, 2 * 128 * COLUMNS * DEPTH);
        assert_int_equal(counters.shared_waves, counters.shared_accesses); /* no bank conflicts */
    }
}

/* What each mistake shows as: a reason, wrong numbers, or bank conflicts. */
static void test_mistakes(void **unused)
{
    (void)unused;
    static const struct {
        const char *what, *define, *words; /* words NULL: wrong numbers; "": either */
    } mistakes[] = {
        {"no barrier", "#define BARRIER", ""},
        {"wrong count of a wait", "#define WAITS (STAGES - 1)", "before the copy"},
        {"empty groups are not counted", "#define COMMITS (next < T)", "before the copy"},
        {"a stage is filled while it is read", "#define NEXT (i % STAGES)", "before the copy"},
        {"no predicate for the rows that are fetched", "#define FETCHES(row) 1",
         "of an allocation of"},
        {"no predicate for the rows that are stored", "#define STORES(row) 1",
         "of an allocation of"},
        {"fragments of A swapped", "#define FRAGMENTS \"%4, %6, %5, %7\"", NULL},
        {"fragments of B swapped", "#define PAIR \"%9, %8\"", NULL},
        {"a permutation that is not undone", "#define FETCH_PERMUTED(row) (row & 3)", NULL},
        {"the last step left out", "#define STEPS (T - 1)", NULL},
        {"rows of the result", "#define DOWN (e % 2 * 8)", NULL},
        {"B transposed", "#define TURNED \".trans\"", NULL},
        {"sums that begin anywhere",
         "#define CLEARED ; for (int i = 0; i < 32; i++) (&d[0][0][0])[i]"
         " = (float)threadIdx.x",
         NULL},
    };
    emulator_only(&emulator);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        CUresult result = run_pipeline("sm_86", mistakes[i].define);
        const char *words = mistakes[i].words;
        bool caught =
            words ? result && strstr(emulator.last_fault(), words) : !result && count_wrong() > 0;
        if (!caught)
            CHECK_FAIL("%s: %d (%s), %d wrong", mistakes[i].what, result, emulator.last_fault(),
                       count_wrong());
    }
}

static void test_conflicts(void **unused)
{
    (void)unused;
    struct hone_emulator_counters counters;
    emulator_only(&emulator);
    assert_int_equal(run_pipeline("sm_86", "#define PERMUTED(row) 0"), CUDA_SUCCESS);
    assert_int_equal(count_wrong(), 0);
    assert_true(emulator.last_launches(&counters, 1) >= 1);
    assert_true(counters.shared_waves > 2 * counters.shared_accesses);
    assert_true(counters.line_count > 0);
    assert_non_null(strstr(counters.lines[0].text, "ldmatrix"));
}

static int fill_input(void **state_of_group)
{
    (void)state_of_group;
    emulator_random_bf16(21, input, (ROWS + COLUMNS) * DEPTH);
    return 0;
}

EMULATOR_TESTS("sm_120:1GiB", fill_input, cmocka_unit_test(test_pipeline),
               cmocka_unit_test(test_mistakes), cmocka_unit_test(test_conflicts))

#endif
