/* rope_cpu: a row per work item; its angles are computed once and serve all its heads. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/rope/rope.h"
#include "ops/rope/rotation_core_cpu.h"

static void begin_rotation(struct emitter *e, const struct row_kernel *kernel)
{
    rotation_begin(e, kernel->problem->attributes + ROPE_ROTATION, kernel->operands[ROPE_FACTORS],
                   kernel->state);
}

static void emit_row(struct emitter *e, const struct row_kernel *kernel, value row)
{
    int64_t columns = fixed_dimension(kernel->problem, ROPE_X, 1);
    value at = address(e, kernel->operands[ROPE_POSITIONS], mul(e, row, constant_i64(e, 4)));
    rotation_set_position(e, kernel->state, load(e, e->i32, at, 4));
    rotation_turn(e, kernel->state, kernel->problem->attributes[ROPE_HEADS].integer,
                  row_at(e, kernel->operands[ROPE_X], row, columns), ELEMENT_F32,
                  row_at(e, kernel->operands[ROPE_Y], row, columns));
}

generate_function rope_cpu_generate;

status rope_cpu_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    struct rotation_kernel rotation;
    struct row_kernel kernel = {.name = "rope",
                                .operand = ROPE_X,
                                .begin = begin_rotation,
                                .body = emit_row,
                                .state = &rotation};
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
