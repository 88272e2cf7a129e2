/* attention_tile_cpu: many rows.
 *
 * A work item is a block of rows and the heads of a strand, which share keys and values.  Rows of a
 * ragged batch belong to several sequences: each run of rows of one sequence is attended to by
 * itself (attention_tile_core_cpu.h), against the blocks of tokens that any of its rows sees.  The
 * later rows of a sequence see more, so the items of a strand are ordered first, last, second, last
 * but one and so on: equal shares of the items are then nearly equal shares of the work. */
#include "codegen/cpu/kernel_image.h"
#include "ops/access.h"
#include "ops/attention/attention_tile_core_cpu.h"

struct tile_kernel {
    struct emitter *e;
    const struct attention_work *work;
    struct tile_sizes sizes;
    struct tile tile;
    struct attention_pointers pointers;
    value rows, blocks; /* of the step */
};

/* ---- Work items ---- */

/* Rows [first, end) and the strand's heads. */
struct tile_item {
    value first, end, head, kv_head;
};

static struct tile_item item_of(const struct tile_kernel *k, value index)
{
    struct emitter *e = k->e;
    value two = constant_i64(e, 2), rows = constant_i64(e, k->sizes.rows);
    value strand = divide_signed(e, index, k->blocks);
    value place = sub(e, index, mul(e, strand, k->blocks)), half = divide_signed(e, place, two);
    value last = sub(e, sub(e, k->blocks, constant_i64(e, 1)), half);
    value even = equal(e, remainder_signed(e, place, two), constant_i64(e, 0));
    struct tile_item item = {.first = mul(e, choose(e, even, half, last), rows)};
    item.end = minimum_signed(e, k->rows, add(e, item.first, rows));
    item.head = mul(e, strand, constant_i64(e, k->sizes.heads));
    item.kv_head = divide_signed(e, item.head, constant_i64(e, k->work->group));
    return item;
}

static void attend_run(const struct tile_kernel *k, struct tile_run *run)
{
    struct emitter *e = k->e;
    tile_load(e, &k->tile, &k->pointers, run);
    struct loop loop;
    loop_begin(e, &loop, run->first, run->end, k->sizes.block, NULL, 0);
    value left = sub(e, run->end, loop.index);
    struct tile_block block = {loop.index,
                               minimum_signed(e, left, constant_i64(e, k->sizes.block))};
    tile_widen(e, &k->tile, &k->pointers, run, &block);
    tile_attend(e, &k->tile, run, &block);
    loop_end(e, &loop, NULL);
    tile_store(e, &k->tile, run);
}

/* Each run of rows of one sequence. */
static void emit_item(const struct tile_kernel *k, value index)
{
    struct emitter *e = k->e;
    struct tile_item item = item_of(k, index);
    value one = constant_i64(e, 1), start = item.first;
    struct loop loop;
    struct branch branch;
    loop_begin(e, &loop, item.first, item.end, 1, &start, 1);
    value after = add(e, loop.index, one), more = less(e, after, item.end);
    value sequence = append_load_index(e, k->pointers.sequences, loop.index);
    value next = choose(e, more, after, loop.index);
    more = bit_and(e, more, equal(e, sequence, append_load_index(e, k->pointers.sequences, next)));
    if_begin(e, &branch, more);
    if_else(e, &branch, NULL, 0);
    struct tile_run run = {.row = loop.carried[0], .head = item.head, .kv_head = item.kv_head};
    run.rows = sub(e, after, run.row);
    attend_run(k, &run);
    if_end(e, &branch, NULL, NULL);
    start = choose(e, more, loop.carried[0], after);
    loop_end(e, &loop, &start);
}

/* ---- The kernel ---- */

static status geometry_of(const struct tile_kernel *k, const struct problem *problem,
                          struct geometry *geometry, struct diagnostic *diagnostic)
{
    struct dimension rows = operand_type(problem, ATTENTION_Q)->shape[0];
    int64_t strands = k->work->shape.heads / k->sizes.heads;
    *geometry = (struct geometry){k->sizes.rows, strands, 1};
    if (rows.symbol == SYMBOL_ROWS && rows.scale == 1) return STATUS_OK;
    if (rows.symbol != SYMBOL_NONE)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "attention_tile_cpu counts rows as the step does, one query row each: %s",
                    problem->text);
    int64_t blocks = ceil_divide(rows.scale, k->sizes.rows);
    *geometry = (struct geometry){0, blocks * strands, 1};
    return STATUS_OK;
}

static void emit_attend(struct tile_kernel *k, const struct problem *problem, struct launch *launch)
{
    struct emitter *e = k->e;
    struct dimension rows = operand_type(problem, ATTENTION_Q)->shape[0];
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    k->pointers = attention_load_pointers(e, k->work, &kernel, launch);
    k->rows = rows.symbol == SYMBOL_NONE ? constant_i64(e, rows.scale)
                                         : kernel_integer_value(e, &kernel, KERNEL_ROWS);
    value size = constant_i64(e, k->sizes.rows);
    k->blocks = divide_signed(e, add(e, k->rows, constant_i64(e, k->sizes.rows - 1)), size);
    tile_begin(e, k->work, &k->sizes, &k->tile);
    struct loop loop;
    loop_begin(e, &loop, kernel.begin, kernel.end, 1, NULL, 0);
    emit_item(k, loop.index);
    loop_end(e, &loop, NULL);
    kernel_end(e);
}

/* A block is whole heights: a token behind it is the next one's. */
static struct tile_sizes sizes_of(const struct generation *generation)
{
    const struct space *space = generation->space;
    const struct config *config = generation->config;
    struct tile_sizes sizes = {
        .heads = (int)config_value(space, config, "heads_per_item"),
        .rows = (int)config_value(space, config, "rows_per_item"),
        .width = (int)config_value(space, config, "width"),
        .height = (int)config_value(space, config, "height"),
    };
    sizes.block = (int)attention_align(config_value(space, config, "block"), sizes.height);
    return sizes;
}

generate_function attention_tile_cpu_generate;

status attention_tile_cpu_generate(const struct generation *generation, struct arena *arena,
                                   struct image *image, struct listing *listing,
                                   struct diagnostic *diagnostic)
{
    struct attention_work work;
    TRY(attention_work_read(generation->problem, &work, diagnostic));
    struct tile_kernel k = {.work = &work, .sizes = sizes_of(generation)};
    struct geometry geometry;
    TRY(geometry_of(&k, generation->problem, &geometry, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    k.e = &e;
    *image = (struct image){.target = TARGET_CPU};
    emit_attend(&k, generation->problem, image_add_launch(image, "attend", geometry));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
