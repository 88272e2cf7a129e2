/* Panels of weights: blocks are widened or taken apart once and used for all rows of activations.
 */
#include "ops/linear/linear_panel_core_cpu.h"

#include "codegen/cpu/llvm_dot.h"
#include "ops/linear/linear_step_core_cpu.h"
#include "ops/linear/linear_unpacked_core_cpu.h"

bool linear_takes_bytes(enum linear_dot dot)
{
    return dot == LINEAR_DOT_BYTES || dot == LINEAR_DOT_AMX_BYTES;
}

bool linear_takes_tiles(enum linear_dot dot)
{
    return dot == LINEAR_DOT_AMX || dot == LINEAR_DOT_AMX_BYTES;
}

struct linear_tile linear_tile_of(const struct emitter *e, const struct linear_work *work,
                                  enum linear_dot dot, int rows, int vectors)
{
    struct linear_tile tile = {.dot = dot, .lanes = e->lanes, .vectors = vectors, .rows = rows};
    tile.outputs = tile.lanes * vectors;
    tile.form = work->form;
    tile.halves = work->form && work->form->scale_columns == UNPACK_GROUP ? 2 : 1;
    bool tiles = dot == LINEAR_DOT_AMX; /* of bf16 */
    tile.units = tiles ? LINEAR_UNITS_MAX : LINEAR_UNITS;
    tile.row_bytes = tile.units * LINEAR_UNIT_BYTES;
    tile.record_columns = linear_takes_bytes(dot) || tiles ? 32 : dot == LINEAR_DOT_BF16 ? 16 : 8;
    tile.records = (work->columns + tile.record_columns - 1) / tile.record_columns;
    tile.x_record_bytes = (int64_t)rows * tile.row_bytes;
    tile.panel_record_bytes = (int64_t)tile.outputs * tile.row_bytes;
    if (linear_takes_bytes(dot)) {
        tile.is_signed = dot == LINEAR_DOT_BYTES && dot_pairs_take_signs(e, tile.lanes) &&
                         work->form->offset == 128;
        int scales = tile.halves * (work->form->has_minima ? 2 : 1);
        tile.x_record_bytes += (int64_t)rows * 4 * (tile.halves + 1);
        tile.panel_record_bytes += (int64_t)tile.outputs * 4 * scales;
    }
    return tile;
}

void linear_tile_make_room(struct emitter *e, const struct linear_work *work,
                           struct linear_tile *tile)
{
    if (linear_is_unpacked(work)) tile->unpacked = stack_room(e, linear_unpacked_bytes(tile));
}

value linear_flip_signs(struct emitter *e, value bytes)
{
    return bit_xor(e, bytes, splat_i32(e, 0x80808080, lanes_of(bytes)));
}

/* Byte `byte` of each lane as a real number. */
static value byte_reals(struct emitter *e, const struct linear_tile *tile, value unit, int byte,
                        value scale, value shift)
{
    const struct unpack_form *form = tile->form;
    value bytes = byte ? shift_right(e, unit, 8 * byte) : unit;
    if (form->floats != ELEMENT_COUNT)
        return mulf(e, widen_f8(e, form->floats, truncate_to(e, bytes, e->i8)), scale);
    if (byte < 3) bytes = bit_and(e, bytes, splat_i32(e, 0xff, tile->lanes));
    value reals = integer_to_f32(e, bytes);
    return shift ? muladdf(e, reals, scale, shift) : mulf(e, reals, scale);
}

/* What takes the bytes' offset away and adds the minima; NULL: nothing does. */
static value shift_of(struct emitter *e, const struct linear_tile *tile,
                      const struct linear_byte_block *block, int half)
{
    int offset = tile->form->offset;
    if (!offset) return block->minima[half];
    value away = mulf(e, block->scales[half], splat_f32(e, -offset, tile->lanes));
    return block->minima[half] ? addf(e, away, block->minima[half]) : away;
}

void linear_store_pairs(struct emitter *e, const struct linear_tile *tile,
                        const struct linear_byte_block *block, int first_row, value record)
{
    for (int unit = 0; unit < LINEAR_UNITS; unit++) {
        int half = unit / (LINEAR_UNITS / tile->halves);
        value shift = shift_of(e, tile, block, half);
        for (int pair = 0; pair < 2; pair++) {
            value each[2];
            for (int i = 0; i < 2; i++)
                each[i] = byte_reals(e, tile, block->units[unit], 2 * pair + i, block->scales[half],
                                     shift);
            int64_t at = 4 * ((int64_t)(2 * unit + pair) * tile->outputs + first_row);
            store(e, narrow_bf16_pairs(e, each[0], each[1]), address_at(e, record, at), 4);
        }
    }
}

/* What a round of the filling loop takes from each weight row: a block, or a record of a plain
 * type. */
struct round {
    int columns, records;
    int64_t weight_bytes;
};

static struct round round_of(const struct linear_work *work, const struct linear_tile *tile)
{
    struct round round = {.columns = tile->record_columns, .records = 1};
    if (work->form) {
        round.columns = work->form->block;
        round.records = round.columns / tile->record_columns;
    }
    round.weight_bytes = element_row_bytes(work->element, round.columns);
    return round;
}

/* ---- The units of one record of one weight row, as i32 lanes ---- */

/* q8_0 and q4_0 are read straight from the file's blocks; all other blocks go through
 * linear_unpacked_core_cpu. */

/* Columns 8 * part .. 8 * part + 7. */
static value block_reals(struct emitter *e, const struct linear_work *work, value block, int part)
{
    LLVMTypeRef bytes = vector_of(e->i8, LINEAR_UNITS);
    value scale = widen_f16(e, splat(e, load(e, e->i16, block, 2), LINEAR_UNITS)), whole;
    if (work->element == ELEMENT_Q4_0) {
        /* Low nibbles are columns 0..15, high ones 16..31. */
        value packed =
            load(e, bytes, address_at(e, block, 2 + (int64_t)LINEAR_UNITS * (part % 2)), 1);
        value nibbles = part < 2 ? bit_and(e, packed, splat_i8(e, 15, LINEAR_UNITS))
                                 : shift_right(e, packed, 4);
        whole = sub(e, zero_extend(e, nibbles, e->i32), splat_i32(e, 8, LINEAR_UNITS));
    } else {
        value signs = load(e, bytes, address_at(e, block, 2 + (int64_t)LINEAR_UNITS * part), 1);
        whole = sign_extend(e, signs, e->i32);
    }
    return mulf(e, integer_to_f32(e, whole), scale);
}

static value block_bytes(struct emitter *e, const struct linear_work *work,
                         const struct linear_tile *tile, value block)
{
    value quants = address_at(e, block, 2);
    if (work->element == ELEMENT_Q8_0) {
        value bytes = load(e, vector_of(e->i32, LINEAR_UNITS), quants, 2);
        return tile->is_signed ? bytes : linear_flip_signs(e, bytes);
    }
    value packed = load(e, vector_of(e->i32, 4), quants, 2), low = splat_i32(e, 0x0f0f0f0f, 4);
    return concatenate(e, bit_and(e, packed, low), bit_and(e, shift_right(e, packed, 4), low));
}

/* `columns` of the record exist; the others become zero. */
static value plain_units(struct emitter *e, const struct linear_work *work,
                         const struct linear_tile *tile, value weights, int columns)
{
    if (tile->dot == LINEAR_DOT_BF16 || tile->dot == LINEAR_DOT_AMX)
        return load_first(e, vector_of(e->i16, tile->record_columns), weights, columns, 2);
    return load_as_f32(e, work->element, weights, columns, LINEAR_UNITS);
}

static value units_of(struct emitter *e, const struct linear_work *work,
                      const struct linear_tile *tile, value weights, int record, int columns)
{
    value units = !work->form                     ? plain_units(e, work, tile, weights, columns)
                  : linear_takes_bytes(tile->dot) ? block_bytes(e, work, tile, weights)
                                                  : block_reals(e, work, weights, record);
    return reinterpret(e, units, vector_of(e->i32, tile->units));
}

/* ---- Filling ---- */

/* The bytes from the panel's first weight row to number `row`. */
static int64_t row_offset(const struct linear_work *work, int64_t most, int row)
{
    return (row < most ? row : most - 1) * work->row_bytes;
}

static value block_scales(struct emitter *e, const struct linear_work *work,
                          const struct linear_tile *tile, int first_row, int64_t most,
                          value weights)
{
    value scales = LLVMGetUndef(vector_of(e->i16, tile->lanes));
    for (int i = 0; i < tile->lanes; i++) {
        value block = address_at(e, weights, row_offset(work, most, first_row + i));
        scales = with_lane(e, scales, load(e, e->i16, block, 2), i);
    }
    return widen_f16(e, scales);
}

/* A block of q8_0 or q4_0 of each row as a record of bf16. */
static void fill_pairs(struct emitter *e, const struct linear_work *work,
                       const struct linear_tile *tile, int first_row, int64_t most, value weights,
                       value to)
{
    value rows[TRANSPOSE_MAX];
    struct linear_byte_block block = {.minima = {NULL}};
    for (int i = 0; i < tile->lanes; i++) {
        value from = address_at(e, weights, row_offset(work, most, first_row + i));
        rows[i] = block_bytes(e, work, tile, from);
    }
    transpose(e, rows, tile->lanes, LINEAR_UNITS, block.units);
    block.scales[0] = block_scales(e, work, tile, first_row, most, weights);
    linear_store_pairs(e, tile, &block, first_row, to);
}

/* The round at `weights` (of the panel's first row) into the records at `to`. */
static void fill_round(struct emitter *e, const struct linear_work *work,
                       const struct linear_tile *tile, const struct round *round, int64_t most,
                       value weights, value to, int columns)
{
    value rows[TRANSPOSE_MAX], units[LINEAR_UNITS_MAX];
    for (int v = 0; v < tile->vectors; v++) {
        int first_row = v * tile->lanes;
        if (tile->dot == LINEAR_DOT_AMX && work->form) {
            fill_pairs(e, work, tile, first_row, most, weights, to);
            continue;
        }
        for (int record = 0; record < round->records; record++) {
            for (int i = 0; i < tile->lanes; i++)
                rows[i] = units_of(e, work, tile,
                                   address_at(e, weights, row_offset(work, most, first_row + i)),
                                   record, columns);
            transpose(e, rows, tile->lanes, tile->units, units);
            for (int u = 0; u < tile->units; u++)
                store(e, units[u],
                      address_at(e, to,
                                 record * tile->panel_record_bytes +
                                     4 * ((int64_t)u * tile->outputs + first_row)),
                      4);
        }
        if (!linear_takes_bytes(tile->dot)) continue;
        int64_t behind = (int64_t)tile->outputs * tile->row_bytes + 4 * first_row;
        store(e, block_scales(e, work, tile, first_row, most, weights), address_at(e, to, behind),
              4);
    }
}

void linear_fill_panel(struct emitter *e, const struct linear_work *work,
                       const struct linear_tile *tile, value weights, int64_t most, value first,
                       value last, value panel)
{
    struct round round = round_of(work, tile);
    int64_t full = work->columns / round.columns;
    int rest = (int)(work->columns % round.columns);
    value per_round = constant_i64(e, round.records);
    value begin = divide_signed(e, first, per_round), end = divide_signed(e, last, per_round);
    value to_bytes = constant_i64(e, tile->panel_record_bytes * round.records);
    value from_bytes = constant_i64(e, round.weight_bytes);
    struct loop loop;
    loop_begin(e, &loop, begin, minimum_signed(e, end, constant_i64(e, full)), 1, NULL, 0);
    value to = address(e, panel, mul(e, sub(e, loop.index, begin), to_bytes));
    value from = address(e, weights, mul(e, loop.index, from_bytes));
    if (tile->unpacked)
        linear_fill_unpacked(e, work, tile, most, from, to);
    else
        fill_round(e, work, tile, &round, most, from, to, round.columns);
    loop_end(e, &loop, NULL);
    if (!rest) return;
    struct branch branch; /* the row's last, incomplete record */
    if_begin(e, &branch, less(e, constant_i64(e, full), end));
    to = address(e, panel, mul(e, sub(e, constant_i64(e, full), begin), to_bytes));
    fill_round(e, work, tile, &round, most, address_at(e, weights, full * round.weight_bytes), to,
               rest);
    if_end(e, &branch, NULL, NULL);
}
