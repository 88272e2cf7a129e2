/* wgmma on the stand-in: one product of every type, with operands in every layout that descriptors
 * can name; the shared memory that the kernel gets is made here from row-major matrices. */
#include "base/text.h"
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

/* Their functions are not shown by the library. */
#include "emulator/number.c"
#include "emulator/ptx_type.c"

static struct emulator emulator;

enum {
    ROWS = 64,
    COLUMNS = 64,
    ROW_BYTES = 32,       /* of an operand: all depths have that */
    REGION_BYTES = 16384, /* of an operand in shared memory */
};

enum direction { ALONG, ACROSS, IN_REGISTERS };

struct placed {
    enum direction direction;
    uint32_t width;   /* of the swizzle; 16: none */
    uint32_t skipped; /* bytes of each row before the product's */
};

struct product_case {
    const char *types, *manners;
    enum ptx_type a, b, d;
    struct placed placed_a, placed_b;
    double sign;
};

#define KEPT                                                                                       \
    {                                                                                              \
        IN_REGISTERS, 0, 0                                                                         \
    }
#define PLAIN              "p, 1, 1, 0, 0"
#define BF16_PAIR(manners) "k16.f32.bf16.bf16", manners, TYPE_BF16, TYPE_BF16, TYPE_F32
#define TF32_PAIR          TYPE_TF32, TYPE_TF32, TYPE_F32
#define F16_PAIR(manners)  "k16.f32.f16.f16", manners, TYPE_F16, TYPE_F16, TYPE_F32
static const struct product_case cases[] = {
    {BF16_PAIR(PLAIN), {ALONG, 128, 0}, {ALONG, 128, 0}, 1},
    {F16_PAIR(PLAIN), {ALONG, 128, 64}, {ALONG, 128, 96}, 1},
    {"k16.f16.f16.f16", PLAIN, TYPE_F16, TYPE_F16, TYPE_F16, {ALONG, 64, 32}, {ALONG, 32, 0}, 1},
    {BF16_PAIR(PLAIN), {ALONG, 16, 0}, {ALONG, 16, 0}, 1},
    {BF16_PAIR("p, -1, 1, 1, 1"), {ACROSS, 128, 0}, {ACROSS, 128, 0}, -1},
    {BF16_PAIR("p, 1, 1, 0, 1"), {ALONG, 32, 0}, {ACROSS, 64, 0}, 1},
    {F16_PAIR("p, 1, -1, 1, 1"), {ACROSS, 32, 0}, {ACROSS, 16, 0}, -1},
    {F16_PAIR("p, 1, 1, 1"), KEPT, {ACROSS, 128, 0}, 1},
    {BF16_PAIR("p, 1, 1, 0"), KEPT, {ALONG, 64, 0}, 1},
    {"k8.f32.tf32.tf32", "p, 1, 1", TF32_PAIR, {ALONG, 128, 32}, {ALONG, 128, 0}, 1},
    {"k32.f32.e4m3.e5m2",
     "p, 1, 1",
     TYPE_E4M3,
     TYPE_E5M2,
     TYPE_F32,
     {ALONG, 128, 0},
     {ALONG, 64, 0},
     1},
    {"k32.f16.e4m3.e4m3", "p, 1, 1", TYPE_E4M3, TYPE_E4M3, TYPE_F16, KEPT, {ALONG, 128, 0}, 1},
    {"k32.s32.s8.s8", "p", TYPE_S8, TYPE_S8, TYPE_S32, {ALONG, 128, 0}, {ALONG, 128, 0}, 1},
    {"k32.s32.u8.s8", "p", TYPE_U8, TYPE_S8, TYPE_S32, KEPT, {ALONG, 32, 0}, 1},
};

static int bits_in(enum ptx_type type)
{
    return type == TYPE_TF32 ? 32 : type_bits(type);
}

static double element_at(enum ptx_type type, const unsigned char *row, int k)
{
    uint32_t code = 0;
    int bytes = bits_in(type) / 8;
    memcpy(&code, row + k * bytes, (size_t)bytes);
    if (type == TYPE_TF32) return (double)number_float(code & ~UINT32_C(0x1fff));
    if (type == TYPE_S8) return (double)(int8_t)code;
    if (type == TYPE_U8) return (double)code;
    return number_decode(type, code);
}

/* ---- Shared memory ---- */

/* A matrix of 8 rows lies in one piece of 8 * width bytes; pieces follow each other along the rows
 * of the product first, then along its depth. */
static uint32_t place_of(const struct placed *placed, uint32_t row, uint32_t byte)
{
    uint32_t width = placed->width, piece = 8 * width, place;
    if (placed->direction == ALONG) {
        uint32_t at = placed->skipped + byte;
        place = width > 16 ? row / 8 * piece + row % 8 * width + at
                           : row / 8 * piece + at / 16 * (8 * piece) + row % 8 * 16 + at % 16;
    } else { /* elements of two bytes */
        uint32_t k = byte / 2, along = row * 2;
        place = along / width * piece + k / 8 * (ROWS * 2 / width * piece) + k % 8 * width +
                along % width + byte % 2;
    }
    uint32_t chunks = width / 16;
    return place ^ (place >> 7) % chunks << 4;
}

static uint64_t descriptor_of(const struct placed *placed, uint32_t start)
{
    static const uint64_t modes[] = {[1] = 0, [2] = 3, [4] = 2, [8] = 1};
    uint32_t piece = 8 * placed->width, leading, stride;
    if (placed->direction == ALONG) {
        stride = piece;
        leading = 8 * piece;
    } else {
        uint32_t along = piece, deep = ROWS * 2 / placed->width * piece;
        leading = placed->width > 16 ? along : deep;
        stride = placed->width > 16 ? deep : along;
    }
    return (start + placed->skipped) >> 4 | (uint64_t)(leading >> 4) << 16 |
           (uint64_t)(stride >> 4) << 32 | modes[placed->width / 16] << 62;
}

static void place_matrix(const struct placed *placed, const unsigned char *rows,
                         unsigned char *region)
{
    if (placed->direction == IN_REGISTERS) return;
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t byte = 0; byte < ROW_BYTES; byte++)
            region[place_of(placed, row, byte)] = rows[row * ROW_BYTES + byte];
}

/* ---- The kernel ---- */

static void add_list(struct text *text, const char *format, int count)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    for (int i = 0; i < count; i++) {
        if (i) text_append(text, ", ");
        text_print(text, format, i);
    }
#pragma GCC diagnostic pop
}

/* Input: shared memory's two regions, the rows of A, and two descriptors.  The product is added to
 * what the output holds. */
static const char *make_source(struct arena *arena, const struct product_case *own)
{
    struct text text = {.arena = arena};
    int count = COLUMNS / (own->d == TYPE_F16 ? 4 : 2);
    bool registers = own->placed_a.direction == IN_REGISTERS;
    char kind = own->d == TYPE_F32 ? 'f' : 'r';
    text_print(&text,
               "typedef unsigned u32; typedef unsigned long long u64; enum { COUNT = %d };\n"
               "extern \"C\" __global__ void __launch_bounds__(128) k(const u32 *in, %s *out) {\n"
               " __shared__ __align__(1024) u32 s[8192];\n"
               " u32 t = threadIdx.x, lane = t & 31; u32 a[4]; %s d[COUNT];\n"
               " for (u32 i = t; i < 8192; i += 128) s[i] = in[i];\n"
               " for (u32 r = 0; r < 4; r++)\n"
               "  a[r] = in[8192 + ((t >> 5) * 16 + (lane >> 2) + r %% 2 * 8) * 8 + r / 2 * 4 + "
               "(lane & 3)];\n"
               " u64 start = (u32)__cvta_generic_to_shared(s) >> 4 & 0x3fff;\n"
               " const u64 *descriptors = (const u64 *)(in + 8192 + 512);\n"
               " u64 da = descriptors[0] + start, db = descriptors[1] + start;\n"
               " for (u32 i = 0; i < COUNT; i++) d[i] = out[t * COUNT + i];\n"
               " asm volatile(\"fence.proxy.async;\" ::: \"memory\");\n"
               " __syncthreads();\n"
               " asm volatile(\"wgmma.fence.sync.aligned;\" ::: \"memory\");\n"
               " asm volatile(\"{ .reg .pred p; setp.eq.u32 p, 0, 0; "
               "wgmma.mma_async.sync.aligned.m64n64%s {",
               count, kind == 'f' ? "float" : "u32", kind == 'f' ? "float" : "u32", own->types);
    add_list(&text, "%%%d", count);
    if (registers)
        text_print(&text, "}, {%%%d, %%%d, %%%d, %%%d}, %%%d, ", count, count + 1, count + 2,
                   count + 3, count + 4);
    else
        text_print(&text, "}, %%%d, %%%d, ", count, count + 1);
    text_print(&text, "%s; }\" : ", own->manners);
    add_list(&text, kind == 'f' ? "\"+f\"(d[%d])" : "\"+r\"(d[%d])", count);
    text_append(&text, registers ? " : \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), "
                                 : " : \"l\"(da), ");
    text_append(&text, "\"l\"(db) : \"memory\");\n"
                       " asm volatile(\"wgmma.commit_group.sync.aligned; wgmma.wait_group.sync"
                       ".aligned 0;\" ::: \"memory\");\n"
                       " for (u32 i = 0; i < COUNT; i++) out[t * COUNT + i] = d[i];\n}\n");
    return text_finish(&text);
}

/* ---- Running and comparing ---- */

struct input {
    unsigned char regions[2][REGION_BYTES];
    unsigned char a[ROWS * ROW_BYTES];
    uint64_t descriptors[2];
};

/* Bytes that are numbers of moderate size in every format. */
static void fill_rows(enum ptx_type type, unsigned char *rows, uint64_t *state)
{
    for (int i = 0; i < ROWS * ROW_BYTES; i++) {
        uint32_t word = emulator_random(state);
        rows[i] = emulator_number_byte(type, bits_in(type), i, word);
    }
}

static void check_element(const struct product_case *own, const unsigned char *a,
                          const unsigned char *b, uint32_t row, uint32_t column, double old,
                          double got)
{
    double sum = 0, magnitude = fabs(old);
    for (int k = 0; k < ROW_BYTES * 8 / bits_in(own->a); k++) {
        double product = element_at(own->a, a + row * ROW_BYTES, k) *
                         element_at(own->b, b + column * ROW_BYTES, k);
        sum += own->sign * product;
        magnitude += fabs(product);
    }
    double tolerance = own->d == TYPE_S32   ? 0
                       : own->d == TYPE_F16 ? 1e-3
                                            : emulator_tolerance(&emulator, bits_in(own->a));
    if (!(fabs(got - old - sum) <= tolerance * magnitude))
        CHECK_FAIL("%s %s [%u, %u]: got %g, expected %g", own->types, own->manners, row, column,
                   got, old + sum);
}

static double accumulator(enum ptx_type type, uint32_t word, uint32_t half)
{
    if (type == TYPE_S32) return (double)(int32_t)word;
    if (type == TYPE_F16) return number_decode(TYPE_F16, word >> 16 * half & 0xffff);
    return (double)number_float(word);
}

/* Thread 4r + c of a warp has columns 2c and 2c + 1 of rows r and r + 8, eight columns apart. */
static void check_product(const struct product_case *own, const unsigned char *a,
                          const unsigned char *b, const uint32_t *before, const uint32_t *after)
{
    uint32_t each = own->d == TYPE_F16 ? 2 : 1, count = COLUMNS / (each == 2 ? 4u : 2u);
    for (uint32_t t = 0; t < 128; t++)
        for (uint32_t i = 0; i < count * each; i++) {
            uint32_t row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
            uint32_t column = i / 4 * 8 + t % 4 * 2 + i % 2;
            uint32_t at = t * count + i / each;
            check_element(own, a, b, row, column, accumulator(own->d, before[at], i % 2),
                          accumulator(own->d, after[at], i % 2));
        }
}

static void run_case(const struct product_case *own, uint64_t *state)
{
    static struct input input;
    static uint32_t before[128 * COLUMNS / 2], after[128 * COLUMNS / 2];
    unsigned char b[COLUMNS * ROW_BYTES];
    struct arena *arena = arena_create(0);
    memset(&input, 0, sizeof input);
    fill_rows(own->a, input.a, state);
    fill_rows(own->b, b, state);
    place_matrix(&own->placed_a, input.a, input.regions[0]);
    place_matrix(&own->placed_b, b, input.regions[1]);
    if (own->placed_a.direction != IN_REGISTERS)
        input.descriptors[0] = descriptor_of(&own->placed_a, 0);
    input.descriptors[1] = descriptor_of(&own->placed_b, REGION_BYTES);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        float value = (float)(emulator_random(state) % 100);
        before[i] = emulator_random(state) % 1000 - 500u;
        if (own->d == TYPE_F32) memcpy(&before[i], &value, sizeof value);
        if (own->d == TYPE_F16) before[i] = (uint32_t)f16_encode(value) * 0x10001u;
    }
    memcpy(after, before, sizeof after);
    struct emulation emulation = {.architecture = "sm_90a",
                                  .source = make_source(arena, own),
                                  .blocks = 1,
                                  .threads = 128,
                                  .input = &input,
                                  .input_bytes = sizeof input,
                                  .output = after,
                                  .output_bytes = sizeof after};
    emulator_run_right(&emulator, &emulation, own->types);
    check_product(own, input.a, b, before, after);
    arena_destroy(arena);
}

static void test_products(void **unused)
{
    (void)unused;
    uint64_t state = 50;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run_case(&cases[i], &state);
}

EMULATOR_TESTS("sm_90:1GiB", NULL, cmocka_unit_test(test_products))

#endif
