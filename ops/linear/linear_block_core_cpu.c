/* Register tiles over a panel. */
#include "ops/linear/linear_block_core_cpu.h"

#include "ops/linear/linear_amx_core_cpu.h"
#include "ops/linear/linear_products_core_cpu.h"
#include "ops/linear/linear_step_core_cpu.h"

enum { SUMS_MAX = LINEAR_SUMS_MAX, VECTORS_MAX = LINEAR_VECTORS_MAX };

/* One panel of one matrix (or of gate and up). */
struct panel {
    int matrix;
    value output; /* its first weight row */
    value own;    /* how many of its outputs belong to the panel before it; NULL: none */
    value slot;   /* its number among those of the item; NULL: the only one */
    int64_t most; /* weight rows of the matrix */
    const struct linear_block_rows *rows;
};

static int matrices_per_panel(const struct linear_work *work)
{
    return work->gated ? 2 : 1;
}

static int64_t panel_count(const struct linear_block *k, int matrix)
{
    return (k->work->matrices[matrix].outputs + k->tile.outputs - 1) / k->tile.outputs;
}

/* ---- The innermost loop ---- */

/* Fetches what the next panel has in the place of record `record`, a few of its rows for each tile. */
static void fetch_ahead(const struct linear_block *k, value weights, value tile, value record)
{
    struct emitter *e = k->e;
    int per_block = k->tile.form ? k->tile.form->block / k->tile.record_columns : 1;
    int64_t bytes = element_row_bytes(k->work->element, per_block * k->tile.record_columns);
    value at = divide_signed(e, mul(e, record, constant_i64(e, bytes)), constant_i64(e, per_block));
    value last = constant_i64(e, k->tile.outputs - 1);
    for (int i = 0; i < k->ahead; i++) {
        value row = add(e, mul(e, tile, constant_i64(e, k->ahead)), constant_i64(e, i));
        value below = add(e, minimum_signed(e, row, last), constant_i64(e, k->tile.outputs));
        value next = mul(e, below, constant_i64(e, k->work->row_bytes));
        prefetch(e, address(e, address(e, weights, next), at), 0, 2);
    }
}

/* The packed records of the tile that begins at `row`. */
static value packed_tile(const struct linear_block *k, value row)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->tile;
    value number = divide_signed(e, row, constant_i64(e, tile->rows));
    value tile_bytes = constant_i64(e, tile->records * tile->x_record_bytes);
    return address(e, k->pointers.x, mul(e, number, tile_bytes));
}

/* Adds records [first, last) of the tile that begins at `row` to the sums; `weights` is where the
 * panel was filled from. */
static void sum_records(const struct linear_block *k, const struct panel *panel, value weights,
                        value row, value first, value last, value *sums)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->tile;
    int count = tile->rows * tile->vectors;
    value size = constant_i64(e, tile->rows), number = divide_signed(e, row, size);
    value before = divide_signed(e, panel->rows->first, size), x = packed_tile(k, row);
    struct loop loop;
    loop_begin(e, &loop, first, last, 1, sums, count);
    value from_panel = mul(e, sub(e, loop.index, first), constant_i64(e, tile->panel_record_bytes));
    value filled = address(e, k->panel, from_panel);
    value record = address(e, x, mul(e, loop.index, constant_i64(e, tile->x_record_bytes)));
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
    fetch_ahead(k, weights, sub(e, number, before), loop.index);
    linear_add_products(e, tile, filled, record, sums);
    loop_end(e, &loop, sums);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
}

/* ---- Outputs ---- */

/* Lanes of vector `vector` that exist and belong to this panel; false when there are none. */
static bool vector_place(const struct linear_block *k, const struct panel *panel, value row,
                         int vector, struct linear_place *place)
{
    struct emitter *e = k->e;
    int lanes = k->tile.lanes, first = vector * lanes;
    if (first >= panel->most) return false;
    if (panel->rows->shift) row = add(e, row, panel->rows->shift);
    *place = (struct linear_place){row, add(e, panel->output, constant_i64(e, first)), lanes, NULL};
    if (first + lanes > panel->most) {
        place->mask = mask_first(e, (int)panel->most - first, lanes);
    } else if (panel->own) {
        value before = sub(e, panel->own, constant_i64(e, first));
        place->mask =
            bit_not(e, mask_below(e, maximum_signed(e, before, constant_i64(e, 0)), lanes));
    }
    return true;
}

/* Finishes one row; sums[matrix * vectors + vector]. */
static void finish_row(const struct linear_block *k, const struct panel *panel, value row,
                       const value *sums)
{
    for (int v = 0; v < k->tile.vectors; v++) {
        struct linear_place place;
        if (!vector_place(k, panel, row, v, &place)) continue;
        value of_output[2];
        for (int m = 0; m < matrices_per_panel(k->work); m++)
            of_output[m] = sums[m * k->tile.vectors + v];
        linear_finish(k->e, k->work, &k->pointers, panel->matrix, &place, of_output);
    }
}

/* ---- One item, all columns at once: sums go from registers to y ---- */

static void emit_whole(const struct linear_block *k, const struct panel *panel)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->tile;
    value zero = constant_i64(e, 0), records = constant_i64(e, tile->records), sums[SUMS_MAX];
    value row_bytes = constant_i64(e, k->work->row_bytes);
    value weights =
        address(e, k->pointers.weights[panel->matrix], mul(e, panel->output, row_bytes));
    linear_fill_panel(e, k->work, tile, weights, panel->most, zero, records, k->panel);
    struct loop loop;
    loop_begin(e, &loop, panel->rows->first, panel->rows->end, tile->rows, NULL, 0);
    for (int i = 0; i < tile->rows * tile->vectors; i++)
        sums[i] = zero_of(vector_of(e->f32, tile->lanes));
    sum_records(k, panel, weights, loop.index, zero, records, sums);
    for (int r = 0; r < tile->rows; r++) {
        value row = add(e, loop.index, constant_i64(e, r));
        struct branch exists;
        if_begin(e, &exists, less(e, row, panel->rows->end));
        finish_row(k, panel, row, sums + r * tile->vectors);
        if_end(e, &exists, NULL, NULL);
    }
    loop_end(e, &loop, NULL);
}

/* ---- One item in pieces of the columns: sums wait on the stack ---- */

/* Where the sums of a row of the item wait. */
static value partial_at(const struct linear_block *k, const struct panel *panel, int matrix,
                        value row)
{
    struct emitter *e = k->e;
    value matrix_row =
        add(e, sub(e, row, panel->rows->first), constant_i64(e, matrix * k->item_rows));
    if (panel->slot) {
        value per_panel = constant_i64(e, matrices_per_panel(k->work) * k->item_rows);
        matrix_row = add(e, matrix_row, mul(e, panel->slot, per_panel));
    }
    return address(e, k->partial, mul(e, matrix_row, constant_i64(e, 4 * k->tile.outputs)));
}

static void move_sums(const struct linear_block *k, value partial, value *sums, int count,
                      bool into_memory)
{
    struct emitter *e = k->e;
    LLVMTypeRef type = vector_of(e->f32, k->tile.lanes);
    for (int i = 0; i < count; i++) {
        value at = address_at(e, partial, (int64_t)i * 4 * k->tile.lanes);
        if (into_memory)
            store(e, sums[i], at, 4);
        else
            sums[i] = load(e, type, at, 4);
    }
}

/* Whole tiles, as tiles are added to them. */
static void clear_partial(const struct linear_block *k, const struct panel *panel, int matrix)
{
    struct emitter *e = k->e;
    int count = k->tile.rows * k->tile.vectors;
    value sums[SUMS_MAX];
    for (int i = 0; i < count; i++) sums[i] = zero_of(vector_of(e->f32, k->tile.lanes));
    struct loop loop;
    loop_begin(e, &loop, panel->rows->first, panel->rows->end, k->tile.rows, NULL, 0);
    move_sums(k, partial_at(k, panel, matrix, loop.index), sums, count, true);
    loop_end(e, &loop, NULL);
}

/* Adds records [first, last) of the tile that begins at `row` on AMX, whose sums never are values. */
static void add_tiles(const struct linear_block *k, const struct panel *panel, value weights,
                      value row, value first, value last, value partial)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->tile;
    value x = packed_tile(k, row), size = constant_i64(e, tile->rows);
    value number = divide_signed(e, sub(e, row, panel->rows->first), size);
    struct branch begins;
    if_begin(e, &begins, equal(e, first, constant_i64(e, 0)));
    linear_amx_sums(e, tile, LINEAR_SUMS_ZERO, partial);
    if_else(e, &begins, NULL, 0);
    linear_amx_sums(e, tile, LINEAR_SUMS_LOAD, partial);
    if_end(e, &begins, NULL, NULL);
    struct loop loop;
    loop_begin(e, &loop, first, last, 1, NULL, 0);
    fetch_ahead(k, weights, number, loop.index);
    value at = sub(e, loop.index, first);
    linear_amx_add(e, tile,
                   address(e, x, mul(e, loop.index, constant_i64(e, tile->x_record_bytes))),
                   address(e, k->panel, mul(e, at, constant_i64(e, tile->panel_record_bytes))));
    loop_end(e, &loop, NULL);
    linear_amx_sums(e, tile, LINEAR_SUMS_STORE, partial);
}

/* Records [first, last) of one matrix for all rows of the item. */
static void add_piece(const struct linear_block *k, const struct panel *panel, int matrix,
                      value first, value last)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->tile;
    int count = tile->rows * tile->vectors;
    value row_bytes = constant_i64(e, k->work->row_bytes);
    value weights =
        address(e, k->pointers.weights[panel->matrix + matrix], mul(e, panel->output, row_bytes));
    linear_fill_panel(e, k->work, tile, weights, panel->most, first, last, k->panel);
    struct loop loop;
    loop_begin(e, &loop, panel->rows->first, panel->rows->end, tile->rows, NULL, 0);
    value sums[SUMS_MAX], partial = partial_at(k, panel, matrix, loop.index);
    if (tile->dot == LINEAR_DOT_AMX) {
        add_tiles(k, panel, weights, loop.index, first, last, partial);
    } else {
        move_sums(k, partial, sums, count, false);
        sum_records(k, panel, weights, loop.index, first, last, sums);
        move_sums(k, partial, sums, count, true);
    }
    loop_end(e, &loop, NULL);
}

/* Panel `number` of a matrix. */
static struct panel panel_of(const struct linear_block *k, int matrix, value number,
                             const struct linear_block_rows *rows)
{
    struct emitter *e = k->e;
    int64_t outputs = k->work->matrices[matrix].outputs, whole = outputs - k->tile.outputs;
    value first = mul(e, number, constant_i64(e, k->tile.outputs));
    struct panel panel = {.matrix = matrix, .output = first, .most = outputs, .rows = rows};
    if (whole > 0 && outputs % k->tile.outputs) {
        panel.output = minimum_signed(e, first, constant_i64(e, whole));
        panel.own = sub(e, first, panel.output);
    }
    return panel;
}

/* The panels of an item, one after the other. */
struct panel_loop {
    struct loop loop;
    struct panel panel;
};

static void panels_begin(const struct linear_block *k, struct panel_loop *panels, int matrix,
                         value item, const struct linear_block_rows *rows)
{
    struct emitter *e = k->e;
    value first = mul(e, item, constant_i64(e, k->panels));
    value end = add(e, first, constant_i64(e, k->panels));
    end = minimum_signed(e, end, constant_i64(e, panel_count(k, matrix)));
    loop_begin(e, &panels->loop, first, end, 1, NULL, 0);
    panels->panel = panel_of(k, matrix, panels->loop.index, rows);
    panels->panel.slot = sub(e, panels->loop.index, first);
}

static void panels_end(const struct linear_block *k, struct panel_loop *panels)
{
    loop_end(k->e, &panels->loop, NULL);
}

static void finish_panel(const struct linear_block *k, const struct panel *panel)
{
    int matrices = matrices_per_panel(k->work), vectors = k->tile.vectors;
    value sums[2 * VECTORS_MAX];
    struct loop loop;
    loop_begin(k->e, &loop, panel->rows->first, panel->rows->end, 1, NULL, 0);
    for (int m = 0; m < matrices; m++)
        move_sums(k, partial_at(k, panel, m, loop.index), sums + m * vectors, vectors, false);
    finish_row(k, panel, loop.index, sums);
    loop_end(k->e, &loop, NULL);
}

/* All panels take a piece of the columns before any takes the next one: the activations of a piece stay near. */
static void emit_pieces(const struct linear_block *k, int matrix, value item,
                        const struct linear_block_rows *rows)
{
    struct emitter *e = k->e;
    int matrices = matrices_per_panel(k->work);
    struct panel_loop panels;
    struct loop loop;
    if (k->tile.dot != LINEAR_DOT_AMX) {
        panels_begin(k, &panels, matrix, item, rows);
        for (int m = 0; m < matrices; m++) clear_partial(k, &panels.panel, m);
        panels_end(k, &panels);
    }
    value records = constant_i64(e, k->tile.records), zero = constant_i64(e, 0);
    loop_begin(e, &loop, zero, records, k->depth_records, NULL, 0);
    value last = minimum_signed(e, add(e, loop.index, constant_i64(e, k->depth_records)), records);
    panels_begin(k, &panels, matrix, item, rows);
    for (int m = 0; m < matrices; m++) add_piece(k, &panels.panel, m, loop.index, last);
    panels_end(k, &panels);
    loop_end(e, &loop, NULL);
    panels_begin(k, &panels, matrix, item, rows);
    finish_panel(k, &panels.panel);
    panels_end(k, &panels);
}

/* ---- A block ---- */

int64_t linear_block_items(const struct linear_block *k, int matrix)
{
    return (panel_count(k, matrix) + k->panels - 1) / k->panels;
}

void linear_block_emit(const struct linear_block *k, int matrix, value item,
                       const struct linear_block_rows *rows)
{
    if (k->partial) {
        emit_pieces(k, matrix, item, rows);
        return;
    }
    struct panel panel = panel_of(k, matrix, item, rows); /* one to an item */
    emit_whole(k, &panel);
}

struct linear_block linear_block_of(struct emitter *e, const struct linear_work *work,
                                    enum linear_dot dot, const struct generation *generation)
{
    const struct space *space = generation->space;
    const struct config *config = generation->config;
    struct linear_block k = {.e = e, .work = work, .panels = 1};
    int vectors = linear_takes_tiles(dot)
                      ? (int)config_value(space, config, "tile_outputs") / e->lanes
                      : (int)config_value(space, config, "tile_vectors");
    k.tile = linear_tile_of(e, work, dot, (int)config_value(space, config, "tile_rows"), vectors);
    k.item_rows = k.tile.rows * config_value(space, config, "tiles");
    /* Whole blocks of 32 columns, whatever a record is. */
    k.depth_records = config_value(space, config, "depth") / k.tile.record_columns;
    if (k.depth_records > k.tile.records) k.depth_records = k.tile.records;
    return k;
}

void linear_block_begin(struct linear_block *k)
{
    struct emitter *e = k->e;
    linear_tile_make_room(e, k->work, &k->tile);
    k->panel = stack_room(e, k->depth_records * k->tile.panel_record_bytes);
    if (k->tile.dot == LINEAR_DOT_AMX || k->panels > 1 || k->work->gated ||
        k->depth_records < k->tile.records)
        k->partial = stack_room(e, k->panels * matrices_per_panel(k->work) * k->item_rows * 4 *
                                       k->tile.outputs);
    if (linear_takes_tiles(k->tile.dot)) linear_amx_begin(e, &k->tile);
}

void linear_block_end(struct linear_block *k)
{
    if (linear_takes_tiles(k->tile.dot)) linear_amx_end(k->e);
}
