/* append_cpu: a row per work item; rows without a page are dropped, as in the reference. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/append/append.h"
#include "ops/append/append_core_cpu.h"
#include "ops/append/state_core_cpu.h"

static void load_pages(struct emitter *e, const struct row_kernel *kernel)
{
    struct append_pages *pages = kernel->state;
    *pages = append_load_pages(e, &kernel->arguments, kernel->operands[APPEND_PAGES],
                               fixed_dimension(kernel->problem, APPEND_STATE, 1));
}

static void emit_row(struct emitter *e, const struct row_kernel *kernel, value r)
{
    enum element_type element = operand_type(kernel->problem, APPEND_STATE)->element;
    int64_t columns = fixed_dimension(kernel->problem, APPEND_X, 1);
    struct branch branch;
    value position = append_load_index(e, kernel->operands[APPEND_POSITIONS], r), known;
    value sequence = append_load_index(e, kernel->operands[APPEND_SEQUENCES], r);
    value row = append_find_row(e, kernel->state, sequence, position, &known);
    value row_bytes = constant_i64(e, element_row_bytes(element, columns));
    if_begin(e, &branch, known);
    state_write(e, element, columns, row_at(e, kernel->operands[APPEND_X], r, columns),
                address(e, kernel->operands[APPEND_STATE], mul(e, row, row_bytes)));
    if_end(e, &branch, NULL, NULL);
}

generate_function append_cpu_generate;

status append_cpu_generate(const struct generation *generation, struct arena *arena,
                           struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    struct append_pages pages;
    struct row_kernel kernel = {.name = "append",
                                .operand = APPEND_X,
                                .begin = load_pages,
                                .body = emit_row,
                                .state = &pages};
    if (!state_is_supported(operand_type(problem, APPEND_STATE)->element))
        return fail(diagnostic, STATUS_UNSUPPORTED, "append_cpu does not write such a state: %s",
                    problem->text);
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
