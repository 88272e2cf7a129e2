/* join_cpu: a work item copies a head and its tail. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/join/join.h"

static void emit_head(struct emitter *e, const struct row_kernel *kernel, value head)
{
    bool shared = kernel->problem->attributes[JOIN_SHARED].integer;
    int64_t heads = kernel->parts, size = fixed_dimension(kernel->problem, JOIN_X, 1) / heads;
    int64_t tail_size = fixed_dimension(kernel->problem, JOIN_TAIL, 1) / (shared ? 1 : heads);
    value tail = shared ? row_kernel_row(e, kernel, head) : head;
    value to = row_at(e, kernel->operands[JOIN_Y], head, size + tail_size);
    row_copy(e, size, row_at(e, kernel->operands[JOIN_X], head, size), to);
    row_copy(e, tail_size, row_at(e, kernel->operands[JOIN_TAIL], tail, tail_size),
             address_at(e, to, 4 * size));
}

generate_function join_cpu_generate;

status join_cpu_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "join", .operand = JOIN_X, .body = emit_head};
    kernel.parts = generation->problem->attributes[JOIN_HEADS].integer;
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
