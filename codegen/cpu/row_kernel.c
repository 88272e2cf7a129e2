/* Rows, parts and pieces of simple kernels. */
#include "codegen/cpu/row_kernel.h"

#include "codegen/cpu/kernel_image.h"

/* Of a round of columns, whatever the target's registers: pieces are cut before those are known. */
enum { PIECE_LANES = 16, COPY_UNROLL = 2 };

static void emit_parts(struct emitter *e, struct row_kernel *kernel, struct launch *launch)
{
    const struct problem *problem = kernel->problem;
    kernel->arguments = kernel_begin(e, launch->name);
    for (int i = 0; i < problem->input_count + problem->output_count; i++)
        if (problem->operands[i].present)
            kernel->operands[i] = kernel_operand(e, &kernel->arguments, launch, i);
    if (kernel->begin) kernel->begin(e, kernel);
    struct loop loop;
    loop_begin(e, &loop, kernel->arguments.begin, kernel->arguments.end, 1, NULL, 0);
    kernel->body(e, kernel, loop.index);
    loop_end(e, &loop, NULL);
    kernel_end(e);
}

status row_kernel_generate(const struct generation *generation, struct row_kernel *kernel,
                           struct arena *arena, struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    struct geometry geometry;
    struct emitter e;
    if (!kernel->parts) kernel->parts = 1;
    kernel->problem = generation->problem;
    TRY(rows_geometry(kernel->problem, kernel->operand, kernel->parts, &geometry, diagnostic));
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    *image = (struct image){.target = TARGET_CPU};
    emit_parts(&e, kernel, image_add_launch(image, kernel->name, geometry));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}

void row_kernel_cut(struct row_kernel *kernel, int64_t columns, int64_t piece, int unroll)
{
    kernel->columns = (struct columns){columns, PIECE_LANES, unroll};
    kernel->piece = piece;
    kernel->parts = columns_pieces(&kernel->columns, piece);
}

value row_kernel_row(struct emitter *e, const struct row_kernel *kernel, value part)
{
    return kernel->parts == 1 ? part : divide_signed(e, part, constant_i64(e, kernel->parts));
}

void row_kernel_columns(struct emitter *e, const struct row_kernel *kernel, value part,
                        column_body *body, void *context)
{
    value piece = remainder_signed(e, part, constant_i64(e, kernel->parts));
    columns_each_piece(e, &kernel->columns, kernel->piece, piece, add(e, piece, constant_i64(e, 1)),
                       body, context);
}

value row_at(struct emitter *e, value base, value row, int64_t columns)
{
    return address(e, base, mul(e, row, constant_i64(e, 4 * columns)));
}

struct copied_row {
    value from, to;
};

static void copy_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct copied_row *row = context;
    column_store(e, step, row->to, column_load(e, step, row->from));
}

void row_copy(struct emitter *e, int64_t columns, value from, value to)
{
    struct columns all = {columns, e->lanes, COPY_UNROLL};
    struct copied_row row = {from, to};
    columns_each(e, &all, copy_step, &row, NULL);
}
