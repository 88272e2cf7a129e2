/* mma.sync: products of small matrices that lie in a warp's registers.
 *
 * Sums are taken in f32 in order of k and added to the accumulator at once; cards add in other
 * orders and with other roundings in between, so results agree within a few units of the last
 * place, not to the bit.  Whole numbers are exact. */
#include "emulator/fragment.h"
#include "emulator/number.h"

enum { ROWS_MAX = 16, COLUMNS = 8, DEPTH_MAX = 64, LANES_PER_ROW = 4, SCALES_MAX = 4 };

struct product {
    uint32_t m, k;
    struct element_reader a, b;
    bool whole, saturate, half; /* s32 accumulators; with saturation; f16 accumulators */
    uint32_t d_count, a_count, b_count;
    /* Places in the instruction's list of registers. */
    uint32_t d_at, a_at, b_at, c_at;
    uint32_t scales; /* per row; 0: none */
    uint32_t rate_eighths;
    const float *scale_values;
    uint32_t scale_a, scale_b, select_a[2], select_b[2]; /* registers: word, byte, thread */
};

/* Four columns, for the processor to take at once: all of them can vectors of 16 bytes. */
typedef float quad __attribute__((vector_size(4 * sizeof(float))));
enum { QUADS = COLUMNS / 4, ROWS_TOGETHER = 4 };

struct matrices {
    quad b[DEPTH_MAX][QUADS];
    float a[ROWS_MAX][DEPTH_MAX];
    float scale_a[ROWS_MAX][SCALES_MAX], scale_b[COLUMNS][SCALES_MAX];
};

/* The same as load_operands for the elements that most products have. */
static void load_halves(const struct warp *warp, const struct instruction *instruction,
                        const struct product *product, struct matrices *matrices)
{
    const uint32_t *list = instruction->list;
    float low[WARP_LANES], high[WARP_LANES];
    uint32_t down = product->m / COLUMNS;
    for (uint32_t r = 0; r < product->a_count; r++) {
        element_pairs(&product->a, LANES(const uint32_t, list[product->a_at + r]), low, high);
        for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
            float *row = matrices->a[lane / LANES_PER_ROW + r % down * COLUMNS];
            uint32_t k = (r / down * LANES_PER_ROW + lane % LANES_PER_ROW) * 2;
            row[k] = low[lane];
            row[k + 1] = high[lane];
        }
    }
    for (uint32_t r = 0; r < product->b_count; r++) {
        element_pairs(&product->b, LANES(const uint32_t, list[product->b_at + r]), low, high);
        for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
            uint32_t k = (r * LANES_PER_ROW + lane % LANES_PER_ROW) * 2;
            matrices->b[k][lane / LANES_PER_ROW / 4][lane / LANES_PER_ROW % 4] = low[lane];
            matrices->b[k + 1][lane / LANES_PER_ROW / 4][lane / LANES_PER_ROW % 4] = high[lane];
        }
    }
}

/* Each register has consecutive elements of one row; four lanes share a row, registers first step
 * down eight rows, then along. */
static void load_operands(const struct warp *warp, const struct instruction *instruction,
                          const struct product *product, struct matrices *matrices)
{
    const uint32_t *list = instruction->list;
    uint32_t a_each = 32 / product->a.bits, b_each = 32 / product->b.bits;
    uint32_t down = product->m / COLUMNS; /* registers that step down */
    if (product->a.bits == 16) {
        load_halves(warp, instruction, product, matrices);
        return;
    }
    for (uint32_t r = 0; r < product->a_count; r++) {
        const uint32_t *words = LANES(const uint32_t, list[product->a_at + r]);
        for (uint32_t lane = 0; lane < WARP_LANES; lane++)
            for (uint32_t e = 0; e < a_each; e++) {
                uint32_t row = lane / LANES_PER_ROW + r % down * COLUMNS;
                uint32_t k = (r / down * LANES_PER_ROW + lane % LANES_PER_ROW) * a_each + e;
                matrices->a[row][k] = element_value(&product->a, words[lane], e);
            }
    }
    for (uint32_t r = 0; r < product->b_count; r++) {
        const uint32_t *words = LANES(const uint32_t, list[product->b_at + r]);
        for (uint32_t lane = 0; lane < WARP_LANES; lane++)
            for (uint32_t e = 0; e < b_each; e++) {
                uint32_t k = (r * LANES_PER_ROW + lane % LANES_PER_ROW) * b_each + e;
                matrices->b[k][lane / LANES_PER_ROW / 4][lane / LANES_PER_ROW % 4] =
                    element_value(&product->b, words[lane], e);
            }
    }
}

/* Rows of A take their scales from the lanes of their four that `thread` names in pairs, columns of
 * B from one lane of four; `byte` says where in the word the first scale is. */
static void load_scales(const struct warp *warp, const struct product *product,
                        struct matrices *matrices)
{
    const uint32_t *a = LANES(const uint32_t, product->scale_a);
    const uint32_t *b = LANES(const uint32_t, product->scale_b);
    uint32_t a_byte = *LANES(const uint32_t, product->select_a[0]) & 3;
    uint32_t a_thread = *LANES(const uint32_t, product->select_a[1]) & 1;
    uint32_t b_byte = *LANES(const uint32_t, product->select_b[0]) & 3;
    uint32_t b_thread = *LANES(const uint32_t, product->select_b[1]) & 3;
    for (uint32_t row = 0; row < ROWS_MAX; row++)
        for (uint32_t s = 0; s < product->scales; s++) {
            uint32_t lane = row % 8 * LANES_PER_ROW + a_thread * 2 + row / 8;
            matrices->scale_a[row][s] =
                product->scale_values[a[lane] >> 8 * ((a_byte + s) & 3) & 255];
        }
    for (uint32_t column = 0; column < COLUMNS; column++)
        for (uint32_t s = 0; s < product->scales; s++) {
            uint32_t lane = column * LANES_PER_ROW + b_thread;
            matrices->scale_b[column][s] =
                product->scale_values[b[lane] >> 8 * ((b_byte + s) & 3) & 255];
        }
}

/* The sums of some rows over one part of the depth, four rows together so that additions need not
 * wait for each other. */
static void multiply_part(const struct matrices *matrices, uint32_t row, uint32_t begin,
                          uint32_t end, quad sums[static ROWS_TOGETHER][QUADS])
{
    quad own[ROWS_TOGETHER][QUADS] = {{{0}}};
    for (uint32_t k = begin; k < end; k++)
        for (uint32_t r = 0; r < ROWS_TOGETHER; r++)
            for (uint32_t q = 0; q < QUADS; q++)
                own[r][q] += matrices->a[row + r][k] * matrices->b[k][q];
    memcpy(sums, own, sizeof own);
}

static void multiply_rows(const struct product *product, const struct matrices *matrices,
                          uint32_t row, float sums[static ROWS_TOGETHER][COLUMNS])
{
    uint32_t parts = product->scales ? product->scales : 1, each = product->k / parts;
    quad partial[ROWS_TOGETHER][QUADS];
    memset(sums, 0, sizeof partial);
    for (uint32_t part = 0; part < parts; part++) {
        multiply_part(matrices, row, part * each, (part + 1) * each, partial);
        for (uint32_t r = 0; r < ROWS_TOGETHER; r++)
            for (uint32_t j = 0; j < COLUMNS; j++) {
                float sum = partial[r][j / 4][j % 4];
                if (product->scales)
                    sum = sum * matrices->scale_a[row + r][part] * matrices->scale_b[j][part];
                sums[r][j] += sum;
            }
    }
}

/* Accumulators: lane 4r + c has columns 2c and 2c + 1 of row r, then of row r + 8. */
static uint32_t add_whole(const struct product *product, uint32_t old, float sum)
{
    int64_t total = (int64_t)(int32_t)old + (int64_t)sum;
    if (product->saturate && total > INT32_MAX) total = INT32_MAX;
    if (product->saturate && total < INT32_MIN) total = INT32_MIN;
    return (uint32_t)total;
}

static uint32_t add_halves(uint32_t old, float low, float high)
{
    float x = f16_decode((uint16_t)old) + low, y = f16_decode((uint16_t)(old >> 16)) + high;
    return f16_encode(x) | (uint32_t)f16_encode(y) << 16;
}

/* Where register `r` of a lane has its (first) element. */
static const float *sum_at(const struct product *product, float sums[ROWS_MAX][COLUMNS], uint32_t r,
                           uint32_t lane)
{
    uint32_t row = lane / LANES_PER_ROW + (product->half ? r : r / 2) * 8;
    return &sums[row][lane % LANES_PER_ROW * 2 + (product->half ? 0 : r % 2)];
}

static void store_sums(struct warp *warp, const struct instruction *instruction,
                       const struct product *product, float sums[ROWS_MAX][COLUMNS])
{
    const uint32_t *list = instruction->list;
    for (uint32_t r = 0; r < product->d_count; r++) {
        uint32_t *d = LANES(uint32_t, list[product->d_at + r]);
        const uint32_t *c = LANES(const uint32_t, list[product->c_at + r]);
        const float *own[WARP_LANES];
        for (uint32_t lane = 0; lane < WARP_LANES; lane++)
            own[lane] = sum_at(product, sums, r, lane);
        if (product->half)
            for (uint32_t lane = 0; lane < WARP_LANES; lane++)
                d[lane] = add_halves(c[lane], own[lane][0], own[lane][1]);
        else if (product->whole)
            for (uint32_t lane = 0; lane < WARP_LANES; lane++)
                d[lane] = add_whole(product, c[lane], own[lane][0]);
        else
            for (uint32_t lane = 0; lane < WARP_LANES; lane++)
                d[lane] = bits_of(float_of(c[lane]) + own[lane][0]);
    }
}

OPERATION(matrix_multiply)
{
    const struct product *product = instruction->detail;
    struct matrices matrices;
    float sums[ROWS_MAX][COLUMNS];
    enum outcome outcome;
    if (!warp_gathers(warp, instruction, ALL_LANES, &outcome)) return outcome;
    load_operands(warp, instruction, product, &matrices);
    if (product->scales) load_scales(warp, product, &matrices);
    for (uint32_t row = 0; row < product->m; row += ROWS_TOGETHER)
        multiply_rows(product, &matrices, row, &sums[row]);
    store_sums(warp, instruction, product, sums);
    matrix_count(warp, 2ull * product->m * COLUMNS * product->k, product->rate_eighths);
    return OUTCOME_NEXT;
}

/* "m16n8k16": the second matrix always has eight columns here. */
static status take_shape(struct decoder *decoder, struct product *product)
{
    static const struct {
        const char *name;
        uint32_t m, k;
    } shapes[] = {{"m16n8k4", 16, 4},   {"m16n8k8", 16, 8},   {"m16n8k16", 16, 16},
                  {"m16n8k32", 16, 32}, {"m16n8k64", 16, 64}, {"m8n8k16", 8, 16},
                  {"m8n8k32", 8, 32}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (decoder_take(decoder, shapes[i].name)) {
            product->m = shapes[i].m;
            product->k = shapes[i].k;
            return STATUS_OK;
        }
    return decoder_refuse(decoder, "its shape is not known");
}

static bool type_multiplies(enum ptx_type type)
{
    switch (type) {
    case TYPE_F16:
    case TYPE_BF16:
    case TYPE_TF32:
    case TYPE_S8:
    case TYPE_U8:
    case TYPE_S4:
    case TYPE_U4:
    case TYPE_E4M3:
    case TYPE_E5M2:
    case TYPE_E2M1:
    case TYPE_E2M3:
    case TYPE_E3M2: return true;
    default: return false;
    }
}

/* "kind::mxf4", "block_scale", "scale_vec::2X", and the type of the scales. */
static status take_scaling(struct decoder *decoder, struct product *product, uint32_t *container)
{
    size_t length;
    const char *kind = decoder_take_prefix(decoder, "kind::", &length);
    bool bytes = kind && (!strncmp(kind, "f8f6f4", 6) || !strncmp(kind, "mxf8f6f4", 8));
    *container = bytes ? 8 : 0;
    if (!decoder_take(decoder, "block_scale")) return STATUS_OK;
    const char *vector = decoder_take_prefix(decoder, "scale_vec::", &length);
    product->scales = vector  ? (uint32_t)(*vector - '0')
                      : bytes ? 1
                      : product->k == 64 && kind && !strncmp(kind, "mxf4nvf4", 8) ? 4
                                                                                  : 2;
    enum ptx_type type = decoder->type_count == 5 ? decoder->types[4] : TYPE_NONE;
    if ((type != TYPE_UE8M0 && type != TYPE_UE4M3) || product->m != 16 ||
        (product->scales != 1 && product->scales != 2 && product->scales != 4))
        return decoder_refuse(decoder, "its scales are not known");
    float *values;
    TRY_NEW(values, decoder->parser->module->arena, 256, decoder->lexer->diagnostic);
    for (uint32_t code = 0; code < 256; code++) values[code] = (float)number_decode(type, code);
    product->scale_values = values;
    return STATUS_OK;
}

static status read_scale(struct decoder *decoder, uint32_t *scale, uint32_t select[static 2])
{
    uint32_t list[OPERAND_LIST_MAX];
    uint16_t count = 0;
    TRY(read_comma(decoder));
    TRY(read_registers_of(decoder, TYPE_B32, true, list, &count));
    TRY(read_comma(decoder));
    TRY(read_registers_of(decoder, TYPE_B16, true, list, &count));
    if (count != 3) return decoder_refuse(decoder, "a scale is {word}, {byte, thread}");
    *scale = list[0];
    select[0] = list[1];
    select[1] = list[2];
    return STATUS_OK;
}

static status read_operands(struct decoder *decoder, struct product *product)
{
    uint32_t list[OPERAND_LIST_MAX],
        *counts[] = {&product->d_at, &product->a_at, &product->b_at, &product->c_at};
    uint16_t count = 0;
    for (int i = 0; i < 4; i++) {
        if (i) TRY(read_comma(decoder));
        *counts[i] = count;
        TRY(read_registers_of(decoder, TYPE_B32, i > 0, list, &count));
    }
    uint32_t wanted_d = product->m * COLUMNS / WARP_LANES / (product->half ? 2 : 1);
    product->d_count = product->a_at;
    product->a_count = product->b_at - product->a_at;
    product->b_count = product->c_at - product->b_at;
    if (product->d_count != wanted_d || count - product->c_at != wanted_d ||
        product->a_count * 1024 != product->m * product->k * product->a.bits ||
        product->b_count * 1024 != product->k * COLUMNS * product->b.bits)
        return decoder_refuse(decoder, "its operands have other sizes");
    TRY(keep_list(decoder, list, count));
    if (!product->scales) return STATUS_OK;
    TRY(read_scale(decoder, &product->scale_a, product->select_a));
    return read_scale(decoder, &product->scale_b, product->select_b);
}

static status decode_multiply(struct decoder *decoder, const struct opcode *opcode)
{
    struct product *product;
    uint32_t container;
    (void)opcode;
    TRY_NEW(product, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    decoder->instruction->detail = product;
    decoder->instruction->run = matrix_multiply;
    decoder_take(decoder, "aligned");
    TRY(take_shape(decoder, product));
    if (!decoder_take(decoder, "row") || !decoder_take(decoder, "col") || decoder->type_count < 4)
        return decoder_refuse(decoder, "it must be .row.col with four types");
    product->saturate = decoder_take(decoder, "satfinite");
    const enum ptx_type *types = decoder->types;
    product->whole = types[0] == TYPE_S32;
    product->half = types[0] == TYPE_F16;
    if ((types[0] != TYPE_S32 && types[0] != TYPE_F16 && types[0] != TYPE_F32) ||
        types[3] != types[0] || !type_multiplies(types[1]) || !type_multiplies(types[2]))
        return decoder_refuse(decoder, "not for these types");
    TRY(take_scaling(decoder, product, &container));
    const struct matrix_rate rate = {.target = decoder->parser->module->target,
                                     .element = types[1],
                                     .sum = types[0],
                                     .scaled = product->scales > 0};
    product->rate_eighths = matrix_rate_eighths(&rate);
    TRY(element_reader_create(decoder, types[1], container, &product->a));
    TRY(element_reader_create(decoder, types[2], container, &product->b));
    return read_operands(decoder, product);
}

const struct opcode opcodes_matrix[] = {
    {"mma.sync", NULL, NULL, CATEGORY_MATRIX, decode_multiply},
    {0},
};
