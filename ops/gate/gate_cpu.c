/* gate_cpu: work items are pieces of rows; the activations are polynomials in f32. */
#include "codegen/cpu/llvm_math.h"
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/gate/gate.h"

struct gate_row {
    const union attribute *attributes;
    bool single; /* one gate for the whole row */
    value gate, up, y;
};

static value activated(struct emitter *e, const union attribute *attributes, value x)
{
    double slope = attributes[GATE_SLOPE].real;
    switch (attributes[GATE_ACTIVATION].integer) {
    case ACTIVATION_GELU_TANH: return math_gelu_tanh(e, x);
    case ACTIVATION_GELU: return math_gelu(e, x);
    case GATE_SIGMOID: return math_sigmoid(e, x);
    default: break;
    }
    if (slope == 1) return math_silu(e, x);
    return mulf(e, x, math_sigmoid(e, mulf(e, x, splat_f32(e, slope, lanes_of(x)))));
}

static void gate_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct gate_row *row = context;
    double limit = row->attributes[GATE_LIMIT].real, shift = row->attributes[GATE_SHIFT].real;
    value up = column_load(e, step, row->up);
    value gate = row->single ? splat(e, load(e, e->f32, row->gate, 4), step->lanes)
                             : column_load(e, step, row->gate);
    if (limit > 0) {
        value most = splat_f32(e, limit, step->lanes);
        gate = minimumf(e, gate, most);
        up = maximumf(e, minimumf(e, up, most), splat_f32(e, -limit, step->lanes));
    }
    if (shift != 0) up = addf(e, up, splat_f32(e, shift, step->lanes));
    column_store(e, step, row->y, mulf(e, activated(e, row->attributes, gate), up));
}

static void emit_piece(struct emitter *e, const struct row_kernel *kernel, value part)
{
    int64_t columns = kernel->columns.columns;
    int64_t gates = fixed_dimension(kernel->problem, GATE_GATE, 1);
    value row = row_kernel_row(e, kernel, part);
    struct gate_row rows = {kernel->problem->attributes, gates != columns,
                            row_at(e, kernel->operands[GATE_GATE], row, gates),
                            row_at(e, kernel->operands[GATE_UP], row, columns),
                            row_at(e, kernel->operands[GATE_Y], row, columns)};
    row_kernel_columns(e, kernel, part, gate_step, &rows);
}

generate_function gate_cpu_generate;

status gate_cpu_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "gate", .operand = GATE_UP, .body = emit_piece};
    row_kernel_cut(&kernel, fixed_dimension(generation->problem, GATE_UP, 1),
                   config_value(generation->space, generation->config, "piece"),
                   (int)config_value(generation->space, generation->config, "unroll"));
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
