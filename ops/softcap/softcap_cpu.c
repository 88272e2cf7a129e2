/* softcap_cpu: work items are pieces of rows; tanh is a polynomial in f32. */
#include "codegen/cpu/llvm_math.h"
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/softcap/softcap.h"

struct softcap_row {
    double limit;
    value x, y;
};

static void softcap_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct softcap_row *row = context;
    value limit = splat_f32(e, row->limit, step->lanes);
    value bent = math_tanh(e, divf(e, column_load(e, step, row->x), limit));
    column_store(e, step, row->y, mulf(e, limit, bent));
}

static void emit_piece(struct emitter *e, const struct row_kernel *kernel, value part)
{
    int64_t columns = kernel->columns.columns;
    value row = row_kernel_row(e, kernel, part);
    struct softcap_row rows = {kernel->problem->attributes[SOFTCAP_LIMIT].real,
                               row_at(e, kernel->operands[SOFTCAP_X], row, columns),
                               row_at(e, kernel->operands[SOFTCAP_Y], row, columns)};
    row_kernel_columns(e, kernel, part, softcap_step, &rows);
}

generate_function softcap_cpu_generate;

status softcap_cpu_generate(const struct generation *generation, struct arena *arena,
                            struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "softcap", .operand = SOFTCAP_X, .body = emit_piece};
    row_kernel_cut(&kernel, fixed_dimension(generation->problem, SOFTCAP_X, 1),
                   config_value(generation->space, generation->config, "piece"), 1);
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
