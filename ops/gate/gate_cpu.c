/* gate_cpu: work items are pieces of rows; the activations are polynomials in f32. */
#include "codegen/cpu/kernel_image.h"
#include "codegen/cpu/kernel_rows.h"
#include "codegen/cpu/llvm_math.h"
#include "ops/access.h"
#include "ops/gate/gate.h"

struct gate_row {
    enum activation activation;
    value gate, up, y;
};

static value activated(struct emitter *e, enum activation activation, value x)
{
    switch (activation) {
    case ACTIVATION_SILU: return math_silu(e, x);
    case ACTIVATION_GELU_TANH: return math_gelu_tanh(e, x);
    case ACTIVATION_GELU: break;
    }
    return math_gelu(e, x);
}

static void gate_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct gate_row *row = context;
    value gate = activated(e, row->activation, column_load(e, step, row->gate));
    column_store(e, step, row->y, mulf(e, gate, column_load(e, step, row->up)));
}

static void emit_gate(struct emitter *e, const struct columns *columns, int64_t piece,
                      enum activation activation, struct launch *launch)
{
    struct kernel_arguments kernel = kernel_begin(e, launch->name);
    value gate = kernel_operand(e, &kernel, launch, GATE_GATE);
    value up = kernel_operand(e, &kernel, launch, GATE_UP);
    value y = kernel_operand(e, &kernel, launch, GATE_Y);
    struct row_loop rows;
    rows_begin(e, &rows, &kernel, columns_pieces(columns, piece));
    value offset = mul(e, rows.row, constant_i64(e, 4 * columns->columns));
    struct gate_row row = {activation, address(e, gate, offset), address(e, up, offset),
                           address(e, y, offset)};
    columns_each_piece(e, columns, piece, rows.first, rows.end, gate_step, &row);
    rows_end(e, &rows);
    kernel_end(e);
}

generate_function gate_cpu_generate;

status gate_cpu_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    const struct problem *problem = generation->problem;
    enum activation activation = (enum activation)problem->attributes[GATE_ACTIVATION].integer;
    int64_t piece = config_value(generation->space, generation->config, "piece");
    struct emitter e;
    struct geometry geometry;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    struct columns columns = {fixed_dimension(problem, GATE_GATE, 1), e.lanes,
                              (int)config_value(generation->space, generation->config, "unroll")};
    status code =
        rows_geometry(problem, GATE_GATE, columns_pieces(&columns, piece), &geometry, diagnostic);
    *image = (struct image){.target = TARGET_CPU};
    if (code == STATUS_OK) {
        emit_gate(&e, &columns, piece, activation, image_add_launch(image, "gate", geometry));
        code = kernel_image_finish(&e, image, listing, diagnostic);
    }
    emitter_destroy(&e);
    return code;
}
