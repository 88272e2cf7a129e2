/* Register blocks of AMX tiles. */
#include "ops/linear/linear_amx_core_cpu.h"

#include "codegen/cpu/llvm_amx.h"

/* How the eight tiles are dealt: sums first, then rows of activations, then outputs. */
struct tiles {
    int rows, outputs; /* in tiles of 16 */
};

static struct tiles tiles_of(const struct linear_tile *tile)
{
    return (struct tiles){tile->rows / AMX_ROWS, tile->outputs / AMX_ROWS};
}

static int sum_tile(const struct tiles *tiles, int row, int output)
{
    return row * tiles->outputs + output;
}

static int row_tile(const struct tiles *tiles, int row)
{
    return tiles->rows * tiles->outputs + row;
}

static int output_tile(const struct tiles *tiles, int output)
{
    return tiles->rows * (tiles->outputs + 1) + output;
}

/* Bytes: products, a part of a record of 16 rows, and that of 16 outputs. */
enum { BYTES_PRODUCTS, BYTES_ROWS, BYTES_OUTPUTS };

void linear_amx_begin(struct emitter *e, struct linear_tile *tile)
{
    struct amx_shape shapes[AMX_TILES];
    for (int i = 0; i < AMX_TILES; i++) shapes[i] = (struct amx_shape){AMX_ROWS, AMX_ROW_BYTES};
    if (tile->dot == LINEAR_DOT_AMX_BYTES) {
        shapes[BYTES_ROWS].row_bytes = tile->row_bytes / tile->halves;
        shapes[BYTES_OUTPUTS].rows = tile->units / tile->halves;
        tile->tiles = stack_room(e, AMX_ROWS * AMX_ROW_BYTES);
    }
    amx_configure(e, shapes);
}

void linear_amx_end(struct emitter *e)
{
    amx_release(e);
}

/* ---- Sums ---- */

void linear_amx_sums(struct emitter *e, const struct linear_tile *tile, enum linear_motion motion,
                     value sums)
{
    struct tiles tiles = tiles_of(tile);
    int64_t stride = 4 * (int64_t)tile->outputs;
    for (int row = 0; row < tiles.rows; row++)
        for (int output = 0; output < tiles.outputs; output++) {
            int number = sum_tile(&tiles, row, output);
            value at = address_at(e, sums, row * AMX_ROWS * stride + output * AMX_ROW_BYTES);
            if (motion == LINEAR_SUMS_ZERO)
                amx_zero(e, number);
            else if (motion == LINEAR_SUMS_LOAD)
                amx_load(e, number, at, stride);
            else
                amx_store(e, number, at, stride);
        }
}

/* ---- Products ---- */

/* Each tile is loaded just before the first product that needs it, so that loads and products
 * overlap. */
void linear_amx_add(struct emitter *e, const struct linear_tile *tile, value x, value panel)
{
    struct tiles tiles = tiles_of(tile);
    int64_t stride = 4 * (int64_t)tile->outputs;
    for (int row = 0; row < tiles.rows; row++) {
        amx_load(e, row_tile(&tiles, row),
                 address_at(e, x, (int64_t)row * AMX_ROWS * tile->row_bytes), tile->row_bytes);
        for (int output = 0; output < tiles.outputs; output++) {
            if (row == 0)
                amx_load(e, output_tile(&tiles, output),
                         address_at(e, panel, (int64_t)output * AMX_ROW_BYTES), stride);
            amx_add_bf16(e, sum_tile(&tiles, row, output), row_tile(&tiles, row),
                         output_tile(&tiles, output));
        }
    }
}

void linear_amx_bytes(struct emitter *e, const struct linear_tile *tile,
                      const struct linear_byte_units *units, value *products)
{
    int64_t stride = 4 * (int64_t)tile->outputs;
    value x = address_at(e, units->x, (int64_t)units->first * LINEAR_UNIT_BYTES);
    amx_zero(e, BYTES_PRODUCTS);
    amx_load(e, BYTES_ROWS, x, tile->row_bytes);
    amx_load(e, BYTES_OUTPUTS, address_at(e, units->weights, units->first * stride), stride);
    amx_add_bytes(e, BYTES_PRODUCTS, BYTES_ROWS, BYTES_OUTPUTS);
    amx_store(e, BYTES_PRODUCTS, tile->tiles, AMX_ROW_BYTES);
    for (int i = 0; i < tile->rows * tile->vectors; i++) {
        value at = address_at(e, tile->tiles, (int64_t)i * 4 * tile->lanes);
        products[i] = add(e, products[i], load(e, vector_of(e->i32, tile->lanes), at, 4));
    }
}
