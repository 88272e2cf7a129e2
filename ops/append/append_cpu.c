/* append_cpu: a row per work item; rows without a page are dropped, as in the reference. */
#include "codegen/cpu/kernel_image.h"
#include "ops/access.h"
#include "ops/append/append.h"
#include "ops/append/append_core_cpu.h"
#include "ops/append/state_core_cpu.h"

struct append_kernel {
    enum element_type element;
    int64_t columns;
    struct append_pages pages;
    value x, positions, sequences, state;
};

static void emit_row(struct emitter *e, const struct append_kernel *k, value r)
{
    struct branch branch;
    value position = append_load_index(e, k->positions, r), known;
    value sequence = append_load_index(e, k->sequences, r);
    value row = append_find_row(e, &k->pages, sequence, position, &known);
    value row_bytes = constant_i64(e, element_row_bytes(k->element, k->columns));
    if_begin(e, &branch, known);
    state_write(e, k->element, k->columns,
                address(e, k->x, mul(e, r, constant_i64(e, 4 * k->columns))),
                address(e, k->state, mul(e, row, row_bytes)));
    if_end(e, &branch, NULL, NULL);
}

static void emit_append(struct emitter *e, const struct problem *problem, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    struct append_kernel k = {.element = operand_type(problem, APPEND_STATE)->element,
                              .columns = fixed_dimension(problem, APPEND_X, 1)};
    k.x = kernel_operand(e, &kernel, launch, APPEND_X);
    k.positions = kernel_operand(e, &kernel, launch, APPEND_POSITIONS);
    k.sequences = kernel_operand(e, &kernel, launch, APPEND_SEQUENCES);
    k.pages = append_load_pages(e, &kernel, launch, APPEND_PAGES,
                                fixed_dimension(problem, APPEND_STATE, 1));
    k.state = kernel_operand(e, &kernel, launch, APPEND_STATE);
    struct row_loop rows;
    rows_begin(e, &rows, &kernel, 1);
    emit_row(e, &k, rows.row);
    rows_end(e, &rows);
    kernel_end(e);
}

generate_function append_cpu_generate;

status append_cpu_generate(const struct generation *generation, struct arena *arena,
                           struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    struct geometry geometry;
    if (!state_is_supported(operand_type(problem, APPEND_STATE)->element))
        return fail(diagnostic, STATUS_UNSUPPORTED, "append_cpu does not write such a state: %s",
                    problem->text);
    TRY(rows_geometry(problem, APPEND_X, 1, &geometry, diagnostic));
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    *image = (struct image){.target = TARGET_CPU};
    emit_append(&e, problem, image_add_launch(image, "append", geometry));
    status code = kernel_image_finish(&e, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
