/* Many rows for each expert. */
#include "ops/grouped_linear/grouped_tile_core_cpu.h"

#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/grouped_linear/grouped_core_cpu.h"
#include "ops/linear/linear_block_core_cpu.h"

struct tile_kernel {
    struct emitter *e;
    const struct grouped_work *work;
    struct linear_block block;
    struct grouped_pointers pointers;
    int64_t shares;
};

/* ---- Packing ---- */

/* The last tile of every expert in use may have one row. */
static struct workspace packed_workspace(const struct grouped_work *work,
                                         const struct linear_tile *tile, int64_t rows)
{
    int64_t row_bytes = tile->records * tile->x_record_bytes / tile->rows;
    int64_t used = smaller(work->experts, rows * work->slots);
    return (struct workspace){.per_row_bytes = row_bytes * work->slots,
                              .fixed_bytes = row_bytes * (tile->rows - 1) * used};
}

static void pack_slot(const struct tile_kernel *k, const struct grouped_loop *expert, value x,
                      value to, value slot)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->block.tile;
    struct linear_rows rows = grouped_rows_of(k->work, &k->pointers, slot, NULL);
    value row = linear_rows_source(e, &rows, slot);
    value x_row = address(e, x, mul(e, row, constant_i64(e, k->work->linear.columns * 4)));
    value size = constant_i64(e, tile->rows), at = sub(e, slot, expert->first);
    value number = add(e, expert->tiles, divide_signed(e, at, size));
    value start = mul(e, number, constant_i64(e, tile->records * tile->x_record_bytes));
    struct linear_packing packing = {remainder_signed(e, at, size), constant_i64(e, 0),
                                     constant_i64(e, tile->records)};
    linear_pack_row(e, &k->work->linear, tile, x_row, address(e, to, start), &packing);
}

/* Work items are slots. */
static int emit_pack(struct tile_kernel *k, int64_t rows, struct image *image)
{
    struct emitter *e = k->e;
    const struct linear_tile *tile = &k->block.tile;
    int workspace = image_add_workspace(image, packed_workspace(k->work, tile, rows));
    struct launch *launch =
        image_add_launch(image, "pack", (struct geometry){1, k->work->slots, 1});
    struct kernel_arguments kernel = kernel_begin(e, "pack");
    value x = kernel_operand(e, &kernel, launch, GROUPED_X);
    k->pointers.order = kernel_operand(e, &kernel, launch, GROUPED_ORDER);
    k->pointers.offsets = kernel_operand(e, &kernel, launch, GROUPED_OFFSETS);
    value to = kernel_workspace(e, &kernel, launch, workspace);
    struct grouped_loop experts;
    struct loop slots;
    grouped_loop_begin(e, &experts, k->work, &k->pointers, tile->rows);
    loop_begin(e, &slots, maximum_signed(e, experts.first, kernel.begin),
               minimum_signed(e, experts.end, kernel.end), 1, NULL, 0);
    pack_slot(k, &experts, x, to, slots.index);
    loop_end(e, &slots, NULL);
    grouped_loop_end(e, &experts);
    kernel_end(e);
    return workspace;
}

/* ---- Multiplying ---- */

/* Panels [share->first, share->end) of one expert. */
static void emit_panels(const struct tile_kernel *k, const struct grouped_loop *expert,
                        const struct row_loop *share)
{
    struct emitter *e = k->e;
    struct linear_block block = k->block;
    value first = mul(e, expert->tiles, constant_i64(e, block.tile.rows));
    value end = add(e, first, sub(e, expert->end, expert->first));
    block.pointers = grouped_expert_pointers(e, k->work, &k->pointers, expert->expert);
    struct loop panel, row;
    loop_begin(e, &panel, share->first, share->end, 1, NULL, 0);
    loop_begin(e, &row, first, end, block.item_rows, NULL, 0);
    value most = add(e, row.index, constant_i64(e, block.item_rows));
    struct linear_block_rows rows = {row.index, minimum_signed(e, most, end),
                                     sub(e, expert->first, first)};
    linear_block_emit(&block, 0, panel.index, &rows);
    loop_end(e, &row, NULL);
    loop_end(e, &panel, NULL);
}

/* The experts whose number is `share->row` more than a multiple of the shares. */
static void emit_share(const struct tile_kernel *k, const struct row_loop *share)
{
    struct emitter *e = k->e;
    struct grouped_loop experts;
    struct branch own;
    grouped_loop_begin(e, &experts, k->work, &k->pointers, k->block.tile.rows);
    value number = remainder_signed(e, experts.expert, constant_i64(e, k->shares));
    if_begin(e, &own, equal(e, number, share->row));
    emit_panels(k, &experts, share);
    if_end(e, &own, NULL, NULL);
    grouped_loop_end(e, &experts);
}

/* Share 0 clears what belongs to no expert. */
static void clear_rest(const struct tile_kernel *k, const struct row_loop *share)
{
    struct emitter *e = k->e;
    value size = constant_i64(e, k->block.tile.outputs);
    value most = constant_i64(e, k->work->linear.matrices[0].outputs);
    struct branch own;
    if_begin(e, &own, equal(e, share->row, constant_i64(e, 0)));
    grouped_clear_rest(e, k->work, &k->pointers, mul(e, share->first, size),
                       minimum_signed(e, mul(e, share->end, size), most));
    if_end(e, &own, NULL, NULL);
}

/* Item = share * panels + panel. */
static void emit_tile(struct tile_kernel *k, int workspace, struct image *image)
{
    struct emitter *e = k->e;
    int64_t panels = linear_block_items(&k->block, 0);
    struct launch *launch =
        image_add_launch(image, "tile", (struct geometry){0, k->shares * panels, 1});
    struct kernel_arguments kernel = kernel_begin(e, "tile");
    k->pointers = grouped_load_pointers(e, k->work, &kernel, launch, workspace);
    linear_block_begin(&k->block);
    struct row_loop share;
    rows_begin(e, &share, &kernel, panels);
    emit_share(k, &share);
    clear_rest(k, &share);
    rows_end(e, &share);
    linear_block_end(&k->block);
    kernel_end(e);
}

status grouped_tile_generate(enum linear_dot dot, const struct generation *generation,
                             struct arena *arena, struct image *image, struct listing *listing,
                             struct diagnostic *diagnostic)
{
    struct grouped_work work;
    TRY(grouped_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct tile_kernel k = {.e = &e, .work = &work};
    k.block = linear_block_of(&e, &work.linear, dot, generation);
    k.block.ahead = (int)config_value(generation->space, generation->config, "ahead");
    k.shares = config_value(generation->space, generation->config, "shares");
    *image = (struct image){.target = TARGET_CPU};
    int workspace = emit_pack(&k, generation->problem->rows, image);
    emit_tile(&k, workspace, image);
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
