/* Records of parts, and their merging. */
#include "ops/attention/attention_parts_core_cpu.h"

#include "codegen/cpu/kernel_image.h"

/* The sums of a record begin on a cache line; the largest score and the weight lie before them. */
enum { WEIGHT_OFFSET = 4, SUMS_OFFSET = 64 };

void attention_parts_create(const struct attention_work *work, int64_t count, struct image *image,
                            struct attention_parts *parts)
{
    *parts = (struct attention_parts){.work = work, .count = count};
    parts->record_bytes = SUMS_OFFSET + attention_align(4 * work->v.size, SUMS_OFFSET);
    if (count > 1)
        parts->workspace = image_add_workspace(
            image,
            (struct workspace){.per_row_bytes = count * work->shape.heads * parts->record_bytes});
}

value attention_part_tokens(struct emitter *e, const struct attention_parts *parts,
                            const struct attention_sight *sight)
{
    value count = sub(e, sight->end, sight->first), most = constant_i64(e, parts->count);
    value even = divide_signed(e, add(e, count, constant_i64(e, parts->count - 1)), most);
    return maximum_signed(e, attention_align_value(e, even, e->lanes), constant_i64(e, e->lanes));
}

static value record_at(struct emitter *e, const struct attention_parts *parts, value number)
{
    return address(e, parts->records, mul(e, number, constant_i64(e, parts->record_bytes)));
}

/* ---- Writing ---- */

struct scaled_row {
    value from, to, factor;
};

static void scale_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct scaled_row *row = context;
    value factor = splat(e, row->factor, step->lanes);
    column_store(e, step, row->to, mulf(e, column_load(e, step, row->from), factor));
}

void attention_write_scaled(struct emitter *e, const struct attention_work *work, value from,
                            value factor, value to)
{
    struct columns columns = {work->v.size, e->lanes, 4};
    struct scaled_row row = {from, to, factor};
    columns_each(e, &columns, scale_step, &row, NULL);
}

void attention_write_part(struct emitter *e, const struct attention_parts *parts, value record,
                          value largest, value weight, value sums)
{
    value to = record_at(e, parts, record);
    store(e, largest, to, 4);
    store(e, weight, address_at(e, to, WEIGHT_OFFSET), 4);
    attention_write_scaled(e, parts->work, sums, constant_f32(e, 1),
                           address_at(e, to, SUMS_OFFSET));
}

/* ---- Merging ---- */

/* One row and head, whose tokens lie in `used` parts. */
struct merge_item {
    const struct attention_parts *parts;
    value row, head, record, used;
    value y, inverse; /* of the whole weight */
};

static value part_record(struct emitter *e, const struct merge_item *item, value part)
{
    value after = mul(e, part, constant_i64(e, item->parts->work->shape.heads));
    return record_at(e, item->parts, add(e, item->record, after));
}

static struct merge_item item_of(struct emitter *e, const struct attention_parts *parts,
                                 const struct attention_pointers *pointers, value index)
{
    const struct attention_work *work = parts->work;
    value heads = constant_i64(e, work->shape.heads);
    struct merge_item item = {.parts = parts, .row = divide_signed(e, index, heads)};
    item.head = sub(e, index, mul(e, item.row, heads));
    item.y = address(e, pointers->y, mul(e, index, constant_i64(e, 4 * work->v.size)));
    value part = mul(e, item.row, constant_i64(e, parts->count));
    item.record = add(e, mul(e, part, heads), item.head);
    struct attention_sight sight = attention_sight_of(e, work, pointers, item.row);
    value count = sub(e, sight.end, sight.first);
    value tokens = attention_part_tokens(e, parts, &sight);
    item.used = divide_signed(e, add(e, count, sub(e, tokens, constant_i64(e, 1))), tokens);
    return item;
}

static value largest_of(struct emitter *e, const struct merge_item *item)
{
    value largest = constant_f32(e, ATTENTION_LOWEST);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), item->used, 1, &largest, 1);
    largest = maximumf(e, load(e, e->f32, part_record(e, item, loop.index), 4), loop.carried[0]);
    loop_end(e, &loop, &largest);
    return loop.carried[0];
}

/* Replaces the parts' maxima by their weights relative to the largest, and returns the whole
 * weight. */
static value weigh_parts(struct emitter *e, const struct merge_item *item)
{
    value largest = largest_of(e, item), total = constant_f32(e, 0);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), item->used, 1, &total, 1);
    value record = part_record(e, item, loop.index);
    value share = attention_exp(e, subf(e, load(e, e->f32, record, 4), largest));
    store(e, share, record, 4);
    value weight = load(e, e->f32, address_at(e, record, WEIGHT_OFFSET), 4);
    total = muladdf(e, share, weight, loop.carried[0]);
    loop_end(e, &loop, &total);
    return loop.carried[0];
}

/* A row that sees nothing has weight 0 and becomes NaN, as in the reference. */
static void merge_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct merge_item *item = context;
    value sum = zero_of(vector_of(e->f32, step->lanes));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), item->used, 1, &sum, 1);
    value record = part_record(e, item, loop.index);
    value share = splat(e, load(e, e->f32, record, 4), step->lanes);
    value sums = column_load(e, step, address_at(e, record, SUMS_OFFSET));
    sum = muladdf(e, share, sums, loop.carried[0]);
    loop_end(e, &loop, &sum);
    value inverse = splat(e, item->inverse, step->lanes);
    column_store(e, step, item->y, mulf(e, loop.carried[0], inverse));
}

void attention_emit_merge(struct emitter *e, const struct attention_work *work,
                          struct attention_parts *parts, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    struct attention_pointers pointers = attention_load_pointers(e, work, &kernel, launch);
    parts->records = kernel_workspace(e, &kernel, launch, parts->workspace);
    struct columns columns = {work->v.size, e->lanes, 1};
    struct loop loop;
    loop_begin(e, &loop, kernel.begin, kernel.end, 1, NULL, 0);
    struct merge_item item = item_of(e, parts, &pointers, loop.index);
    item.inverse = divf(e, constant_f32(e, 1), weigh_parts(e, &item));
    columns_each(e, &columns, merge_step, &item, NULL);
    loop_end(e, &loop, NULL);
    kernel_end(e);
}
