/* add_cpu: work items are pieces of rows. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/add/add.h"

struct add_row {
    value x, y, sum;
};

static void add_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct add_row *row = context;
    value sum = addf(e, column_load(e, step, row->x), column_load(e, step, row->y));
    column_store(e, step, row->sum, sum);
}

static void emit_piece(struct emitter *e, const struct row_kernel *kernel, value part)
{
    int64_t columns = kernel->columns.columns;
    value row = row_kernel_row(e, kernel, part);
    struct add_row rows = {row_at(e, kernel->operands[ADD_X], row, columns),
                           row_at(e, kernel->operands[ADD_Y], row, columns),
                           row_at(e, kernel->operands[ADD_SUM], row, columns)};
    row_kernel_columns(e, kernel, part, add_step, &rows);
}

generate_function add_cpu_generate;

status add_cpu_generate(const struct generation *generation, struct arena *arena,
                        struct image *image, struct listing *listing, struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "add", .operand = ADD_X, .body = emit_piece};
    row_kernel_cut(&kernel, fixed_dimension(generation->problem, ADD_X, 1),
                   config_value(generation->space, generation->config, "piece"), 4);
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
