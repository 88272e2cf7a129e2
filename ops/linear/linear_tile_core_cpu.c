/* Many rows: which panel and which rows a work item has. */
#include "ops/linear/linear_tile_core_cpu.h"

#include "ops/linear/linear_block_core_cpu.h"

/* Item = row block * panels + panel, panels of all matrices in a row. */
static void emit_item(const struct linear_block *k, value row_count, value item, int64_t panels)
{
    struct emitter *e = k->e;
    value count = constant_i64(e, panels), height = constant_i64(e, k->item_rows);
    struct linear_block_rows rows = {.first = mul(e, divide_signed(e, item, count), height)};
    rows.end = minimum_signed(e, add(e, rows.first, height), row_count);
    value number = remainder_signed(e, item, count);
    int matrices = k->work->gated ? 1 : k->work->matrix_count;
    int64_t before = 0;
    for (int m = 0; m < matrices; m++) {
        int64_t own = linear_block_items(k, m);
        struct branch here;
        value in_matrix = sub(e, number, constant_i64(e, before));
        if (matrices > 1)
            if_begin(e, &here,
                     bit_and(e, greater_equal(e, in_matrix, constant_i64(e, 0)),
                             less(e, in_matrix, constant_i64(e, own))));
        linear_block_emit(k, m, in_matrix, &rows);
        if (matrices > 1) if_end(e, &here, NULL, NULL);
        before += own;
    }
}

static void emit_tile(struct linear_block *k, struct image *image)
{
    struct emitter *e = k->e;
    int workspace = linear_emit_pack(e, k->work, &k->tile, image);
    int64_t panels = 0;
    for (int m = 0; m < (k->work->gated ? 1 : k->work->matrix_count); m++)
        panels += linear_block_items(k, m);
    struct launch *launch =
        image_add_launch(image, "tile", (struct geometry){k->item_rows, panels, 1});
    linear_add_arguments(k->work, launch, workspace);
    struct kernel_arguments kernel = kernel_begin(e, "tile");
    k->pointers = linear_load_pointers(e, k->work, &kernel);
    value row_count = kernel_integer_value(e, &kernel, KERNEL_ROWS);
    linear_block_begin(k);
    struct loop loop;
    loop_begin(e, &loop, kernel.begin, kernel.end, 1, NULL, 0);
    emit_item(k, row_count, loop.index, panels);
    loop_end(e, &loop, NULL);
    linear_block_end(k);
    kernel_end(e);
}

status linear_tile_generate(enum linear_dot dot, const struct generation *generation,
                            struct arena *arena, struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    struct linear_work work;
    TRY(linear_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct linear_block k = linear_block_of(&e, &work, dot, generation);
    if (linear_takes_tiles(dot))
        k.ahead = (int)config_value(generation->space, generation->config, "ahead");
    if (dot == LINEAR_DOT_AMX)
        k.panels = (int)config_value(generation->space, generation->config, "panels");
    *image = (struct image){.target = TARGET_CPU};
    emit_tile(&k, image);
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
