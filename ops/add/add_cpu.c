/* add_cpu: work items are pieces of rows. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
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

static void emit_add(struct emitter *e, const struct columns *columns, int64_t piece,
                     struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    value x = kernel_operand(e, &kernel, launch, ADD_X);
    value y = kernel_operand(e, &kernel, launch, ADD_Y);
    value sum = kernel_operand(e, &kernel, launch, ADD_SUM);
    struct row_loop rows;
    rows_begin(e, &rows, &kernel, columns_pieces(columns, piece));
    value offset = mul(e, rows.row, constant_i64(e, 4 * columns->columns));
    struct add_row row = {address(e, x, offset), address(e, y, offset), address(e, sum, offset)};
    columns_each_piece(e, columns, piece, rows.first, rows.end, add_step, &row);
    rows_end(e, &rows);
    kernel_end(e);
}

generate_function add_cpu_generate;

status add_cpu_generate(const struct generation *generation, struct arena *arena,
                        struct image *image, struct listing *listing, struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    int64_t piece = config_value(generation->space, generation->config, "piece");
    struct emitter e;
    struct geometry geometry;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct columns columns = {fixed_dimension(problem, ADD_X, 1), e.lanes, 4};
    status code =
        rows_geometry(problem, ADD_X, columns_pieces(&columns, piece), &geometry, diagnostic);
    *image = (struct image){.target = TARGET_CPU};
    if (code == STATUS_OK) {
        emit_add(&e, &columns, piece, image_add_launch(image, "add", geometry));
        code = kernel_image_finish(&e, image, listing, diagnostic);
    }
    emitter_destroy(&e);
    return code;
}
