/* What the instructions of AMX do.  All of it runs in a signal handler, so it calls nothing that allocates or locks. */
#include "tests/cpu/amx_tiles_harness.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNIT_BYTES = 4, ROW_BYTES_AT = 16, ROWS_AT = 48 };

static void require(bool condition, const char *reason)
{
    if (condition) return;
    static const char head[] = "AMX fault: ";
    ssize_t written = write(STDERR_FILENO, head, sizeof head - 1);
    written += write(STDERR_FILENO, reason, strlen(reason));
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    abort();
}

/* ---- Shapes ---- */

static void require_zero(const uint8_t *bytes, int first, int end)
{
    for (int i = first; i < end; i++)
        require(bytes[i] == 0, "reserved bytes of the configuration are not zero");
}

void amx_tiles_configure(struct amx_state *state, const char *memory)
{
    uint8_t bytes[AMX_STATE_BYTES];
    memcpy(bytes, memory, sizeof bytes);
    memset(state, 0, sizeof *state);
    if (bytes[0] == 0) return;
    require(bytes[0] == 1, "no palette but 0 and 1");
    require_zero(bytes, 2, ROW_BYTES_AT);
    require_zero(bytes, ROW_BYTES_AT + 2 * AMX_STATE_TILES, ROWS_AT);
    require_zero(bytes, ROWS_AT + AMX_STATE_TILES, AMX_STATE_BYTES);
    state->palette = bytes[0];
    state->start_row = bytes[1];
    for (int t = 0; t < AMX_STATE_TILES; t++) {
        struct amx_tile *tile = &state->tiles[t];
        tile->rows = bytes[ROWS_AT + t];
        tile->row_bytes = bytes[ROW_BYTES_AT + 2 * t] | bytes[ROW_BYTES_AT + 2 * t + 1] << 8;
        require(tile->rows <= AMX_STATE_ROWS, "a tile has more than 16 rows");
        require(tile->row_bytes <= AMX_STATE_ROW_BYTES, "a tile's rows have more than 64 bytes");
        require((tile->rows == 0) == (tile->row_bytes == 0),
                "a tile has rows without bytes or bytes without rows");
    }
}

void amx_tiles_describe(const struct amx_state *state, char *memory)
{
    uint8_t bytes[AMX_STATE_BYTES] = {(uint8_t)state->palette, state->start_row};
    for (int t = 0; t < AMX_STATE_TILES; t++) {
        bytes[ROW_BYTES_AT + 2 * t] = (uint8_t)state->tiles[t].row_bytes;
        bytes[ROWS_AT + t] = (uint8_t)state->tiles[t].rows;
    }
    memcpy(memory, bytes, sizeof bytes);
}

void amx_tiles_release(struct amx_state *state)
{
    memset(state, 0, sizeof *state);
}

static void require_tile(const struct amx_state *state, int tile)
{
    require(state->palette == 1, "a tile is used before tiles are configured");
    require(state->tiles[tile].rows > 0, "a tile is used that the configuration leaves out");
}

/* ---- Moving ---- */

void amx_tiles_zero(struct amx_state *state, int tile)
{
    require_tile(state, tile);
    memset(state->tiles[tile].bytes, 0, sizeof state->tiles[tile].bytes);
}

void amx_tiles_load(struct amx_state *state, int tile, const char *memory, int64_t stride)
{
    struct amx_tile *to = &state->tiles[tile];
    amx_tiles_zero(state, tile);
    for (int row = 0; row < to->rows; row++)
        memcpy(to->bytes[row], memory + row * stride, (size_t)to->row_bytes);
}

void amx_tiles_store(const struct amx_state *state, int tile, char *memory, int64_t stride)
{
    const struct amx_tile *from = &state->tiles[tile];
    require_tile(state, tile);
    for (int row = 0; row < from->rows; row++)
        memcpy(memory + row * stride, from->bytes[row], (size_t)from->row_bytes);
}

/* ---- Products ---- */

static void require_shapes(const struct amx_state *state, const struct amx_product *product)
{
    const struct amx_tile *sum = &state->tiles[product->sum & 7];
    const struct amx_tile *a = &state->tiles[product->a & 7], *b = &state->tiles[product->b & 7];
    require(product->b < AMX_STATE_TILES, "there are eight tiles");
    require(product->sum != product->a && product->sum != product->b && product->a != product->b,
            "a product's tiles must differ");
    require_tile(state, product->sum);
    require_tile(state, product->a);
    require_tile(state, product->b);
    require(sum->row_bytes % UNIT_BYTES == 0 && a->row_bytes % UNIT_BYTES == 0 &&
                b->row_bytes % UNIT_BYTES == 0,
            "a product's rows are no whole units of 4 bytes");
    require(sum->rows == a->rows, "the sums have not the rows of the left operand");
    require(a->row_bytes / UNIT_BYTES == b->rows,
            "the left operand's columns are not the right one's rows");
    require(sum->row_bytes == b->row_bytes, "the sums have not the columns of the right operand");
}

/* Below the smallest normal number is zero, in what goes in and in what comes out. */
static float flush(double x)
{
    float rounded = (float)x;
    return fabsf(rounded) < FLT_MIN ? copysignf(0, rounded) : rounded;
}

static double number_of(const uint8_t *bytes)
{
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 24;
    float number;
    memcpy(&number, &bits, sizeof number);
    return (double)flush((double)number);
}

/* First and second numbers of the units have sums of their own, which are added at the end. */
static float add_pairs(const struct amx_tile *a, const struct amx_tile *b, int row, int column,
                       float before)
{
    float sums[2] = {0, 0};
    for (int k = 0; k < b->rows; k++)
        for (int half = 0; half < 2; half++) {
            double left = number_of(&a->bytes[row][k * UNIT_BYTES + half * 2]);
            double right = number_of(&b->bytes[k][column * UNIT_BYTES + half * 2]);
            sums[half] = flush((double)sums[half] + left * right);
        }
    return flush((double)flush((double)sums[0] + (double)sums[1]) + (double)flush((double)before));
}

void amx_tiles_add_bf16(struct amx_state *state, const struct amx_product *product)
{
    require_shapes(state, product);
    struct amx_tile *sum = &state->tiles[product->sum];
    const struct amx_tile *a = &state->tiles[product->a], *b = &state->tiles[product->b];
    for (int row = 0; row < sum->rows; row++)
        for (int column = 0; column < sum->row_bytes / UNIT_BYTES; column++) {
            float number;
            memcpy(&number, &sum->bytes[row][column * UNIT_BYTES], sizeof number);
            number = add_pairs(a, b, row, column, number);
            memcpy(&sum->bytes[row][column * UNIT_BYTES], &number, sizeof number);
        }
}

static int32_t integer_of(uint8_t byte, bool is_signed)
{
    return is_signed && byte > INT8_MAX ? (int32_t)byte - 256 : (int32_t)byte;
}

void amx_tiles_add_bytes(struct amx_state *state, const struct amx_product *product, bool a_signed,
                         bool b_signed)
{
    require_shapes(state, product);
    struct amx_tile *sum = &state->tiles[product->sum];
    const struct amx_tile *a = &state->tiles[product->a], *b = &state->tiles[product->b];
    for (int row = 0; row < sum->rows; row++)
        for (int column = 0; column < sum->row_bytes / UNIT_BYTES; column++) {
            uint32_t number; /* sums wrap around */
            memcpy(&number, &sum->bytes[row][column * UNIT_BYTES], sizeof number);
            for (int k = 0; k < a->row_bytes; k++)
                number +=
                    (uint32_t)(integer_of(a->bytes[row][k], a_signed) *
                               integer_of(
                                   b->bytes[k / UNIT_BYTES][column * UNIT_BYTES + k % UNIT_BYTES],
                                   b_signed));
            memcpy(&sum->bytes[row][column * UNIT_BYTES], &number, sizeof number);
        }
}
