/* select_cpu: a row per work item.  A negative number gives NaN, as in the reference; that a number
 * is below the count of rows is the caller's to see to, a launch does not know that count. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/select/select.h"

#include <math.h>

enum { UNROLL = 4 };

struct select_row {
    value x, y, known;
};

static void copy_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct select_row *row = context;
    value nothing = splat_f32(e, (double)NAN, step->lanes);
    column_store(e, step, row->y, choose(e, row->known, column_load(e, step, row->x), nothing));
}

static void emit_row(struct emitter *e, const struct row_kernel *kernel, value r)
{
    struct columns columns = {fixed_dimension(kernel->problem, SELECT_X, 1), e->lanes, UNROLL};
    value at = address(e, kernel->operands[SELECT_OUTPUTS], mul(e, r, constant_i64(e, 4)));
    value index = load(e, e->i32, at, 4);
    value known = greater_equal(e, index, constant_i32(e, 0));
    value from = sign_extend(e, choose(e, known, index, constant_i32(e, 0)), e->i64);
    struct select_row row = {row_at(e, kernel->operands[SELECT_X], from, columns.columns),
                             row_at(e, kernel->operands[SELECT_Y], r, columns.columns), known};
    columns_each(e, &columns, copy_step, &row, NULL);
}

generate_function select_cpu_generate;

status select_cpu_generate(const struct generation *generation, struct arena *arena,
                           struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "select", .operand = SELECT_OUTPUTS, .body = emit_row};
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
