/* Products of warpgroups: operands in shared memory behind descriptors, and the arithmetic.  Each of
 * the four warps computes its own 16 of the 64 rows. */
#include "emulator/warpgroup.h"

#include "emulator/number.h"
#include "emulator/tensor_map.h"

/* What a descriptor says of a matrix: 8 rows of `width` bytes lie together. */
struct layout {
    uint32_t start, leading, stride;
    uint32_t swizzle_bytes; /* 0: rows of 16 bytes */
};

static bool read_layout(uint64_t descriptor, struct layout *layout)
{
    static const uint32_t swizzles[] = {0, 128, 64, 32};
    *layout = (struct layout){.start = (uint32_t)(descriptor & 0x3fff) << 4,
                              .leading = (uint32_t)(descriptor >> 16 & 0x3fff) << 4,
                              .stride = (uint32_t)(descriptor >> 32 & 0x3fff) << 4,
                              .swizzle_bytes = swizzles[descriptor >> 62]};
    return !(descriptor >> 49 & 7); /* the base offset: matrices begin at whole patterns */
}

/* Where byte `byte` of row `row` lies, for operands with the depth along rows. */
static uint32_t place_along(const struct layout *layout, uint32_t row, uint32_t byte)
{
    uint32_t width = layout->swizzle_bytes ? layout->swizzle_bytes : CHUNK_BYTES;
    uint32_t place = layout->start + row / 8 * layout->stride + row % 8 * width;
    if (layout->swizzle_bytes) return swizzled(place + byte, layout->swizzle_bytes);
    return place + byte / CHUNK_BYTES * layout->leading + byte % CHUNK_BYTES;
}

/* The same where the depth goes across: `row` is still the row of the product, and elements of
 * neighbouring rows are neighbours in memory. */
static uint32_t place_across(const struct layout *layout, uint32_t row, uint32_t k, uint32_t bytes)
{
    uint32_t width = layout->swizzle_bytes ? layout->swizzle_bytes : CHUNK_BYTES;
    uint32_t along = row * bytes, place = layout->start + along % width + k % 8 * width;
    if (!layout->swizzle_bytes)
        return place + along / width * layout->stride + k / 8 * layout->leading;
    place += along / width * layout->leading + k / 8 * layout->stride;
    return swizzled(place, layout->swizzle_bytes);
}

struct operand {
    const struct warpgroup_product *product;
    const struct element_reader *reader;
    struct layout layout;
    bool transposed;
    uint32_t first, rows; /* of the matrix, that are wanted */
};

static bool read_shared(struct warp *warp, const struct instruction *instruction, uint32_t place,
                        uint32_t bytes, void *to)
{
    struct block *block = warp->block;
    if (bytes > block->shared_bytes || place > block->shared_bytes - bytes) {
        warp_fault(warp, instruction, MACHINE_ILLEGAL_ADDRESS,
                   "the descriptor's matrix reaches shared byte %u; the block has %u", place,
                   block->shared_bytes);
        return false;
    }
    if (!shadow_read_async(warp, instruction, place, bytes)) return false;
    if (to) memcpy(to, block->shared + place, bytes);
    return true;
}

static bool load_row(struct warp *warp, const struct instruction *instruction,
                     const struct operand *operand, uint32_t row, float *values)
{
    uint32_t words[ROW_BYTES / 4];
    const struct warpgroup_product *product = operand->product;
    for (uint32_t byte = 0; byte < ROW_BYTES; byte += CHUNK_BYTES)
        if (!read_shared(warp, instruction, place_along(&operand->layout, row, byte), CHUNK_BYTES,
                         values ? &words[byte / 4] : NULL))
            return false;
    uint32_t each = 4 / product->element_bytes;
    for (uint32_t k = 0; values && k < product->k; k++)
        values[k] = element_value(operand->reader, words[k / each], k % each);
    return true;
}

static bool load_transposed_row(struct warp *warp, const struct instruction *instruction,
                                const struct operand *operand, uint32_t row, float *values)
{
    const struct warpgroup_product *product = operand->product;
    for (uint32_t k = 0; k < product->k; k++) {
        uint16_t code = 0;
        uint32_t place = place_across(&operand->layout, row, k, product->element_bytes);
        if (!read_shared(warp, instruction, place, sizeof code, &code)) return false;
        if (values) values[k] = element_value(operand->reader, code, 0);
    }
    return true;
}

/* Rows of `values` have DEPTH_MAX numbers; NULL: their bytes are only looked at. */
static bool load_operand(struct warp *warp, const struct instruction *instruction,
                         const struct operand *operand, float (*values)[DEPTH_MAX])
{
    for (uint32_t r = 0; r < operand->rows; r++) {
        float *row = values ? values[r] : NULL;
        bool good = operand->transposed
                        ? load_transposed_row(warp, instruction, operand, operand->first + r, row)
                        : load_row(warp, instruction, operand, operand->first + r, row);
        if (!good) return false;
    }
    return true;
}

static struct operand operand_of(const struct warp *warp, const struct warpgroup_product *product,
                                 int which, uint64_t descriptor)
{
    struct operand operand = {.product = product,
                              .reader = which ? &product->b : &product->a,
                              .transposed = which ? product->transposed_b : product->transposed_a,
                              .first = which ? 0 : warp->index % WARPGROUP_WARPS * WARP_ROWS,
                              .rows = which ? product->n : WARP_ROWS};
    read_layout(descriptor, &operand.layout);
    return operand;
}

static void load_registers(const struct warp *warp, const struct instruction *instruction,
                           float a[WARP_ROWS][DEPTH_MAX])
{
    const struct warpgroup_product *product = instruction->detail;
    uint32_t each = 32 / product->a.bits;
    for (uint32_t r = 0; r < A_REGISTERS; r++) {
        const uint32_t *words = LANES(const uint32_t, instruction->list[product->a_at + r]);
        for (uint32_t lane = 0; lane < WARP_LANES; lane++)
            for (uint32_t e = 0; e < each; e++) {
                uint32_t k = (r / 2 * LANES_PER_ROW + lane % LANES_PER_ROW) * each + e;
                a[lane / LANES_PER_ROW + r % 2 * 8][k] = element_value(&product->a, words[lane], e);
            }
    }
}

bool warpgroup_check(struct warp *warp, const struct pending_product *pending)
{
    const struct instruction *instruction = pending->instruction;
    const struct warpgroup_product *product = instruction->detail;
    for (int which = product->a_in_registers; which < 2; which++) {
        struct layout layout;
        if (!read_layout(pending->descriptors[which], &layout)) {
            warp_fault(warp, instruction, MACHINE_ILLEGAL_INSTRUCTION,
                       "a descriptor with a base offset, which the stand-in does not have");
            return false;
        }
        struct operand operand = operand_of(warp, product, which, pending->descriptors[which]);
        if (!load_operand(warp, instruction, &operand, NULL)) return false;
    }
    return true;
}

struct sums {
    float rows[WARP_ROWS][COLUMNS_MAX];
};

static void multiply(const struct warpgroup_product *product, float a[WARP_ROWS][DEPTH_MAX],
                     float b[COLUMNS_MAX][DEPTH_MAX], struct sums *sums)
{
    float turned[DEPTH_MAX][COLUMNS_MAX];
    for (uint32_t n = 0; n < product->n; n++)
        for (uint32_t k = 0; k < product->k; k++) turned[k][n] = b[n][k];
    for (uint32_t row = 0; row < WARP_ROWS; row++) {
        float *sum = sums->rows[row];
        memset(sum, 0, product->n * sizeof *sum);
        for (uint32_t k = 0; k < product->k; k++) {
            float factor = product->negated ? -a[row][k] : a[row][k];
            for (uint32_t n = 0; n < product->n; n++) sum[n] += factor * turned[k][n];
        }
    }
}

static uint32_t add_whole(const struct warpgroup_product *product, uint32_t old, float sum)
{
    int64_t total = (int64_t)(int32_t)old + (int64_t)sum;
    if (product->saturate && total > INT32_MAX) total = INT32_MAX;
    if (product->saturate && total < INT32_MIN) total = INT32_MIN;
    return (uint32_t)total;
}

/* Accumulators: lane 4r + c has columns 2c and 2c + 1 of row r, then of row r + 8, then the next
 * eight columns. */
static void add_sums(struct warp *warp, const struct pending_product *pending,
                     const struct sums *sums)
{
    const struct warpgroup_product *product = pending->instruction->detail;
    for (uint32_t r = 0; r < product->d_count; r++) {
        uint32_t *d = LANES(uint32_t, pending->instruction->list[r]);
        uint32_t pair = product->half ? r : r / 2;
        for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
            uint32_t row = lane / LANES_PER_ROW + pair % 2 * 8;
            uint32_t column = pair / 2 * 8 + lane % LANES_PER_ROW * 2;
            uint32_t old = pending->accumulates ? d[lane] : 0;
            const float *sum = &sums->rows[row][column];
            if (product->half)
                d[lane] = f16_encode(f16_decode((uint16_t)old) + sum[0]) |
                          (uint32_t)f16_encode(f16_decode((uint16_t)(old >> 16)) + sum[1]) << 16;
            else if (product->whole)
                d[lane] = add_whole(product, old, sum[r % 2]);
            else
                d[lane] = bits_of(float_of(old) + sum[r % 2]);
        }
    }
}

bool warpgroup_multiply(struct warp *warp, const struct pending_product *pending)
{
    const struct instruction *instruction = pending->instruction;
    const struct warpgroup_product *product = instruction->detail;
    float a[WARP_ROWS][DEPTH_MAX], b[COLUMNS_MAX][DEPTH_MAX];
    struct sums sums;
    struct operand second = operand_of(warp, product, 1, pending->descriptors[1]);
    if (product->a_in_registers) {
        load_registers(warp, instruction, a);
    } else {
        struct operand first = operand_of(warp, product, 0, pending->descriptors[0]);
        if (!load_operand(warp, instruction, &first, a)) return false;
    }
    if (!load_operand(warp, instruction, &second, b)) return false;
    multiply(product, a, b, &sums);
    add_sums(warp, pending, &sums);
    return true;
}
