/* part_cpu: a work item copies a part of a head. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/part/part.h"

static void emit_head(struct emitter *e, const struct row_kernel *kernel, value head)
{
    const union attribute *attributes = kernel->problem->attributes;
    int64_t size = attributes[PART_SIZE].integer, first = attributes[PART_FIRST].integer;
    int64_t columns = fixed_dimension(kernel->problem, PART_X, 1) / kernel->parts;
    value from = row_at(e, kernel->operands[PART_X], head, columns);
    row_copy(e, size, address_at(e, from, 4 * first),
             row_at(e, kernel->operands[PART_Y], head, size));
}

generate_function part_cpu_generate;

status part_cpu_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "part", .operand = PART_X, .body = emit_head};
    kernel.parts = generation->problem->attributes[PART_HEADS].integer;
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
