/* Taking queries in and giving outputs out: the two ends of attention_tile_cpu. */
#include "ops/attention/attention_tile_core_cpu.h"

#include <assert.h>

enum { LANES_MAX = 16, ADDRESS_BYTES = 8 };

void tile_begin(struct emitter *e, const struct attention_work *work,
                const struct tile_sizes *sizes, struct tile *tile)
{
    assert(sizes->width <= TILE_WIDTH_MAX && sizes->height <= TILE_HEIGHT_MAX);
    assert(sizes->block % sizes->height == 0);
    *tile = (struct tile){.work = work,
                          .heads = sizes->heads,
                          .rows = sizes->rows,
                          .width = sizes->width,
                          .height = sizes->height,
                          .block = sizes->block,
                          .lanes = sizes->width * e->lanes};
    tile->k_columns = attention_align(work->k.size, e->lanes);
    tile->v_columns = attention_align(work->v.size, e->lanes);
    int64_t queries = attention_align((int64_t)sizes->heads * sizes->rows, tile->lanes);
    int64_t tokens = sizes->block;
    tile->q_rows = stack_room(e, queries * ADDRESS_BYTES);
    tile->y_rows = stack_room(e, queries * ADDRESS_BYTES);
    tile->firsts = stack_room(e, queries * 4);
    tile->ends = stack_room(e, queries * 4);
    tile->largest = stack_room(e, queries * 4);
    tile->weights = stack_room(e, queries * 4);
    tile->ranges = stack_room(e, queries / tile->lanes * 16);
    tile->queries = stack_room(e, queries * work->k.size * 4);
    tile->sums = stack_room(e, queries * work->v.size * 4);
    tile->keys = stack_room(e, tokens * tile->k_columns * 4);
    tile->values = stack_room(e, tokens * tile->v_columns * 4);
    tile->scores = stack_room(e, tokens * tile->lanes * 4);
}

/* ---- Queries ---- */

static value indexed(struct emitter *e, value array, value index, int64_t bytes)
{
    return address(e, array, mul(e, index, constant_i64(e, bytes)));
}

/* Where query `index` lies and what it sees.  Those behind the last one, up to a whole group, are
 * the last one again: they come to the same result, and write it to the same place. */
static void place_query(struct emitter *e, const struct tile *tile,
                        const struct attention_pointers *pointers, const struct tile_run *run,
                        value index, value last)
{
    const struct attention_work *work = tile->work;
    value heads = constant_i64(e, tile->heads), known = minimum_signed(e, index, last);
    value row = divide_signed(e, known, heads), head = sub(e, known, mul(e, row, heads));
    row = add(e, run->row, row);
    struct attention_sight sight = attention_sight_of(e, work, pointers, row);
    value at = add(e, mul(e, row, constant_i64(e, work->shape.heads)), add(e, run->head, head));
    store(e, indexed(e, pointers->q, at, 4 * work->k.size),
          indexed(e, tile->q_rows, index, ADDRESS_BYTES), ADDRESS_BYTES);
    store(e, indexed(e, pointers->y, at, 4 * work->v.size),
          indexed(e, tile->y_rows, index, ADDRESS_BYTES), ADDRESS_BYTES);
    store(e, truncate_to(e, sight.first, e->i32), indexed(e, tile->firsts, index, 4), 4);
    store(e, truncate_to(e, sight.end, e->i32), indexed(e, tile->ends, index, 4), 4);
    value largest = constant_f32(e, ATTENTION_LOWEST), weight = constant_f32(e, 0);
    if (pointers->sinks) {
        /* A score without a value, of those who see anything. */
        value seen = less(e, constant_i64(e, 0), sight.end);
        value sink = load(e, e->f32, indexed(e, pointers->sinks, add(e, run->head, head), 4), 4);
        largest = choose(e, seen, sink, largest);
        weight = choose(e, seen, constant_f32(e, 1), weight);
    }
    store(e, largest, indexed(e, tile->largest, index, 4), 4);
    store(e, weight, indexed(e, tile->weights, index, 4), 4);
}

/* One register of lanes, from rows at the addresses at `rows`, or into them, and transposed at
 * `columns`, one column every `stride` bytes. */
struct transposition {
    value rows, columns, factor;
    int64_t stride;
};

typedef void transpose_function(struct emitter *e, const struct transposition *what, value column,
                                int count);

/* All columns, a register at a time; `count` of a register's exist. */
static void transpose_all(struct emitter *e, const struct transposition *what, int64_t size,
                          transpose_function *function)
{
    int64_t whole = size / e->lanes * e->lanes;
    struct loop loop;
    if (whole) {
        loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, whole), e->lanes, NULL, 0);
        function(e, what, loop.index, e->lanes);
        loop_end(e, &loop, NULL);
    }
    if (whole < size) function(e, what, constant_i64(e, whole), (int)(size - whole));
}

static value row_part(struct emitter *e, const struct transposition *what, int lane, value column)
{
    value row = load(e, e->pointer, address_at(e, what->rows, ADDRESS_BYTES * (int64_t)lane),
                     ADDRESS_BYTES);
    return indexed(e, row, column, 4);
}

static value column_part(struct emitter *e, const struct transposition *what, value column,
                         int after)
{
    return address_at(e, indexed(e, what->columns, column, what->stride), after * what->stride);
}

static void transpose_in(struct emitter *e, const struct transposition *what, value column,
                         int count)
{
    value in[LANES_MAX], out[LANES_MAX];
    for (int l = 0; l < e->lanes; l++)
        in[l] = load_first(e, vector_of(e->f32, e->lanes), row_part(e, what, l, column), count, 4);
    transpose(e, in, e->lanes, e->lanes, out);
    for (int c = 0; c < count; c++)
        store(e, mulf(e, out[c], what->factor), column_part(e, what, column, c), 4 * e->lanes);
}

static void transpose_out(struct emitter *e, const struct transposition *what, value column,
                          int count)
{
    LLVMTypeRef reals = vector_of(e->f32, e->lanes);
    value in[LANES_MAX], out[LANES_MAX];
    for (int c = 0; c < e->lanes; c++) {
        in[c] = zero_of(reals);
        if (c >= count) continue;
        value sum = load(e, reals, column_part(e, what, column, c), 4 * e->lanes);
        in[c] = mulf(e, sum, what->factor);
    }
    transpose(e, in, e->lanes, e->lanes, out);
    for (int l = 0; l < e->lanes; l++)
        store_first(e, out[l], row_part(e, what, l, column), count, 4);
}

/* The part of a per-query array that register `index` of all groups holds. */
static value register_at(struct emitter *e, value array, value index, int64_t bytes)
{
    return indexed(e, array, index, bytes * e->lanes);
}

/* Register `w` of group `group` of an array [group][size][lanes]. */
static value column_at(struct emitter *e, const struct tile *tile, value array, int64_t size,
                       value group, value w)
{
    value columns = indexed(e, array, group, 4 * size * tile->lanes);
    return indexed(e, columns, w, 4 * (int64_t)e->lanes);
}

static void load_group(struct emitter *e, const struct tile *tile, value group)
{
    int64_t size = tile->work->k.size;
    struct transposition what = {.stride = 4 * (int64_t)tile->lanes};
    what.factor = splat_f32(e, attention_factor(tile->work), e->lanes);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, tile->width), 1, NULL, 0);
    value index = add(e, mul(e, group, constant_i64(e, tile->width)), loop.index);
    what.rows = register_at(e, tile->q_rows, index, ADDRESS_BYTES);
    what.columns = column_at(e, tile, tile->queries, size, group, loop.index);
    transpose_all(e, &what, size, transpose_in);
    loop_end(e, &loop, NULL);
}

static void clear_sums(struct emitter *e, const struct tile *tile, value groups)
{
    int64_t group_bytes = tile->work->v.size * tile->lanes * 4;
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), mul(e, groups, constant_i64(e, group_bytes)),
               4 * (int64_t)e->lanes, NULL, 0);
    store(e, zero_of(vector_of(e->f32, e->lanes)), address(e, tile->sums, loop.index),
          4 * e->lanes);
    loop_end(e, &loop, NULL);
}

/* The largest of the i32 of a group at `array`, as i64; with `negative`, the smallest. */
static value extreme(struct emitter *e, const struct tile *tile, value array, value group,
                     bool negative)
{
    value zero = zero_of(vector_of(e->i32, e->lanes)), most = NULL;
    value from = indexed(e, array, group, 4 * (int64_t)tile->lanes);
    for (int w = 0; w < tile->width; w++) {
        value each =
            load(e, vector_of(e->i32, e->lanes), address_at(e, from, 4 * (int64_t)w * e->lanes), 4);
        if (negative) each = sub(e, zero, each);
        most = most ? maximum_signed(e, most, each) : each;
    }
    value one = horizontal_maximum_signed(e, most);
    return sign_extend(e, negative ? sub(e, constant_i32(e, 0), one) : one, e->i64);
}

void tile_load(struct emitter *e, const struct tile *tile,
               const struct attention_pointers *pointers, struct tile_run *run)
{
    value zero = constant_i64(e, 0), count = mul(e, run->rows, constant_i64(e, tile->heads));
    value last = sub(e, count, constant_i64(e, 1)), lanes = constant_i64(e, tile->lanes);
    run->sequence = append_load_index(e, pointers->sequences, run->row);
    run->groups = divide_signed(e, add(e, last, lanes), lanes);
    struct loop loop;
    loop_begin(e, &loop, zero, mul(e, run->groups, lanes), 1, NULL, 0);
    place_query(e, tile, pointers, run, loop.index, last);
    loop_end(e, &loop, NULL);
    clear_sums(e, tile, run->groups);
    value range[] = {constant_i64(e, INT32_MAX), zero};
    loop_begin(e, &loop, zero, run->groups, 1, range, 2);
    load_group(e, tile, loop.index);
    value first = extreme(e, tile, tile->firsts, loop.index, true);
    value end = extreme(e, tile, tile->ends, loop.index, false);
    value place = indexed(e, tile->ranges, loop.index, 16);
    store(e, first, place, 8);
    store(e, end, address_at(e, place, 8), 8);
    range[0] = minimum_signed(e, loop.carried[0], first);
    range[1] = maximum_signed(e, loop.carried[1], end);
    loop_end(e, &loop, range);
    run->first = loop.carried[0];
    run->end = loop.carried[1];
}

/* ---- Outputs ---- */

/* A query that sees nothing has weight 0 and becomes NaN, as in the reference. */
static void store_register(struct emitter *e, const struct tile *tile, value group, value w)
{
    int64_t size = tile->work->v.size;
    value index = add(e, mul(e, group, constant_i64(e, tile->width)), w);
    struct transposition what = {.stride = 4 * (int64_t)tile->lanes};
    value weights =
        load(e, vector_of(e->f32, e->lanes), register_at(e, tile->weights, index, 4), 4 * e->lanes);
    what.factor = divf(e, splat_f32(e, 1, e->lanes), weights);
    what.rows = register_at(e, tile->y_rows, index, ADDRESS_BYTES);
    what.columns = column_at(e, tile, tile->sums, size, group, w);
    transpose_all(e, &what, size, transpose_out);
}

void tile_store(struct emitter *e, const struct tile *tile, const struct tile_run *run)
{
    struct loop groups, registers;
    value zero = constant_i64(e, 0);
    loop_begin(e, &groups, zero, run->groups, 1, NULL, 0);
    loop_begin(e, &registers, zero, constant_i64(e, tile->width), 1, NULL, 0);
    store_register(e, tile, groups.index, registers.index);
    loop_end(e, &registers, NULL);
    loop_end(e, &groups, NULL);
}
