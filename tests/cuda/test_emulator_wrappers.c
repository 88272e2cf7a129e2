/* The kernels' own functions for matrices (codegen/cuda/matrix.cuh, narrow.cuh, warpgroup.cuh): a small product by each, from
 * tiles in shared memory to sums in registers, of small whole numbers, so that sums are exact and every bit must be right.  On a
 * card (HONE_TEST_CUDA_DRIVER) the same products show that fragments lie there as the stand-in has them.
 *
 * A function of these headers that is not tried here is a failure. */
#include "base/embedded.h"
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Their functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

extern const struct embedded_file embedded_vocabulary[]; /* made by cmake/embed.cmake */

static struct emulator emulator;

enum { NUMBERS_MOST = 256 * 64, SCALES = 4 };

struct product {
    const char *architecture, *kernel, *constants;
    enum ptx_type a, b;
    int rows, outputs, row_bytes;
    bool right_as_it_lies; /* rows of the right matrix are columns of the left one */
    int scale_columns;     /* that share one of the scales of a word; 0: no scales */
};

/* ---- By warps: 16 rows, 16 outputs, rows of 64 bytes ---- */

static const char warp_kernel[] =
    "#include \"codegen/cuda/matrix.cuh\"\n"
    "#include \"codegen/cuda/narrow.cuh\"\n"
    "#include \"codegen/cuda/warp.cuh\"\n"
    "DEVICE unsigned scales_of(int row, int period)\n"
    "{\n"
    "    unsigned word = 0;\n"
    "    for (int g = 0; g < 4; g++) word |= (127u + (row + g) % period) << 8 * g;\n"
    "    return word;\n"
    "}\n"
    "KERNEL(32) k(const unsigned char *in, float *out)\n"
    "{\n"
    "    __shared__ __align__(128) unsigned char tiles[3072];\n"
    "    const shared_address left_tile = shared_address_of(tiles), right_tile = left_tile + "
    "1024;\n"
    "    const int lane = threadIdx.x;\n"
    "    for (int i = lane; i < 192; i += 32)\n"
    "        copy_async_16((i < 64 ? left_tile : right_tile) + tile_offset<4>((i < 64 ? i : i - "
    "64) / 4, i % 4),\n"
    "                      in + i * 16, true);\n"
    "    copy_async_commit();\n"
    "    copy_async_wait<0>();\n"
    "    __syncthreads();\n"
    "    NUMBER sums[2][4] = {};\n"
    "    const unsigned left_scales = scales_of(lane / 4 + lane % 2 * 8, 3);\n"
    "    UNROLL for (int chunk = 0; chunk < 4; chunk += 2) {\n"
    "        unsigned left[4], right[4];\n"
    "        load_left<4>(left_tile, 0, chunk, left);\n"
    "        LOAD_RIGHT;\n"
    "        UNROLL for (int i = 0; i < 2; i++) {\n"
    "            const unsigned right_scales = scales_of(i * 8 + lane / 4, 2);\n"
    "            (void)right_scales;\n"
    "            MULTIPLY;\n"
    "        }\n"
    "    }\n"
    "    (void)left_scales;\n"
    "    for (int i = 0; i < 2; i++)\n"
    "        for (int e = 0; e < 4; e++)\n"
    "            out[(lane / 4 + e / 2 * 8) * 16 + i * 8 + lane % 4 * 2 + e % 2] = SUM;\n"
    "}\n";

#define TILE     16, 16, 64
#define PAIR     "#define LOAD_RIGHT load_right_pair<4>(right_tile, 0, chunk, right)\n"
#define ROWS     "#define LOAD_RIGHT load_right_rows<4>(right_tile, chunk * 8, 0, right)\n"
#define FLOATS   "#define NUMBER float\n#define SUM sums[i][e]\n"
#define WORDS    "#define NUMBER int\n#define SUM (float)sums[i][e]\n"
#define OPERANDS "(sums[i], left, right[2 * i], right[2 * i + 1])\n"
#define SCALED   "(sums[i], left, right[2 * i], right[2 * i + 1], left_scales, right_scales, "
#define HALVES                                                                                     \
    "#define NUMBER unsigned\n"                                                                    \
    "#define SUM to_float(e % 2 ? high_half(sums[i][e / 2]) : low_half(sums[i][e / 2]))\n"
#define BY_HALVES                                                                                  \
    PAIR HALVES "#define MULTIPLY unsigned two[2] = {sums[i][0], sums[i][1]}; "                    \
                "multiply_add_half(two, left, right[2 * i], right[2 * i + 1]); "                   \
                "sums[i][0] = two[0], sums[i][1] = two[1]\n"
#define BY(function) PAIR FLOATS "#define MULTIPLY " function OPERANDS
#define BY_MXF8(type)                                                                              \
    PAIR FLOATS "#define MULTIPLY multiply_add_mxf8<narrow::" type ">" SCALED "chunk / 2)\n"
/* Exponents up to 129 as e4m3; a word has all scales of an instruction. */
#define SMALL_SCALES(word) "(" word " - 0x7f7f7f7fu) * 8 + 0x38383838u"
#define BY_NVF4                                                                                    \
    PAIR FLOATS "#define MULTIPLY multiply_add_nvf4(sums[i], left, right[2 * i], right[2 * i + "   \
                "1], " SMALL_SCALES("left_scales") ", " SMALL_SCALES("right_scales") ")\n"
#define BY_MXF4 PAIR FLOATS "#define MULTIPLY multiply_add_mxf4" SCALED "chunk)\n"

/* ---- By warpgroups: 64 rows, rows of 128 bytes ---- */

static const char warpgroup_kernel[] =
    "#include \"codegen/cuda/warpgroup.cuh\"\n"
    "#include \"codegen/cuda/warp.cuh\"\n"
    "KERNEL(warpgroup_threads) k(const unsigned char *in, float *out)\n"
    "{\n"
    "    SWIZZLED_MEMORY(memory);\n"
    "    const shared_address start = shared_address_of(memory);\n"
    "    for (int i = threadIdx.x; i < (64 + OUTPUTS) * 8; i += warpgroup_threads)\n"
    "        store_shared_16(start + i / 8 * 128 + (i % 8 ^ i / 8 % 8) * 16, ((const uint4 "
    "*)in)[i]);\n"
    "    asm volatile(\"fence.proxy.async;\" ::: \"memory\");\n"
    "    __syncthreads();\n"
    "    const unsigned long long left = swizzled_matrix(start), right = swizzled_matrix(start + "
    "64 * 128);\n"
    "    float sums[OUTPUTS / 2] = {};\n"
    "    warpgroup_begin();\n"
    "    UNROLL for (int step = 0; step < 4; step++)\n"
    "        warpgroup_multiply_add<BRAIN, OUTPUTS>(sums, swizzled_matrix_behind(left, 32 * "
    "step),\n"
    "                                               swizzled_matrix_behind(right, 32 * step));\n"
    "    warpgroup_commit();\n"
    "    warpgroup_wait<0>();\n"
    "    UNROLL for (int e = 0; e < OUTPUTS / 2; e++) {\n"
    "        const int row = warp_index() * 16 + lane_index() / 4 + e / 2 % 2 * 8;\n"
    "        out[row * OUTPUTS + e / 4 * 8 + lane_index() % 4 * 2 + e % 2] = sums[e];\n"
    "    }\n"
    "}\n";

#define GROUP(brain, outputs) "#define BRAIN " #brain "\n#define OUTPUTS " #outputs "\n"

static const struct product products[] = {
    {"sm_75", warp_kernel, BY("multiply_add_f16"), TYPE_F16, TYPE_F16, TILE, 0, 0},
    {"sm_80", warp_kernel, BY("multiply_add_f16"), TYPE_F16, TYPE_F16, TILE, 0, 0},
    {"sm_80", warp_kernel, ROWS FLOATS "#define MULTIPLY multiply_add_f16" OPERANDS, TYPE_F16,
     TYPE_F16, TILE, 1, 0},
    {"sm_75", warp_kernel, BY_HALVES, TYPE_F16, TYPE_F16, TILE, 0, 0},
    {"sm_86", warp_kernel, BY_HALVES, TYPE_F16, TYPE_F16, TILE, 0, 0},
    {"sm_86", warp_kernel, BY("multiply_add_bf16"), TYPE_BF16, TYPE_BF16, TILE, 0, 0},
    {"sm_80", warp_kernel, PAIR WORDS "#define MULTIPLY multiply_add_bytes" OPERANDS, TYPE_S8,
     TYPE_S8, TILE, 0, 0},
    {"sm_89", warp_kernel, BY("multiply_add_f8<narrow::e4m3>"), TYPE_E4M3, TYPE_E4M3, TILE, 0, 0},
    {"sm_89", warp_kernel, BY("multiply_add_f8<narrow::e5m2>"), TYPE_E4M3, TYPE_E5M2, TILE, 0, 0},
    {"sm_120a", warp_kernel, BY_MXF8("e4m3"), TYPE_E4M3, TYPE_E4M3, TILE, 0, 32},
    {"sm_120a", warp_kernel, BY_MXF8("e5m2"), TYPE_E4M3, TYPE_E5M2, TILE, 0, 32},
    {"sm_120a", warp_kernel, BY_MXF8("e2m1"), TYPE_E4M3, TYPE_E2M1, TILE, 0, 32},
    {"sm_120a", warp_kernel, BY_MXF4, TYPE_E2M1, TYPE_E2M1, TILE, 0, 32},
    {"sm_120a", warp_kernel, BY_NVF4, TYPE_E2M1, TYPE_E2M1, TILE, 0, 16},
    {"sm_90a", warpgroup_kernel, GROUP(true, 64), TYPE_BF16, TYPE_BF16, 64, 64, 128, 0, 0},
    {"sm_90a", warpgroup_kernel, GROUP(true, 128), TYPE_BF16, TYPE_BF16, 64, 128, 128, 0, 0},
    {"sm_90a", warpgroup_kernel, GROUP(true, 192), TYPE_BF16, TYPE_BF16, 64, 192, 128, 0, 0},
    {"sm_90a", warpgroup_kernel, GROUP(false, 64), TYPE_F16, TYPE_F16, 64, 64, 128, 0, 0},
    {"sm_90a", warpgroup_kernel, GROUP(false, 256), TYPE_F16, TYPE_F16, 64, 256, 128, 0, 0},
};

/* ---- Numbers ---- */

/* Bits from one number to the next: those of 4 bits lie in bytes of their own beside others of 8. */
static int bits_of(const struct product *product)
{
    return product->a == TYPE_E2M1 ? 4 : type_bits(product->a);
}

static void put_number(enum ptx_type type, int bits, int value, unsigned char *row, int column)
{
    uint32_t code =
        type == TYPE_S8 ? (uint32_t)value : number_encode(type, value, ROUND_NEAREST, true);
    if (bits == 4)
        row[column / 2] |= (unsigned char)(code << column % 2 * 4);
    else if (bits == 8)
        row[column] = (unsigned char)(type == TYPE_E2M1 ? code << 2 : code);
    else
        memcpy(row + 2 * column, &(uint16_t){(uint16_t)code}, 2);
}

/* Whole numbers from -3 to 3, which every type has. */
static void fill(const struct product *product, uint64_t *state, signed char *left,
                 signed char *right, unsigned char *input)
{
    int bits = bits_of(product), depth = product->row_bytes * 8 / bits;
    unsigned char *right_rows = input + product->rows * product->row_bytes;
    for (int i = 0; i < product->rows * depth; i++) {
        left[i] = (signed char)((int)(emulator_random(state) % 7) - 3);
        put_number(product->a, bits, left[i], input + i / depth * product->row_bytes, i % depth);
    }
    for (int i = 0; i < product->outputs * depth; i++) {
        int row = product->right_as_it_lies ? i % depth : i / depth;
        int column = product->right_as_it_lies ? i / depth : i % depth;
        right[i] = (signed char)((int)(emulator_random(state) % 7) - 3);
        put_number(product->b, bits, right[i], right_rows + row * product->row_bytes, column);
    }
}

static int expected_of(const struct product *product, const signed char *left,
                       const signed char *right, int row, int output)
{
    int depth = product->row_bytes * 8 / bits_of(product), sum = 0;
    for (int k = 0; k < depth; k++) {
        int scale = 0, group = product->scale_columns ? k / product->scale_columns % SCALES : 0;
        if (product->scale_columns) scale = (row + group) % 3 + (output + group) % 2;
        sum += left[row * depth + k] * right[output * depth + k] * (1 << scale);
    }
    return sum;
}

static void run_product(const struct product *product, uint64_t *state)
{
    static signed char left[NUMBERS_MOST], right[NUMBERS_MOST];
    static unsigned char input[(64 + 256) * 128];
    static float output[64 * 256];
    struct arena *arena = arena_create(0);
    memset(input, 0, sizeof input);
    memset(output, 0xff, sizeof output);
    fill(product, state, left, right, input);
    bool group = product->kernel == warpgroup_kernel;
    const struct emulation emulation = {
        .architecture = product->architecture,
        .source = arena_print(arena, "%s%s", product->constants, product->kernel),
        .blocks = 1,
        .threads = group ? 128 : 32,
        .shared_bytes =
            group ? (unsigned)((product->rows + product->outputs) * product->row_bytes) : 0,
        .input = input,
        .input_bytes = sizeof input,
        .output = output,
        .output_bytes = sizeof output};
    emulator_run_right(&emulator, &emulation, product->constants);
    for (int row = 0; row < product->rows; row++)
        for (int column = 0; column < product->outputs; column++) {
            float got = output[row * product->outputs + column];
            int expected = expected_of(product, left, right, row, column);
            if (got != (float)expected)
                CHECK_FAIL("%s on %s: [%d, %d] is %g, not %d", product->constants,
                           product->architecture, row, column, (double)got, expected);
        }
    arena_destroy(arena);
}

static void test_products(void **unused)
{
    (void)unused;
    uint64_t state = 91;
    for (size_t p = 0; p < sizeof products / sizeof *products; p++)
        if (emulator_can_run(&emulator, products[p].architecture))
            run_product(&products[p], &state);
}

/* ---- Nothing is left out ---- */

static bool is_tried(const char *name)
{
    bool tried = strstr(warp_kernel, name) || strstr(warpgroup_kernel, name);
    for (size_t p = 0; p < sizeof products / sizeof *products; p++)
        tried = tried || strstr(products[p].constants, name);
    return tried;
}

/* load_matrix_x4 and its transposed form are tried through those that load fragments. */
static void test_all_are_tried(void **unused)
{
    (void)unused;
    static const char *const starts[] = {"void multiply_add_", "void load_left", "void load_right",
                                         "void warpgroup_multiply"};
    int found = 0;
    for (const struct embedded_file *file = embedded_vocabulary; file->path; file++)
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
            for (const char *at = strstr(file->bytes, starts[s]); at;
                 at = strstr(at + 1, starts[s])) {
                char name[64];
                snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 5, "("), at + 5);
                found++;
                if (!is_tried(name)) CHECK_FAIL("%s of %s is not tried", name, file->path);
            }
    assert_true(found > 8);
}

EMULATOR_TESTS("sm_120:1GiB", NULL, cmocka_unit_test(test_products),
               cmocka_unit_test(test_all_are_tried))

#endif
