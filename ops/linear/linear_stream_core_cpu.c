/* Weights by streams, activations from the nearest cache. */
#include "ops/linear/linear_stream_core_cpu.h"

#include "codegen/cpu/llvm_dot.h"

enum {
    STREAMS_MAX = 8,
    ROWS_MAX = 4,
    TRACKS_MAX = 2 * STREAMS_MAX,
    SUMS_MAX = TRACKS_MAX * ROWS_MAX
};

/* What is multiplied in the innermost loop: `tracks` weight rows by `rows` activation rows. */
struct dot_tile {
    int tracks, rows;
    value weights[TRACKS_MAX], x[ROWS_MAX];
};

/* ---- One step ---- */

static value step_part(const struct linear_stream *k, value x, int part, LLVMTypeRef element)
{
    struct emitter *e = k->e;
    int lanes = k->step.lanes;
    return load(e, vector_of(element, lanes), address_at(e, x, 4 * (int64_t)lanes * part), 4);
}

/* Blocks of 32: one scale for a lane of all registers. */
static value add_bytes(const struct linear_stream *k, value sum,
                       const struct linear_weights *weights, value x)
{
    struct emitter *e = k->e;
    int parts = k->step.parts, largest = k->step.form->largest;
    value scale = mulf(e, weights->scales, step_part(k, x, parts, e->f32));
    value products = zero_of(vector_of(e->i32, k->step.lanes));
    if (weights->minima)
        sum = muladdf(e, weights->minima, step_part(k, x, parts + 1, e->f32), sum);
    else
        products = step_part(k, x, parts + 1, e->i32);
    for (int i = 0; i < parts; i++)
        products = dot_bytes(e, products, weights->parts[i], largest, step_part(k, x, i, e->i32));
    return muladdf(e, integer_to_f32(e, products), scale, sum);
}

/* The scales of the groups that the lanes of register `part` belong to. */
static value lane_scales(const struct linear_stream *k, value of_groups, int part)
{
    struct unpack_request request = {k->step.element, 1, 1, k->step.lanes};
    int picked[16], per_scale = k->step.paired ? 2 : 1;
    for (int i = 0; i < k->step.lanes; i++)
        picked[i] = unpack_group_at(&request, part, i / 4) / per_scale;
    return shuffle(k->e, of_groups, NULL, picked, k->step.lanes);
}

static value add_parts(const struct linear_stream *k, value sum,
                       const struct linear_weights *weights, value x, value scales)
{
    struct emitter *e = k->e;
    for (int i = 0; i < k->step.parts; i++) {
        value products = dot_bytes(e, zero_of(vector_of(e->i32, k->step.lanes)), weights->parts[i],
                                   k->step.form->largest, step_part(k, x, i, e->i32));
        sum = muladdf(e, integer_to_f32(e, products), lane_scales(k, scales, i), sum);
    }
    return sum;
}

/* A block of 256 with scales and minima in one register. */
static value add_paired_bytes(const struct linear_stream *k, value sum,
                              const struct linear_weights *weights, value x)
{
    struct emitter *e = k->e;
    int lanes = k->step.lanes, half = UNPACK_GROUPS_MAX / 2;
    LLVMTypeRef groups = vector_of(e->f32, UNPACK_GROUPS_MAX);
    value both = mulf(e, weights->scales, load(e, groups, address_at(e, x, k->step.columns), 4));
    if (lanes > half) {
        value upper = bit_not(e, mask_first(e, half, lanes));
        sum = addf(e, sum, choose(e, upper, both, zero_of(groups)));
    } else {
        for (int i = 0; i < half; i += lanes) sum = addf(e, sum, slice(e, both, half + i, lanes));
    }
    return add_parts(k, sum, weights, x, both);
}

/* A block of 128 or 256: scales of its groups, each in some lanes of one register. */
static value add_super_bytes(const struct linear_stream *k, value sum,
                             const struct linear_weights *weights, value x)
{
    struct emitter *e = k->e;
    int lanes = k->step.lanes;
    LLVMTypeRef groups = vector_of(e->f32, UNPACK_GROUPS_MAX);
    value x_scales = load(e, groups, address_at(e, x, k->step.columns), 4);
    value x_sums = load(e, groups, address_at(e, x, k->step.columns + 4 * UNPACK_GROUPS_MAX), 4);
    value scales = mulf(e, weights->scales, x_scales);
    for (int i = 0; i < UNPACK_GROUPS_MAX; i += lanes)
        sum = muladdf(e, slice(e, weights->minima, i, lanes), slice(e, x_sums, i, lanes), sum);
    return add_parts(k, sum, weights, x, scales);
}

static value add_reals(const struct linear_stream *k, value sum,
                       const struct linear_weights *weights, value x, int columns)
{
    struct emitter *e = k->e;
    int lanes = k->step.lanes;
    if (k->step.parts == 1) {
        value reals = load_first(e, vector_of(e->f32, lanes), x, columns, 4);
        return muladdf(e, weights->parts[0], reals, sum);
    }
    value products = mulf(e, weights->parts[0], step_part(k, x, 0, e->f32));
    for (int i = 1; i < k->step.parts; i++)
        products = muladdf(e, weights->parts[i], step_part(k, x, i, e->f32), products);
    return weights->scales ? muladdf(e, products, weights->scales, sum) : addf(e, products, sum);
}

static value add_products(const struct linear_stream *k, value sum,
                          const struct linear_weights *weights, value x, int columns)
{
    if (k->step.dot == LINEAR_DOT_BF16)
        return dot_bf16(k->e, sum, weights->parts[0],
                        load(k->e, vector_of(k->e->i16, k->step.columns), x, 2));
    if (k->step.dot == LINEAR_DOT_FMA) return add_reals(k, sum, weights, x, columns);
    if (k->step.paired) return add_paired_bytes(k, sum, weights, x);
    return k->step.form->block > LINEAR_BLOCK ? add_super_bytes(k, sum, weights, x)
                                              : add_bytes(k, sum, weights, x);
}

/* Fetches the lines that begin in the step at distance `weight_at` from a tile's pointer. */
static void fetch_ahead(const struct linear_stream *k, value pointer, int64_t weight_at)
{
    int64_t step = k->step.weight_bytes;
    bool new_line =
        weight_at == 0 || weight_at / CACHE_LINE_BYTES != (weight_at - step) / CACHE_LINE_BYTES;
    if (new_line) prefetch(k->e, pointer, k->prefetch_bytes, 2);
    /* Blocks of 32 never need this: what is left of a step is fetched with the next one. */
    for (int64_t at = CACHE_LINE_BYTES; at + CACHE_LINE_BYTES <= step; at += CACHE_LINE_BYTES)
        prefetch(k->e, address_at(k->e, pointer, at), k->prefetch_bytes, 2);
}

/* Adds the products of `columns` columns, at the given distances from the tile's pointers, to
 * sums[track * rows + row]. */
static void add_step(const struct linear_stream *k, const struct dot_tile *tile, int64_t weight_at,
                     int64_t x_at, int columns, value *sums)
{
    struct emitter *e = k->e;
    for (int t = 0; t < tile->tracks; t++) {
        struct linear_weights weights;
        value pointer = address_at(e, tile->weights[t], weight_at);
        if (k->prefetch_bytes) fetch_ahead(k, pointer, weight_at);
        linear_step_weights(e, &k->step, pointer, columns, &weights);
        for (int r = 0; r < tile->rows; r++) {
            value *sum = &sums[t * tile->rows + r], x = address_at(e, tile->x[r], x_at);
            *sum = add_products(k, *sum, &weights, x, columns);
        }
    }
}

/* ---- A tile ---- */

/* Few sums would wait for one another; then each of the unrolled steps has its own. */
static int chain_count(const struct linear_stream *k, int sums)
{
    int chains = sums >= 4 ? 1 : 4 / sums;
    return chains < k->unroll ? chains : k->unroll;
}

static struct dot_tile tile_at(const struct linear_stream *k, const struct dot_tile *tile,
                               value step)
{
    struct emitter *e = k->e;
    struct dot_tile moved = *tile;
    value weight_at = mul(e, step, constant_i64(e, k->step.weight_bytes));
    value x_at = mul(e, step, constant_i64(e, k->step.x_bytes));
    for (int t = 0; t < tile->tracks; t++)
        moved.weights[t] = address(e, tile->weights[t], weight_at);
    for (int r = 0; r < tile->rows; r++) moved.x[r] = address(e, tile->x[r], x_at);
    return moved;
}

/* All columns: sums[track * rows + row], scalars. */
static void sum_tile(const struct linear_stream *k, const struct dot_tile *tile, value *sums)
{
    struct emitter *e = k->e;
    const struct linear_step *step = &k->step;
    int count = tile->tracks * tile->rows, chains = chain_count(k, count);
    value partial[SUMS_MAX];
    for (int i = 0; i < count * chains; i++) partial[i] = zero_of(vector_of(e->f32, step->lanes));
    int64_t rounds = step->full / k->unroll * k->unroll;
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, rounds), k->unroll, partial,
               count * chains);
    struct dot_tile here = tile_at(k, tile, loop.index);
    for (int i = 0; i < count * chains; i++) partial[i] = loop.carried[i];
    for (int u = 0; u < k->unroll; u++)
        add_step(k, &here, u * step->weight_bytes, u * step->x_bytes, step->columns,
                 partial + u % chains * count);
    loop_end(e, &loop, partial);
    for (int i = 0; i < count * chains; i++) partial[i] = loop.carried[i];
    for (int64_t s = rounds; s < step->full; s++)
        add_step(k, tile, s * step->weight_bytes, s * step->x_bytes, step->columns,
                 partial + s % chains * count);
    if (step->rest)
        add_step(k, tile, step->full * step->weight_bytes, step->full * step->x_bytes, step->rest,
                 partial);
    for (int i = 0; i < count; i++) {
        value sum = partial[i];
        for (int c = 1; c < chains; c++) sum = addf(e, sum, partial[c * count + i]);
        sums[i] = horizontal_addf(e, sum);
    }
}

value linear_rows_place(struct emitter *e, const struct linear_rows *rows, value row)
{
    if (!rows->heads) return row;
    return add(e, mul(e, row, constant_i64(e, rows->heads)), rows->head);
}

value linear_rows_source(struct emitter *e, const struct linear_rows *rows, value row)
{
    if (!rows->order) return rows->shared ? row : linear_rows_place(e, rows, row);
    value at = address(e, rows->order, mul(e, row, constant_i64(e, 4)));
    value number = sign_extend(e, load(e, e->i32, at, 4), e->i64);
    return divide_signed(e, number, constant_i64(e, rows->divisor));
}

/* Rows [row, row + tile->rows) of the outputs with the weight rows of `outputs`, one per stream. */
static void emit_tile(const struct linear_stream *k, int matrix, const struct linear_rows *rows,
                      struct dot_tile *tile, value row, const value *outputs)
{
    struct emitter *e = k->e;
    int per_output = k->work->gated ? 2 : 1, streams = tile->tracks / per_output;
    value row_bytes = constant_i64(e, linear_step_row_bytes(&k->step));
    for (int r = 0; r < tile->rows; r++) {
        value source = linear_rows_source(e, rows, add(e, row, constant_i64(e, r)));
        tile->x[r] = address(e, k->pointers.x, mul(e, source, row_bytes));
    }
    value sums[SUMS_MAX];
    sum_tile(k, tile, sums);
    for (int s = 0; s < streams; s++)
        for (int r = 0; r < tile->rows; r++) {
            value to = linear_rows_place(e, rows, add(e, row, constant_i64(e, r)));
            struct linear_place place = {to, outputs[s], 1, NULL};
            value of_output[2];
            for (int i = 0; i < per_output; i++)
                of_output[i] = sums[(s * per_output + i) * tile->rows + r];
            linear_finish(e, k->work, &k->pointers, matrix, &place, of_output);
        }
}

/* ---- The loops around it ---- */

/* All rows with one weight row per stream. */
static void emit_outputs(const struct linear_stream *k, int matrix, const struct linear_rows *rows,
                         const value *outputs, int streams)
{
    struct emitter *e = k->e;
    int per_output = k->work->gated ? 2 : 1;
    struct dot_tile tile = {.tracks = streams * per_output};
    value row_bytes = constant_i64(e, k->work->row_bytes);
    for (int s = 0; s < streams; s++)
        for (int i = 0; i < per_output; i++)
            tile.weights[s * per_output + i] =
                address(e, k->pointers.weights[matrix + i], mul(e, outputs[s], row_bytes));
    value rest = rows->first;
    struct loop loop;
    if (k->rows > 1) {
        tile.rows = k->rows;
        value size = constant_i64(e, k->rows), count = sub(e, rows->end, rows->first);
        rest = add(e, rows->first, mul(e, divide_signed(e, count, size), size));
        loop_begin(e, &loop, rows->first, rest, k->rows, NULL, 0);
        emit_tile(k, matrix, rows, &tile, loop.index, outputs);
        loop_end(e, &loop, NULL);
    }
    tile.rows = 1;
    loop_begin(e, &loop, rest, rows->end, 1, NULL, 0);
    emit_tile(k, matrix, rows, &tile, loop.index, outputs);
    loop_end(e, &loop, NULL);
}

/* `streams` equal parts of the weight rows side by side, then what is left. */
void linear_stream_outputs(const struct linear_stream *k, int matrix,
                           const struct linear_rows *rows, value begin, value end)
{
    struct emitter *e = k->e;
    value part = divide_signed(e, sub(e, end, begin), constant_i64(e, k->streams));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), part, 1, NULL, 0);
    value outputs[STREAMS_MAX];
    for (int s = 0; s < k->streams; s++)
        outputs[s] = add(e, add(e, begin, mul(e, part, constant_i64(e, s))), loop.index);
    emit_outputs(k, matrix, rows, outputs, k->streams);
    loop_end(e, &loop, NULL);
    if (k->streams == 1) return;
    value rest = add(e, begin, mul(e, part, constant_i64(e, k->streams)));
    loop_begin(e, &loop, rest, end, 1, NULL, 0);
    emit_outputs(k, matrix, rows, &loop.index, 1);
    loop_end(e, &loop, NULL);
}

struct linear_stream linear_stream_of(struct emitter *e, const struct linear_work *work,
                                      enum linear_dot dot, const struct generation *generation)
{
    const struct space *space = generation->space;
    const struct config *config = generation->config;
    return (struct linear_stream){
        .e = e,
        .work = work,
        .step = linear_step_of(e, work, dot),
        .streams = (int)config_value(space, config, "streams"),
        .rows = (int)config_value(space, config, "rows_together"),
        .unroll = (int)config_value(space, config, "unroll"),
        .prefetch_bytes = config_value(space, config, "prefetch"),
    };
}
