/* Packed activations: the rows of a tile side by side (linear_panel_core_cpu.h says how). */
#include "ops/linear/linear_panel_core_cpu.h"
#include "ops/linear/linear_quantize_core_cpu.h"

/* Rows are rounded up to whole tiles; what the missing rows hold is never stored anywhere. */
struct workspace linear_pack_workspace(const struct linear_tile *tile)
{
    int64_t row_bytes = tile->records * tile->x_record_bytes / tile->rows;
    return (struct workspace){.per_row_bytes = row_bytes,
                              .fixed_bytes = row_bytes * (tile->rows - 1)};
}

/* `columns` of the record exist.  `record` is the tile's record, `slot` the row's number in the
 * tile. */
static void pack_record(struct emitter *e, const struct linear_tile *tile, value x, int columns,
                        value record, value slot)
{
    value row = address(e, record, mul(e, slot, constant_i64(e, tile->row_bytes)));
    if (!linear_takes_bytes(tile->dot)) {
        value reals = load_first(e, vector_of(e->f32, tile->record_columns), x, columns, 4);
        store(e, tile->dot == LINEAR_DOT_FMA ? reals : narrow_bf16(e, reals), row, 2);
        return;
    }
    struct linear_bytes bytes = linear_quantize_block(e, x);
    value extra = address_at(e, record, (int64_t)tile->rows * tile->row_bytes);
    value at = address(e, extra, mul(e, slot, constant_i64(e, 4)));
    value sums[2];
    for (int half = 0; half < 2; half++) {
        store(e, bytes.halves[half], address_at(e, row, (int64_t)half * 16), 4);
        int offset = tile->form->has_minima ? 1 : tile->is_signed ? 0 : tile->form->offset;
        sums[half] = horizontal_add(e, linear_offset_sums(e, bytes.halves[half], offset));
    }
    if (tile->halves == 1) sums[0] = add(e, sums[0], sums[1]);
    for (int half = 0; half < tile->halves; half++) {
        value sum = sums[half];
        if (tile->form->has_minima) sum = negf(e, mulf(e, integer_to_f32(e, sum), bytes.scale));
        store(e, sum, address_at(e, at, (int64_t)half * tile->rows * 4), 4);
    }
    store(e, bytes.scale, address_at(e, at, (int64_t)tile->halves * tile->rows * 4), 4);
}

void linear_pack_row(struct emitter *e, const struct linear_work *work,
                     const struct linear_tile *tile, value x, value to,
                     const struct linear_packing *packing)
{
    int64_t full = work->columns / tile->record_columns;
    int rest = (int)(work->columns % tile->record_columns);
    value x_bytes = constant_i64(e, tile->record_columns * 4);
    value record_bytes = constant_i64(e, tile->x_record_bytes);
    struct loop loop;
    loop_begin(e, &loop, packing->first, minimum_signed(e, packing->last, constant_i64(e, full)), 1,
               NULL, 0);
    pack_record(e, tile, address(e, x, mul(e, loop.index, x_bytes)), tile->record_columns,
                address(e, to, mul(e, loop.index, record_bytes)), packing->slot);
    loop_end(e, &loop, NULL);
    if (!rest) return;
    struct branch last;
    if_begin(e, &last, equal(e, packing->last, constant_i64(e, tile->records)));
    pack_record(e, tile, address_at(e, x, full * tile->record_columns * 4), rest,
                address_at(e, to, full * tile->x_record_bytes), packing->slot);
    if_end(e, &last, NULL, NULL);
}

static void emit_pack(struct emitter *e, const struct linear_work *work,
                      const struct linear_tile *tile)
{
    struct kernel_arguments kernel = kernel_begin(e, "pack");
    value x = kernel_pointer(e, &kernel, 0), to = kernel_pointer(e, &kernel, 1);
    struct linear_row_loop rows;
    linear_rows_begin(e, &rows, &kernel, tile->records);
    value size = constant_i64(e, tile->rows);
    value tile_bytes = constant_i64(e, tile->records * tile->x_record_bytes);
    value start = address(e, to, mul(e, divide_signed(e, rows.row, size), tile_bytes));
    value x_row = address(e, x, mul(e, rows.row, constant_i64(e, work->columns * 4)));
    struct linear_packing packing = {remainder_signed(e, rows.row, size), rows.first, rows.last};
    linear_pack_row(e, work, tile, x_row, start, &packing);
    linear_rows_end(e, &rows);
    kernel_end(e);
}

int linear_emit_pack(struct emitter *e, const struct linear_work *work,
                     const struct linear_tile *tile, struct image *image)
{
    int workspace = image_add_workspace(image, linear_pack_workspace(tile));
    struct launch *launch = image_add_launch(
        image, "pack",
        (struct geometry){.rows_per_item = 1, .items_per_row_group = tile->records, .unit = 1});
    launch_add(launch, ARGUMENT_OPERAND, 0);
    launch_add(launch, ARGUMENT_WORKSPACE, workspace);
    emit_pack(e, work, tile);
    return workspace;
}
