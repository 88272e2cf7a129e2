/* Few rows: weights by streams, activations from the nearest cache. */
#include "ops/linear/linear_dot_core_cpu.h"

#include "codegen/cpu/llvm_dot.h"
#include "ops/linear/linear_step_core_cpu.h"

enum {
    STREAMS_MAX = 8,
    ROWS_MAX = 4,
    TRACKS_MAX = 2 * STREAMS_MAX,
    SUMS_MAX = TRACKS_MAX * ROWS_MAX
};

enum { CACHE_LINE_BYTES = 64 };

struct dot_kernel {
    struct emitter *e;
    const struct linear_work *work;
    struct linear_step step;
    struct linear_pointers pointers;
    value row_count;
    int streams, rows, unroll;
    int64_t prefetch_bytes;
};

/* What is multiplied in the innermost loop: `tracks` weight rows by `rows` activation rows. */
struct dot_tile {
    int tracks, rows;
    value weights[TRACKS_MAX], x[ROWS_MAX];
};

/* ---- One step ---- */

static value step_part(const struct dot_kernel *k, value x, int part, LLVMTypeRef element)
{
    struct emitter *e = k->e;
    int lanes = k->step.lanes;
    return load(e, vector_of(element, lanes), address_at(e, x, 4 * (int64_t)lanes * part), 4);
}

static value add_bytes(const struct dot_kernel *k, value sum, const value *weights, value scales,
                       value x)
{
    struct emitter *e = k->e;
    int parts = k->step.parts, largest = k->step.element == ELEMENT_Q4_0 ? 15 : 255;
    value products = step_part(k, x, parts, e->i32);
    for (int i = 0; i < parts; i++)
        products = dot_bytes(e, products, weights[i], largest, step_part(k, x, i, e->i32));
    value scale = mulf(e, scales, step_part(k, x, parts + 1, e->f32));
    return muladdf(e, integer_to_f32(e, products), scale, sum);
}

static value add_reals(const struct dot_kernel *k, value sum, const value *weights, value scales,
                       value x, int columns)
{
    struct emitter *e = k->e;
    int lanes = k->step.lanes;
    if (!scales) {
        value reals = load_first(e, vector_of(e->f32, lanes), x, columns, 4);
        return muladdf(e, weights[0], reals, sum);
    }
    value products = mulf(e, weights[0], step_part(k, x, 0, e->f32));
    for (int i = 1; i < k->step.parts; i++)
        products = muladdf(e, weights[i], step_part(k, x, i, e->f32), products);
    return muladdf(e, products, scales, sum);
}

/* Adds the products of `columns` columns, at the given distances from the tile's pointers, to
 * sums[track * rows + row]. */
static void add_step(const struct dot_kernel *k, const struct dot_tile *tile, int64_t weight_at,
                     int64_t x_at, int columns, value *sums)
{
    struct emitter *e = k->e;
    for (int t = 0; t < tile->tracks; t++) {
        value weights[LINEAR_PARTS_MAX], scales;
        value pointer = address_at(e, tile->weights[t], weight_at);
        bool new_line = weight_at == 0 || weight_at / CACHE_LINE_BYTES !=
                                              (weight_at - k->step.weight_bytes) / CACHE_LINE_BYTES;
        if (k->prefetch_bytes && new_line) prefetch(e, pointer, k->prefetch_bytes, 1);
        linear_step_weights(e, &k->step, pointer, columns, weights, &scales);
        for (int r = 0; r < tile->rows; r++) {
            value *sum = &sums[t * tile->rows + r], x = address_at(e, tile->x[r], x_at);
            *sum = k->step.dot == LINEAR_DOT_BYTES
                       ? add_bytes(k, *sum, weights, scales, x)
                       : add_reals(k, *sum, weights, scales, x, columns);
        }
    }
}

/* ---- A tile ---- */

/* Few sums would wait for one another; then each of the unrolled steps has its own. */
static int chain_count(const struct dot_kernel *k, int sums)
{
    int chains = sums >= 4 ? 1 : 4 / sums;
    return chains < k->unroll ? chains : k->unroll;
}

static struct dot_tile tile_at(const struct dot_kernel *k, const struct dot_tile *tile, value step)
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
static void sum_tile(const struct dot_kernel *k, const struct dot_tile *tile, value *sums)
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

/* Rows [row, row + rows) of the activations with the weight rows of `outputs`, one per stream. */
static void emit_tile(const struct dot_kernel *k, int matrix, struct dot_tile *tile, value row,
                      const value *outputs)
{
    struct emitter *e = k->e;
    int per_output = k->work->gated ? 2 : 1, streams = tile->tracks / per_output;
    value row_bytes = constant_i64(e, linear_step_row_bytes(&k->step));
    for (int r = 0; r < tile->rows; r++)
        tile->x[r] = address(e, k->pointers.x, mul(e, add(e, row, constant_i64(e, r)), row_bytes));
    value sums[SUMS_MAX];
    sum_tile(k, tile, sums);
    for (int s = 0; s < streams; s++)
        for (int r = 0; r < tile->rows; r++) {
            struct linear_place place = {add(e, row, constant_i64(e, r)), outputs[s], 1, NULL};
            value of_output[2];
            for (int i = 0; i < per_output; i++)
                of_output[i] = sums[(s * per_output + i) * tile->rows + r];
            linear_finish(e, k->work, &k->pointers, matrix, &place, of_output);
        }
}

/* ---- The loops around it ---- */

/* All rows of activations with one weight row per stream. */
static void emit_outputs(const struct dot_kernel *k, int matrix, const value *outputs, int streams)
{
    struct emitter *e = k->e;
    int per_output = k->work->gated ? 2 : 1;
    struct dot_tile tile = {.tracks = streams * per_output};
    value row_bytes = constant_i64(e, k->work->row_bytes);
    for (int s = 0; s < streams; s++)
        for (int i = 0; i < per_output; i++)
            tile.weights[s * per_output + i] =
                address(e, k->pointers.weights[matrix + i], mul(e, outputs[s], row_bytes));
    value zero = constant_i64(e, 0), tiled = zero;
    struct loop loop;
    if (k->rows > 1) {
        tile.rows = k->rows;
        value size = constant_i64(e, k->rows);
        tiled = mul(e, divide_signed(e, k->row_count, size), size);
        loop_begin(e, &loop, zero, tiled, k->rows, NULL, 0);
        emit_tile(k, matrix, &tile, loop.index, outputs);
        loop_end(e, &loop, NULL);
    }
    tile.rows = 1;
    loop_begin(e, &loop, tiled, k->row_count, 1, NULL, 0);
    emit_tile(k, matrix, &tile, loop.index, outputs);
    loop_end(e, &loop, NULL);
}

/* Weight rows [begin, end) of a matrix: `streams` equal parts side by side, then what is left. */
static void emit_range(const struct dot_kernel *k, int matrix, value begin, value end)
{
    struct emitter *e = k->e;
    value part = divide_signed(e, sub(e, end, begin), constant_i64(e, k->streams));
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), part, 1, NULL, 0);
    value outputs[STREAMS_MAX];
    for (int s = 0; s < k->streams; s++)
        outputs[s] = add(e, add(e, begin, mul(e, part, constant_i64(e, s))), loop.index);
    emit_outputs(k, matrix, outputs, k->streams);
    loop_end(e, &loop, NULL);
    if (k->streams == 1) return;
    value rest = add(e, begin, mul(e, part, constant_i64(e, k->streams)));
    loop_begin(e, &loop, rest, end, 1, NULL, 0);
    emit_outputs(k, matrix, &loop.index, 1);
    loop_end(e, &loop, NULL);
}

/* Work items are the outputs of all matrices, one matrix after the other. */
static int64_t emit_matrices(const struct dot_kernel *k, const struct kernel_arguments *kernel)
{
    struct emitter *e = k->e;
    int count = k->work->gated ? 1 : k->work->matrix_count;
    int64_t before = 0;
    for (int i = 0; i < count; i++) {
        int64_t outputs = k->work->matrices[i].outputs;
        value shift = constant_i64(e, before), most = constant_i64(e, outputs);
        value zero = constant_i64(e, 0);
        value begin = maximum_signed(e, sub(e, kernel->begin, shift), zero);
        value end = minimum_signed(e, sub(e, kernel->end, shift), most);
        emit_range(k, i, begin, maximum_signed(e, end, begin));
        before += outputs;
    }
    return before;
}

static void emit_dot(struct dot_kernel *k, struct image *image)
{
    struct emitter *e = k->e;
    int workspace = k->step.dot == LINEAR_DOT_BYTES
                        ? linear_step_quantize(e, k->work, &k->step, image)
                        : LINEAR_ABSENT;
    struct launch *launch = image_add_launch(image, "dot", (struct geometry){0});
    linear_add_arguments(k->work, launch, workspace);
    struct kernel_arguments kernel = kernel_begin(e, "dot");
    k->pointers = linear_load_pointers(e, k->work, &kernel);
    k->row_count = kernel_integer_value(e, &kernel, KERNEL_ROWS);
    int64_t items = emit_matrices(k, &kernel);
    kernel_end(e);
    /* Threads that write to one cache line of y would wait for each other. */
    launch->geometry = (struct geometry){0, items, CACHE_LINE_BYTES / 4};
}

status linear_dot_generate(enum linear_dot dot, const struct generation *generation,
                           struct arena *arena, struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    const struct space *space = generation->space;
    const struct config *config = generation->config;
    struct linear_work work;
    TRY(linear_work_read(generation->problem, &work, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct dot_kernel k = {.e = &e, .work = &work};
    k.step = linear_step_of(&e, &work, dot);
    k.streams = (int)config_value(space, config, "streams");
    k.rows = (int)config_value(space, config, "rows_together");
    k.unroll = (int)config_value(space, config, "unroll");
    k.prefetch_bytes = config_value(space, config, "prefetch");
    *image = (struct image){.target = TARGET_CPU};
    emit_dot(&k, image);
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
