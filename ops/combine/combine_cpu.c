/* combine_cpu: work items are pieces of rows.  The rows of y that a token uses are added in a
 * register, in the order of their weights. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/combine/combine.h"

/* Rows added in one pass; a token that uses more of them takes several passes over its columns. */
enum { TOGETHER = 8 };

struct combine_row {
    int count;
    bool again; /* continues the sums in `out` */
    value rows[TOGETHER], weights[TOGETHER], out;
};

static void combine_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct combine_row *row = context;
    value sum =
        row->again ? column_load(e, step, row->out) : zero_of(vector_of(e->f32, step->lanes));
    for (int i = 0; i < row->count; i++) {
        value weight = splat(e, row->weights[i], step->lanes);
        sum = muladdf(e, weight, column_load(e, step, row->rows[i]), sum);
    }
    column_store(e, step, row->out, sum);
}

struct combine_kernel {
    struct columns columns;
    int64_t used, piece;
    value weights, y, places, out;
};

static void emit_pass(struct emitter *e, const struct combine_kernel *k,
                      const struct row_loop *rows, int64_t first)
{
    value row_bytes = constant_i64(e, 4 * k->columns.columns);
    value at = mul(e, rows->row, constant_i64(e, 4 * k->used));
    struct combine_row row = {.again = first > 0};
    row.out = address(e, k->out, mul(e, rows->row, row_bytes));
    for (int64_t i = first; i < k->used && i < first + TOGETHER; i++) {
        value place = load(e, e->i32, address_at(e, address(e, k->places, at), 4 * i), 4);
        row.rows[row.count] = address(e, k->y, mul(e, sign_extend(e, place, e->i64), row_bytes));
        row.weights[row.count++] =
            load(e, e->f32, address_at(e, address(e, k->weights, at), 4 * i), 4);
    }
    columns_each_piece(e, &k->columns, k->piece, rows->first, rows->end, combine_step, &row);
}

static void emit_combine(struct emitter *e, struct combine_kernel *k, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    k->weights = kernel_operand(e, &kernel, launch, COMBINE_WEIGHTS);
    k->y = kernel_operand(e, &kernel, launch, COMBINE_Y);
    k->places = kernel_operand(e, &kernel, launch, COMBINE_PLACES);
    k->out = kernel_operand(e, &kernel, launch, COMBINE_OUT);
    struct row_loop rows;
    rows_begin(e, &rows, &kernel, columns_pieces(&k->columns, k->piece));
    for (int64_t first = 0; first < k->used; first += TOGETHER) emit_pass(e, k, &rows, first);
    rows_end(e, &rows);
    kernel_end(e);
}

generate_function combine_cpu_generate;

status combine_cpu_generate(const struct generation *generation, struct arena *arena,
                            struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    struct emitter e;
    struct geometry geometry;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct combine_kernel k = {.used = fixed_dimension(problem, COMBINE_WEIGHTS, 1)};
    k.columns = (struct columns){fixed_dimension(problem, COMBINE_Y, 1), e.lanes, 2};
    k.piece = config_value(generation->space, generation->config, "piece");
    status code = rows_geometry(problem, COMBINE_WEIGHTS, columns_pieces(&k.columns, k.piece),
                                &geometry, diagnostic);
    *image = (struct image){.target = TARGET_CPU};
    if (code == STATUS_OK) {
        emit_combine(&e, &k, image_add_launch(image, "combine", geometry));
        code = kernel_image_finish(&e, image, listing, diagnostic);
    }
    emitter_destroy(&e);
    return code;
}
