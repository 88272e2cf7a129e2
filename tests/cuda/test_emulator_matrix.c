/* Matrix products on the stand-in: one tile of every type, from row-major memory through cp.async,
 * ldmatrix and mma.sync back to row-major memory, so that the places of elements in registers are
 * tested by what they are for. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Their functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

#include <math.h>

static struct emulator emulator;

enum { ROWS = 16, COLUMNS = 8, ROW_BYTES = 32, SCALE_WORDS = 32 };

struct tile_case {
    const char *architecture, *opcode;
    enum ptx_type a, b, d;
    int bits; /* that an element takes */
    int scales;
    enum ptx_type scale;
};

static const struct tile_case tile_cases[] = {
    {"sm_80", "m16n8k16.row.col.f32.f16.f16.f32", TYPE_F16, TYPE_F16, TYPE_F32, 16, 0, 0},
    {"sm_80", "m16n8k16.row.col.f16.f16.f16.f16", TYPE_F16, TYPE_F16, TYPE_F16, 16, 0, 0},
    {"sm_86", "m16n8k16.row.col.f32.bf16.bf16.f32", TYPE_BF16, TYPE_BF16, TYPE_F32, 16, 0, 0},
    {"sm_86", "m16n8k8.row.col.f32.tf32.tf32.f32", TYPE_TF32, TYPE_TF32, TYPE_F32, 32, 0, 0},
    {"sm_86", "m16n8k32.row.col.s32.s8.s8.s32", TYPE_S8, TYPE_S8, TYPE_S32, 8, 0, 0},
    {"sm_86", "m16n8k32.row.col.satfinite.s32.u8.s8.s32", TYPE_U8, TYPE_S8, TYPE_S32, 8, 0, 0},
    {"sm_86", "m16n8k64.row.col.s32.s4.s4.s32", TYPE_S4, TYPE_S4, TYPE_S32, 4, 0, 0},
    {"sm_89", "m16n8k32.row.col.f32.e4m3.e5m2.f32", TYPE_E4M3, TYPE_E5M2, TYPE_F32, 8, 0, 0},
    {"sm_89", "m16n8k32.row.col.f16.e4m3.e4m3.f16", TYPE_E4M3, TYPE_E4M3, TYPE_F16, 8, 0, 0},
    {"sm_89", "m16n8k32.row.col.f32.e4m3.e4m3.f32", TYPE_E4M3, TYPE_E4M3, TYPE_F32, 8, 0, 0},
    {"sm_90", "m16n8k32.row.col.f32.e4m3.e4m3.f32", TYPE_E4M3, TYPE_E4M3, TYPE_F32, 8, 0, 0},
    {"sm_120a", "m16n8k32.row.col.kind::f8f6f4.f32.e3m2.e4m3.f32", TYPE_E3M2, TYPE_E4M3, TYPE_F32,
     8, 0, 0},
    {"sm_120a", "m16n8k32.row.col.kind::mxf8f6f4.block_scale.scale_vec::1X.f32.e4m3.e4m3.f32.ue8m0",
     TYPE_E4M3, TYPE_E4M3, TYPE_F32, 8, 1, TYPE_UE8M0},
    {"sm_120a", "m16n8k32.row.col.kind::mxf8f6f4.block_scale.scale_vec::1X.f32.e4m3.e5m2.f32.ue8m0",
     TYPE_E4M3, TYPE_E5M2, TYPE_F32, 8, 1, TYPE_UE8M0},
    {"sm_120a", "m16n8k32.row.col.kind::mxf8f6f4.block_scale.scale_vec::1X.f32.e4m3.e2m1.f32.ue8m0",
     TYPE_E4M3, TYPE_E2M1, TYPE_F32, 8, 1, TYPE_UE8M0},
    {"sm_120a", "m16n8k32.row.col.kind::f8f6f4.f32.e2m1.e4m3.f32", TYPE_E2M1, TYPE_E4M3, TYPE_F32,
     8, 0, 0},
    {"sm_120a", "m16n8k32.row.col.kind::mxf8f6f4.block_scale.f32.e2m3.e5m2.f32.ue8m0", TYPE_E2M3,
     TYPE_E5M2, TYPE_F32, 8, 1, TYPE_UE8M0},
    {"sm_120a", "m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0",
     TYPE_E2M1, TYPE_E2M1, TYPE_F32, 4, 2, TYPE_UE8M0},
    {"sm_120a", "m16n8k64.row.col.kind::mxf4.block_scale.scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0",
     TYPE_E2M1, TYPE_E2M1, TYPE_F32, 4, 2, TYPE_UE8M0},
    {"sm_120a", "m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3",
     TYPE_E2M1, TYPE_E2M1, TYPE_F32, 4, 4, TYPE_UE4M3},
};

/* Input: 16 rows of A, 8 rows of B (columns of the product), 32 bytes each; scales of A's rows and
 * of B's, a word each.  Output: 16 x 8 words (or halves). */
static const char tile_source[] =
    "typedef unsigned u32;\n"
    "extern \"C\" __global__ void k(const unsigned char *in, u32 *out) {\n"
    " __shared__ __align__(128) unsigned char s[24 * 32];\n"
    " u32 t = threadIdx.x, s0 = (u32)__cvta_generic_to_shared(s), a[4], b[2], d[4];\n"
    " for (u32 i = t; i < 48; i += 32)\n"
    "  asm volatile(\"cp.async.cg.shared.global [%%0], [%%1], 16;\" :: \"r\"(s0 + i * 16), "
    "\"l\"(in + i * 16) : \"memory\");\n"
    " asm volatile(\"cp.async.commit_group; cp.async.wait_group 0;\" ::: \"memory\");\n"
    " __syncthreads();\n"
    " asm volatile(\"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%%0, %%1, %%2, %%3}, [%%4];\"\n"
    "  : \"=r\"(a[0]), \"=r\"(a[1]), \"=r\"(a[2]), \"=r\"(a[3]) : \"r\"(s0 + (t & 15) * 32 + (t >> "
    "4) * 16));\n"
    " asm volatile(\"ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%%0, %%1}, [%%2];\"\n"
    "  : \"=r\"(b[0]), \"=r\"(b[1]) : \"r\"(s0 + 512 + (t & 7) * 32 + (t >> 3 & 1) * 16));\n"
    " u32 row = t >> 2, column = (t & 3) * 2;\n"
    " const u32 *sa = (const u32 *)(in + 768), *sb = sa + 16;\n"
    " u32 scale_a = sa[row + (t & 1) * 8], scale_b = sb[row]; (void)scale_a; (void)scale_b;\n"
    "#if HALF\n"
    " u32 *half = out; d[0] = half[row * 4 + (t & 3)]; d[1] = half[(row + 8) * 4 + (t & 3)];\n"
    " asm volatile(\"mma.sync.aligned.%s {%%0, %%1}, {%%2, %%3, %%4, %%5}, {%%6, %%7}, {%%0, "
    "%%1};\"\n"
    "  : \"+r\"(d[0]), \"+r\"(d[1]) : \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), "
    "\"r\"(b[0]), \"r\"(b[1]));\n"
    " half[row * 4 + (t & 3)] = d[0]; half[(row + 8) * 4 + (t & 3)] = d[1];\n"
    "#else\n"
    " for (int i = 0; i < 4; i++) d[i] = out[(row + i / 2 * 8) * 8 + column + i %% 2];\n"
    " asm volatile(\"mma.sync.aligned.%s {%%0, %%1, %%2, %%3}, {%%4, %%5, %%6, %%7}, {%%8, %%9}, "
    "{%%0, %%1, %%2, %%3}%s;\"\n"
    "  : \"+\" KIND (D(0)), \"+\" KIND (D(1)), \"+\" KIND (D(2)), \"+\" KIND (D(3))\n"
    "  : \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), \"r\"(b[0]), \"r\"(b[1]), "
    "\"r\"(scale_a), \"r\"(scale_b), \"h\"((unsigned short)FIRST), \"h\"((unsigned short)0));\n"
    " for (int i = 0; i < 4; i++) out[(row + i / 2 * 8) * 8 + column + i %% 2] = d[i];\n"
    "#endif\n"
    "}\n";

static double element_of(enum ptx_type type, const unsigned char *row, int k, int bits)
{
    uint32_t word;
    if (bits == 32) {
        memcpy(&word, row + 4 * k, 4);
        return (double)number_float(word & ~UINT32_C(0x1fff));
    }
    uint32_t code = bits == 16  ? (uint32_t)row[2 * k] | (uint32_t)row[2 * k + 1] << 8
                    : bits == 8 ? row[k]
                                : (uint32_t)row[k / 2] >> k % 2 * 4 & 15;
    switch (type) {
    case TYPE_S8: return (double)(int8_t)code;
    case TYPE_U8: return (double)code;
    case TYPE_S4: return (double)((int)(code ^ 8) - 8);
    case TYPE_E2M1: return number_decode(type, bits == 8 ? code >> 2 & 15 : code);
    case TYPE_E2M3:
    case TYPE_E3M2: return number_decode(type, code & 63);
    default: return number_decode(type, code);
    }
}

/* Random bytes that are numbers of moderate size in every format. */
static void fill_tile(const struct tile_case *tile, unsigned char *input, uint64_t *state)
{
    for (int i = 0; i < (ROWS + COLUMNS) * ROW_BYTES; i++) {
        uint32_t word = emulator_random(state);
        enum ptx_type type = i < ROWS * ROW_BYTES ? tile->a : tile->b;
        input[i] = emulator_number_byte(type, tile->bits, i, word);
    }
    for (int i = 0; i < SCALE_WORDS; i++) {
        uint32_t word = emulator_random(state);
        for (int b = 0; b < 4; b++) {
            uint32_t code =
                tile->scale == TYPE_UE8M0 ? 124 + (word >> 8 * b & 7) : 0x28 + (word >> 8 * b & 31);
            input[(ROWS + COLUMNS) * ROW_BYTES + 4 * i + b] = (unsigned char)code;
        }
    }
}

/* `first`: the byte of the words where scales begin. */
static double expected_sum(const struct tile_case *tile, const unsigned char *input, int first,
                           int row, int column, double *magnitude)
{
    int depth = ROW_BYTES * 8 / tile->bits, part = tile->scales ? depth / tile->scales : depth;
    const unsigned char *a = input + row * ROW_BYTES, *b = input + (ROWS + column) * ROW_BYTES;
    const unsigned char *scales = input + (ROWS + COLUMNS) * ROW_BYTES + first;
    double sum = 0;
    *magnitude = 0;
    for (int k = 0; k < depth; k++) {
        double product =
            element_of(tile->a, a, k, tile->bits) * element_of(tile->b, b, k, tile->bits);
        if (tile->scales)
            product *= number_decode(tile->scale, scales[4 * row + k / part]) *
                       number_decode(tile->scale, scales[4 * (ROWS + column) + k / part]);
        sum += product;
        *magnitude += fabs(product);
    }
    return sum;
}

static void check_tile(const struct tile_case *tile, const unsigned char *input, int first,
                       const void *before, const void *after)
{
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++) {
            double magnitude, old, got, tolerance = emulator_tolerance(&emulator, tile->bits);
            int at = row * COLUMNS + column;
            double sum = expected_sum(tile, input, first, row, column, &magnitude);
            if (tile->d == TYPE_S32) {
                old = (double)((const int32_t *)before)[at];
                got = (double)((const int32_t *)after)[at];
                tolerance = 0;
            } else if (tile->d == TYPE_F16) {
                old = number_decode(TYPE_F16, ((const uint16_t *)before)[at]);
                got = number_decode(TYPE_F16, ((const uint16_t *)after)[at]);
                tolerance = 1e-3;
            } else {
                old = (double)((const float *)before)[at];
                got = (double)((const float *)after)[at];
            }
            if (!(fabs(got - old - sum) <= tolerance * (magnitude + fabs(old))))
                CHECK_FAIL("%s [%d, %d]: got %g, expected %g", tile->opcode, row, column, got,
                           old + sum);
        }
}

/* By one warp; `constants` are lines of the kernel's source before it. */
static void run_warp(const struct tile_case *tile, const char *constants, const char *kernel,
                     const unsigned char *input, size_t input_bytes, uint32_t sums[ROWS * COLUMNS])
{
    char source[8192];
    bool real = tile->d == TYPE_F32;
    int length = snprintf(source, sizeof source, "%s#define KIND \"%s\"\n#define D(i) %s\n",
                          constants, real ? "f" : "r", real ? "*(float *)&d[i]" : "d[i]");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(source + length, sizeof source - (size_t)length, kernel, tile->opcode, tile->opcode,
             tile->scales ? ", {%10}, {%12, %13}, {%11}, {%12, %13}" : "");
#pragma GCC diagnostic pop
    struct emulation emulation = {.architecture = tile->architecture,
                                  .source = source,
                                  .blocks = 1,
                                  .threads = 32,
                                  .input = input,
                                  .input_bytes = input_bytes,
                                  .output = sums,
                                  .output_bytes = ROWS * COLUMNS * sizeof *sums};
    emulator_run_right(&emulator, &emulation, tile->opcode);
}

static void run_tile(const struct tile_case *tile, int first, uint64_t *state)
{
    char constants[64];
    unsigned char input[(ROWS + COLUMNS) * ROW_BYTES + 4 * SCALE_WORDS];
    uint32_t before[ROWS * COLUMNS] = {0}, after[ROWS * COLUMNS];
    bool half = tile->d == TYPE_F16;
    fill_tile(tile, input, state);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        float value = (float)(emulator_random(state) % 100);
        uint16_t code = f16_encode(value);
        if (tile->d == TYPE_S32) before[i] = emulator_random(state) % 1000 - 500;
        if (tile->d == TYPE_F32) memcpy(&before[i], &value, 4);
        if (half) memcpy((uint16_t *)before + i, &code, 2);
    }
    memcpy(after, before, sizeof after);
    snprintf(constants, sizeof constants, "#define HALF %d\n#define FIRST %d\n", half, first);
    run_warp(tile, constants, tile_source, input, sizeof input, after);
    check_tile(tile, input, first, before, after);
}

static void test_tiles(void **unused)
{
    (void)unused;
    uint64_t state = 20;
    for (size_t i = 0; i < sizeof tile_cases / sizeof *tile_cases; i++)
        if (emulator_can_run(&emulator, tile_cases[i].architecture))
            for (int first = 0, each = tile_cases[i].scales; first < (each ? 4 : 1);
                 first += each ? each : 1)
                run_tile(&tile_cases[i], first, &state);
}

/* What products take, in those of f16 into f32: consumer cards add into f32 at half the rate. */
static void test_rates(void **unused)
{
    (void)unused;
    static const struct {
        const char *architecture, *words; /* of the opcode */
        double rate;
    } rates[] = {
        {"sm_80", "k16.row.col.f32.f16", 1},
        {"sm_80", "k16.row.col.f16.f16", 1},
        {"sm_86", "k16.row.col.f32.bf16", 1},
        {"sm_86", "tf32", 0.5},
        {"sm_86", "k32.row.col.s32.s8", 4},
        {"sm_86", "s4", 8},
        {"sm_89", "f32.e4m3", 2},
        {"sm_89", "f16.e4m3", 4},
        {"sm_120a", "mxf8f6f4", 4},
        {"sm_120a", "mxf4nvf4", 8},
    };
    struct hone_emulator_counters counters;
    uint64_t state = 23;
    emulator_only(&emulator);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        const struct tile_case *tile = tile_cases;
        while (strcmp(tile->architecture, rates[r].architecture) != 0 ||
               !strstr(tile->opcode, rates[r].words))
            tile++;
        run_tile(tile, 0, &state);
        assert_true(emulator.last_launches(&counters, 1) >= 1);
        assert_true((double)counters.matrix_work * rates[r].rate ==
                    (double)counters.matrix_operations);
    }
}

/* The shapes with rows of 16 bytes, most of them for sm_75, which has no cp.async: A has `rows` rows,
 * B eight. */
static const struct {
    struct tile_case tile;
    int rows;
} short_cases[] = {
    {{"sm_75", "m8n8k16.row.col.s32.s8.s8.s32", TYPE_S8, TYPE_S8, TYPE_S32, 8, 0, 0}, 8},
    {{"sm_75", "m8n8k16.row.col.s32.u8.s8.s32", TYPE_U8, TYPE_S8, TYPE_S32, 8, 0, 0}, 8},
    {{"sm_75", "m8n8k32.row.col.s32.s4.s4.s32", TYPE_S4, TYPE_S4, TYPE_S32, 4, 0, 0}, 8},
    {{"sm_75", "m16n8k8.row.col.f32.f16.f16.f32", TYPE_F16, TYPE_F16, TYPE_F32, 16, 0, 0}, 16},
    {{"sm_80", "m16n8k8.row.col.f32.bf16.bf16.f32", TYPE_BF16, TYPE_BF16, TYPE_F32, 16, 0, 0}, 16},
    {{"sm_80", "m16n8k16.row.col.s32.s8.s8.s32", TYPE_S8, TYPE_S8, TYPE_S32, 8, 0, 0}, 16},
    {{"sm_80", "m16n8k4.row.col.f32.tf32.tf32.f32", TYPE_TF32, TYPE_TF32, TYPE_F32, 32, 0, 0}, 16},
    {{"sm_89", "m16n8k16.row.col.f32.e4m3.e5m2.f32", TYPE_E4M3, TYPE_E5M2, TYPE_F32, 8, 0, 0}, 16},
};

static const char short_source[] =
    "typedef unsigned u32;\n"
    "extern \"C\" __global__ void k(const uint4 *in, u32 *out) {\n"
    " __shared__ uint4 s[24];\n"
    " u32 t = threadIdx.x, s0 = (u32)__cvta_generic_to_shared(s), a[2] = {0, 0}, b, d[4];\n"
    " if (t < 24) s[t] = in[t];\n"
    " __syncthreads();\n"
    " asm volatile(\"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%%0}, [%%1];\"\n"
    "  : \"=r\"(b) : \"r\"(s0 + (ROWS + (t & 7)) * 16));\n"
    " asm volatile(\"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%%0}, [%%1];\"\n"
    "  : \"=r\"(a[0]) : \"r\"(s0 + (t & 7) * 16));\n"
    " u32 *at = out + (t >> 2) * 8 + (t & 3) * 2;\n"
    " for (int i = 0; i < ROWS / 4; i++) d[i] = at[i / 2 * 64 + i %% 2];\n"
    "#if ROWS == 8\n"
    " asm volatile(\"mma.sync.aligned.%s {%%0, %%1}, {%%2}, {%%3}, {%%0, %%1};\"\n"
    "  : \"+\" KIND (D(0)), \"+\" KIND (D(1)) : \"r\"(a[0]), \"r\"(b));\n"
    "#else\n"
    " asm volatile(\"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%%0}, [%%1];\"\n"
    "  : \"=r\"(a[1]) : \"r\"(s0 + (8 + (t & 7)) * 16));\n"
    " asm volatile(\"mma.sync.aligned.%s {%%0, %%1, %%2, %%3}, {%%4, %%5}, {%%6}, {%%0, %%1, %%2, "
    "%%3};\"\n"
    "  : \"+\" KIND (D(0)), \"+\" KIND (D(1)), \"+\" KIND (D(2)), \"+\" KIND (D(3))\n"
    "  : \"r\"(a[0]), \"r\"(a[1]), \"r\"(b));\n"
    "#endif\n"
    " for (int i = 0; i < ROWS / 4; i++) at[i / 2 * 64 + i %% 2] = d[i];\n"
    "}\n";

static void run_short(const struct tile_case *tile, int rows, uint64_t *state)
{
    enum { SHORT = ROW_BYTES / 2 };
    char constants[32];
    unsigned char full[(ROWS + COLUMNS) * ROW_BYTES + 4 * SCALE_WORDS] = {0};
    unsigned char padded[sizeof full] = {0}, input[(ROWS + COLUMNS) * SHORT] = {0};
    uint32_t before[ROWS * COLUMNS] = {0}, after[ROWS * COLUMNS] = {0};
    fill_tile(tile, full, state);
    /* The host sums rows of 32 bytes: the second half of each is zero. */
    for (int row = 0; row < ROWS + COLUMNS; row++)
        if (row < rows || row >= ROWS) {
            const unsigned char *from = full + row * ROW_BYTES;
            memcpy(padded + row * ROW_BYTES, from, SHORT);
            memcpy(input + (row < rows ? row : row - ROWS + rows) * SHORT, from, SHORT);
        }
    snprintf(constants, sizeof constants, "#define ROWS %d\n", rows);
    run_warp(tile, constants, short_source, input, sizeof input, after);
    check_tile(tile, padded, 0, before, after);
}

static void test_short_tiles(void **unused)
{
    (void)unused;
    uint64_t state = 22;
    for (size_t i = 0; i < sizeof short_cases / sizeof *short_cases; i++)
        if (emulator_can_run(&emulator, short_cases[i].tile.architecture))
            run_short(&short_cases[i].tile, short_cases[i].rows, &state);
}

EMULATOR_TESTS("sm_120:1GiB", NULL, cmocka_unit_test(test_tiles), cmocka_unit_test(test_rates),
               cmocka_unit_test(test_short_tiles))

#endif
