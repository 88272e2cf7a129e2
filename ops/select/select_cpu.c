/* select_cpu: a row per work item.  A negative number gives NaN, as in the reference; that a number
 * is below the count of rows is the caller's to see to, a launch does not know that count. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/select/select.h"

#include <math.h>

struct select_row {
    value x, y, known;
};

static void copy_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct select_row *row = context;
    value nothing = splat_f32(e, (double)NAN, step->lanes);
    column_store(e, step, row->y, choose(e, row->known, column_load(e, step, row->x), nothing));
}

static void emit_select(struct emitter *e, const struct columns *columns, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    value outputs = kernel_operand(e, &kernel, launch, SELECT_OUTPUTS);
    value x = kernel_operand(e, &kernel, launch, SELECT_X);
    value y = kernel_operand(e, &kernel, launch, SELECT_Y);
    struct row_loop rows;
    rows_begin(e, &rows, &kernel, 1);
    value index = load(e, e->i32, address(e, outputs, mul(e, rows.row, constant_i64(e, 4))), 4);
    value known = greater_equal(e, index, constant_i32(e, 0));
    value from = sign_extend(e, choose(e, known, index, constant_i32(e, 0)), e->i64);
    value row_bytes = constant_i64(e, 4 * columns->columns);
    struct select_row row = {address(e, x, mul(e, from, row_bytes)),
                             address(e, y, mul(e, rows.row, row_bytes)), known};
    columns_each(e, columns, copy_step, &row, NULL);
    rows_end(e, &rows);
    kernel_end(e);
}

generate_function select_cpu_generate;

status select_cpu_generate(const struct generation *generation, struct arena *arena,
                           struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    struct geometry geometry;
    TRY(rows_geometry(generation->problem, SELECT_OUTPUTS, 1, &geometry, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct columns columns = {fixed_dimension(generation->problem, SELECT_X, 1), e.lanes, 4};
    *image = (struct image){.target = TARGET_CPU};
    emit_select(&e, &columns, image_add_launch(image, "select", geometry));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
