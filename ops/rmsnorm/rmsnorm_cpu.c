/* rmsnorm_cpu: rmsnorm and add_rmsnorm, a row (or a head of one) per work item.  The first pass over the row adds the
 * squares (and x and y, where the operator does), the second one scales what the nearest cache
 * still holds.  `unroll` registers of partial sums keep the additions from waiting for one another
 * and the rounding error small. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/add_rmsnorm/add_rmsnorm.h"
#include "ops/rmsnorm/rmsnorm.h"

enum { UNROLL_MAX = 8 };

struct norm_kernel {
    struct columns columns;
    int64_t heads; /* stretches of a row with a norm of their own */
    double epsilon, offset;
    bool adds;
    value x, y, sum, weight, norm; /* operands; y and sum NULL without an addition */
};

/* The same operands from one row on. */
struct norm_row {
    value x, y, sum, weight, norm, scale;
    double offset;
};

static void square_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct norm_row *row = context;
    value x = column_load(e, step, row->x);
    if (row->y) {
        x = addf(e, x, column_load(e, step, row->y));
        column_store(e, step, row->sum, x);
    }
    *step->sum = muladdf(e, x, x, *step->sum);
}

static void scale_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct norm_row *row = context;
    value x = column_load(e, step, row->sum ? row->sum : row->x);
    value weight = column_load(e, step, row->weight);
    if (row->offset != 0) weight = addf(e, weight, splat_f32(e, row->offset, step->lanes));
    column_store(e, step, row->norm,
                 mulf(e, mulf(e, x, splat(e, row->scale, step->lanes)), weight));
}

/* 1 / sqrt(mean of the squares + epsilon) */
static value scale_of(struct emitter *e, const struct norm_kernel *k, struct norm_row *row)
{
    value sums[UNROLL_MAX];
    for (int i = 0; i < k->columns.unroll; i++)
        sums[i] = zero_of(vector_of(e->f32, k->columns.lanes));
    columns_each(e, &k->columns, square_step, row, sums);
    for (int i = 1; i < k->columns.unroll; i++) sums[0] = addf(e, sums[0], sums[i]);
    value mean = divf(e, horizontal_addf(e, sums[0]), constant_f32(e, (double)k->columns.columns));
    return divf(e, constant_f32(e, 1), rootf(e, addf(e, mean, constant_f32(e, k->epsilon))));
}

static void emit_head(struct emitter *e, const struct norm_kernel *k, value head)
{
    value offset = mul(e, head, constant_i64(e, 4 * k->columns.columns));
    struct norm_row row = {
        .x = address(e, k->x, offset), .weight = k->weight, .norm = address(e, k->norm, offset)};
    if (k->adds) {
        row.y = address(e, k->y, offset);
        row.sum = address(e, k->sum, offset);
    }
    row.offset = k->offset;
    row.scale = scale_of(e, k, &row);
    columns_each(e, &k->columns, scale_step, &row, NULL);
}

static void emit_rows(struct emitter *e, const struct norm_kernel *k,
                      const struct kernel_arguments *kernel)
{
    struct row_loop rows;
    rows_begin(e, &rows, kernel, k->heads);
    if (k->heads == 1) {
        emit_head(e, k, rows.row);
    } else {
        struct loop loop;
        loop_begin(e, &loop, rows.first, rows.end, 1, NULL, 0);
        emit_head(e, k, add(e, mul(e, rows.row, constant_i64(e, k->heads)), loop.index));
        loop_end(e, &loop, NULL);
    }
    rows_end(e, &rows);
}

static void emit_norm(struct emitter *e, struct norm_kernel *k, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    k->x = kernel_operand(e, &kernel, launch, RMSNORM_X);
    k->weight =
        kernel_operand(e, &kernel, launch, k->adds ? (int)ADD_RMSNORM_WEIGHT : RMSNORM_WEIGHT);
    k->norm = kernel_operand(e, &kernel, launch, k->adds ? (int)ADD_RMSNORM_NORM : RMSNORM_Y);
    if (k->adds) {
        k->y = kernel_operand(e, &kernel, launch, ADD_RMSNORM_Y);
        k->sum = kernel_operand(e, &kernel, launch, ADD_RMSNORM_SUM);
    }
    emit_rows(e, k, &kernel);
    kernel_end(e);
}

generate_function rmsnorm_cpu_generate;

status rmsnorm_cpu_generate(const struct generation *generation, struct arena *arena,
                            struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    struct geometry geometry;
    struct norm_kernel k = {.adds = problem->op == &op_add_rmsnorm};
    int weight = k.adds ? (int)ADD_RMSNORM_WEIGHT : RMSNORM_WEIGHT;
    k.columns.columns = fixed_dimension(problem, weight, 0);
    k.heads = fixed_dimension(problem, RMSNORM_X, 1) / k.columns.columns;
    TRY(rows_geometry(problem, RMSNORM_X, k.heads, &geometry, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    k.columns.lanes = e.lanes;
    k.columns.unroll = (int)config_value(generation->space, generation->config, "unroll");
    k.epsilon = problem->attributes[RMSNORM_EPSILON].real;
    k.offset = problem->attributes[RMSNORM_OFFSET].real;
    *image = (struct image){.target = TARGET_CPU};
    emit_norm(&e, &k, image_add_launch(image, "rmsnorm", geometry));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
