/* rope_cpu: a row per work item; its angles are computed once and serve all its heads. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
#include "ops/access.h"
#include "ops/rope/rope.h"
#include "ops/rope/rotation_core_cpu.h"

static void emit_rope(struct emitter *e, const struct problem *problem, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    value x = kernel_operand(e, &kernel, launch, ROPE_X);
    value positions = kernel_operand(e, &kernel, launch, ROPE_POSITIONS), factors = NULL;
    value y = kernel_operand(e, &kernel, launch, ROPE_Y);
    if (problem->operands[ROPE_FACTORS].present)
        factors = kernel_operand(e, &kernel, launch, ROPE_FACTORS);
    struct rotation_kernel rotation;
    rotation_begin(e, problem->attributes + ROPE_ROTATION, factors, &rotation);
    struct row_loop rows;
    rows_begin(e, &rows, &kernel, 1);
    value offset = mul(e, rows.row, constant_i64(e, 4 * fixed_dimension(problem, ROPE_X, 1)));
    value position_at = address(e, positions, mul(e, rows.row, constant_i64(e, 4)));
    rotation_set_position(e, &rotation, load(e, e->i32, position_at, 4));
    rotation_turn(e, &rotation, problem->attributes[ROPE_HEADS].integer, address(e, x, offset),
                  ELEMENT_F32, address(e, y, offset));
    rows_end(e, &rows);
    kernel_end(e);
}

generate_function rope_cpu_generate;

status rope_cpu_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    struct geometry geometry;
    TRY(rows_geometry(generation->problem, ROPE_X, 1, &geometry, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    *image = (struct image){.target = TARGET_CPU};
    emit_rope(&e, generation->problem, image_add_launch(image, "rope", geometry));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
