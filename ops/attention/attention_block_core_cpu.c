/* One block of tokens in attention_tile_cpu: widening, products, weights, sums. */
#include "ops/append/state_core_cpu.h"
#include "ops/attention/attention_tile_core_cpu.h"

enum { UNROLL = 4 };

static value indexed(struct emitter *e, value array, value index, int64_t bytes)
{
    return address(e, array, mul(e, index, constant_i64(e, bytes)));
}

/* ---- Keys and values ---- */

/* Rows on the stack are whole registers, so what is stored behind the last column is harmless. */
static void widen_row(struct emitter *e, const struct attention_side *side, value from, value to)
{
    state_widen(e, side->element, side->size, from, to);
}

/* Up to a whole height, with the last token again. */
void tile_widen(struct emitter *e, const struct tile *tile,
                const struct attention_pointers *pointers, const struct tile_run *run,
                const struct tile_block *block)
{
    value last = sub(e, block->count, constant_i64(e, 1));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), attention_align_value(e, block->count, tile->height),
               1, NULL, 0);
    value number = add(e, block->first, minimum_signed(e, loop.index, last));
    struct attention_token token =
        attention_find_token(e, tile->work, pointers, run->sequence, number, run->kv_head);
    widen_row(e, &tile->work->k, token.k, indexed(e, tile->keys, loop.index, 4 * tile->k_columns));
    widen_row(e, &tile->work->v, token.v,
              indexed(e, tile->values, loop.index, 4 * tile->v_columns));
    loop_end(e, &loop, NULL);
}

/* ---- One group ---- */

struct group {
    const struct tile *tile;
    value number;
    value first;      /* the block's token 0 */
    value begin, end; /* the group's tokens in the block, whole heights */
};

static value group_register(struct emitter *e, const struct group *group, value array,
                            LLVMTypeRef element, int w)
{
    value row = indexed(e, array, group->number, 4 * (int64_t)group->tile->lanes);
    return load(e, vector_of(element, e->lanes), address_at(e, row, 4 * (int64_t)w * e->lanes),
                4 * e->lanes);
}

static void set_group_register(struct emitter *e, const struct group *group, value array, int w,
                               value x)
{
    value row = indexed(e, array, group->number, 4 * (int64_t)group->tile->lanes);
    store(e, x, address_at(e, row, 4 * (int64_t)w * e->lanes), 4 * e->lanes);
}

/* Register `w` of row `row` of an array [rows][lanes]. */
static value lanes_at(struct emitter *e, const struct tile *tile, value array, value row,
                      int64_t after, int w)
{
    value at = indexed(e, array, row, 4 * (int64_t)tile->lanes);
    return address_at(e, at, 4 * (after * tile->lanes + (int64_t)w * e->lanes));
}

/* sums[i * width + w] += a scalar of row i, `stride` bytes after that of row i - 1, times register
 * w of `lanes`. */
static void multiply(struct emitter *e, const struct tile *tile, int height, value scalars,
                     int64_t stride, value lanes, value *sums)
{
    value registers[TILE_WIDTH_MAX];
    for (int w = 0; w < tile->width; w++)
        registers[w] = load(e, vector_of(e->f32, e->lanes),
                            address_at(e, lanes, 4 * (int64_t)w * e->lanes), 4 * e->lanes);
    for (int i = 0; i < height; i++) {
        value scalar = load(e, e->f32, address_at(e, scalars, i * stride), 4);
        value same = splat(e, scalar, e->lanes);
        for (int w = 0; w < tile->width; w++) {
            value *sum = &sums[i * tile->width + w];
            *sum = muladdf(e, same, registers[w], *sum);
        }
    }
}

/* The products of the group's queries with the keys from `token` on: sums[token * width + w]. */
static void multiply_keys(struct emitter *e, const struct group *group, value token, value *sums)
{
    const struct tile *tile = group->tile;
    int64_t size = tile->work->k.size, whole = size / UNROLL * UNROLL, row = 4 * tile->k_columns;
    int64_t column_bytes = 4 * (int64_t)tile->lanes;
    int count = tile->height * tile->width;
    value queries = indexed(e, tile->queries, group->number, size * column_bytes);
    value keys = indexed(e, tile->keys, token, row);
    for (int i = 0; i < count; i++) sums[i] = zero_of(vector_of(e->f32, e->lanes));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, whole), UNROLL, sums, count);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
    value query = indexed(e, queries, loop.index, column_bytes);
    value key = indexed(e, keys, loop.index, 4);
    for (int u = 0; u < UNROLL; u++)
        multiply(e, tile, tile->height, address_at(e, key, 4 * (int64_t)u), row,
                 address_at(e, query, u * column_bytes), sums);
    loop_end(e, &loop, sums);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
    for (int64_t column = whole; column < size; column++)
        multiply(e, tile, tile->height, address_at(e, keys, 4 * column), row,
                 address_at(e, queries, column * column_bytes), sums);
}

/* Scores of queries that do not see token `token` (i32, counted as in the sequence) are blind. */
static value hide(struct emitter *e, const struct group *group, int w, value token, value scores)
{
    const struct tile *tile = group->tile;
    value number = splat(e, token, e->lanes);
    value seen = less(e, number, group_register(e, group, tile->ends, e->i32, w));
    if (tile->work->shape.window > 0) {
        value first = group_register(e, group, tile->firsts, e->i32, w);
        seen = bit_and(e, seen, greater_equal(e, number, first));
    }
    return choose(e, seen, scores, attention_blind(e, e->lanes));
}

/* Stores the group's scores and returns the largest of each query so far. */
static void score_group(struct emitter *e, const struct group *group, value *largest)
{
    const struct tile *tile = group->tile;
    value sums[TILE_HEIGHT_MAX * TILE_WIDTH_MAX];
    for (int w = 0; w < tile->width; w++)
        largest[w] = group_register(e, group, tile->largest, e->f32, w);
    struct loop loop;
    loop_begin(e, &loop, group->begin, group->end, tile->height, largest, tile->width);
    for (int w = 0; w < tile->width; w++) largest[w] = loop.carried[w];
    multiply_keys(e, group, loop.index, sums);
    value first = truncate_to(e, add(e, group->first, loop.index), e->i32);
    for (int i = 0; i < tile->height; i++)
        for (int w = 0; w < tile->width; w++) {
            value score = attention_cap(e, tile->work, sums[i * tile->width + w]);
            score = hide(e, group, w, add(e, first, constant_i32(e, i)), score);
            store(e, score, lanes_at(e, tile, tile->scores, loop.index, i, w), 4 * e->lanes);
            largest[w] = maximumf(e, score, largest[w]);
        }
    loop_end(e, &loop, largest);
    for (int w = 0; w < tile->width; w++) largest[w] = loop.carried[w];
}

/* Turns scores into weights relative to `largest`; `shrink` is what earlier weights shrink by. */
static void weigh_group(struct emitter *e, const struct group *group, const value *largest,
                        value *shrink)
{
    const struct tile *tile = group->tile;
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    value weights[TILE_WIDTH_MAX];
    for (int w = 0; w < tile->width; w++) {
        value before = group_register(e, group, tile->largest, e->f32, w);
        shrink[w] = attention_exp(e, subf(e, before, largest[w]));
        weights[w] = mulf(e, shrink[w], group_register(e, group, tile->weights, e->f32, w));
        set_group_register(e, group, tile->largest, w, largest[w]);
    }
    struct loop loop;
    loop_begin(e, &loop, group->begin, group->end, 1, weights, tile->width);
    for (int w = 0; w < tile->width; w++) {
        value place = lanes_at(e, tile, tile->scores, loop.index, 0, w);
        value weight = attention_exp(e, subf(e, load(e, reals, place, 4 * e->lanes), largest[w]));
        store(e, weight, place, 4 * e->lanes);
        weights[w] = addf(e, loop.carried[w], weight);
    }
    loop_end(e, &loop, weights);
    for (int w = 0; w < tile->width; w++)
        set_group_register(e, group, tile->weights, w, loop.carried[w]);
}

/* The sums of `height` columns of values, from `column` on. */
static void sum_columns(struct emitter *e, const struct group *group, value column, int height,
                        const value *shrink)
{
    const struct tile *tile = group->tile;
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    int64_t column_bytes = 4 * (int64_t)tile->lanes, row = 4 * tile->v_columns;
    value sums[TILE_HEIGHT_MAX * TILE_WIDTH_MAX];
    value whole = indexed(e, tile->sums, group->number, tile->work->v.size * column_bytes);
    for (int i = 0; i < height; i++)
        for (int w = 0; w < tile->width; w++) {
            value before = load(e, reals, lanes_at(e, tile, whole, column, i, w), 4 * e->lanes);
            sums[i * tile->width + w] = mulf(e, before, shrink[w]);
        }
    struct loop loop;
    loop_begin(e, &loop, group->begin, group->end, 1, sums, height * tile->width);
    for (int i = 0; i < height * tile->width; i++) sums[i] = loop.carried[i];
    value values = indexed(e, indexed(e, tile->values, loop.index, row), column, 4);
    multiply(e, tile, height, values, 4, lanes_at(e, tile, tile->scores, loop.index, 0, 0), sums);
    loop_end(e, &loop, sums);
    for (int i = 0; i < height; i++)
        for (int w = 0; w < tile->width; w++)
            store(e, loop.carried[i * tile->width + w], lanes_at(e, tile, whole, column, i, w),
                  4 * e->lanes);
}

static void attend_group(struct emitter *e, const struct group *group)
{
    const struct tile *tile = group->tile;
    int64_t size = tile->work->v.size, whole = size / tile->height * tile->height;
    value largest[TILE_WIDTH_MAX], shrink[TILE_WIDTH_MAX];
    score_group(e, group, largest);
    weigh_group(e, group, largest, shrink);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, whole), tile->height, NULL, 0);
    sum_columns(e, group, loop.index, tile->height, shrink);
    loop_end(e, &loop, NULL);
    if (whole < size) sum_columns(e, group, constant_i64(e, whole), (int)(size - whole), shrink);
}

void tile_attend(struct emitter *e, const struct tile *tile, const struct tile_run *run,
                 const struct tile_block *block)
{
    struct loop loop;
    struct branch branch;
    loop_begin(e, &loop, constant_i64(e, 0), run->groups, 1, NULL, 0);
    value range = indexed(e, tile->ranges, loop.index, 16);
    value first = sub(e, load(e, e->i64, range, 8), block->first);
    value end = sub(e, load(e, e->i64, address_at(e, range, 8), 8), block->first);
    struct group group = {.tile = tile, .number = loop.index, .first = block->first};
    value height = constant_i64(e, tile->height);
    first = maximum_signed(e, first, constant_i64(e, 0));
    group.begin = mul(e, divide_signed(e, first, height), height);
    group.end = attention_align_value(e, minimum_signed(e, end, block->count), tile->height);
    if_begin(e, &branch, less(e, group.begin, group.end));
    attend_group(e, &group);
    if_end(e, &branch, NULL, NULL);
    loop_end(e, &loop, NULL);
}
