/* hadamard_cpu: a row per work item.  A stretch lies in registers, one column after the other: the
 * stages of the low bits of a column's number exchange lanes, those of the high bits registers.
 * Stretches narrower than a register share one. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/hadamard/hadamard.h"

#include <math.h>

enum { LANES_MAX = 16, LANES_MIN = 4, REGISTERS_MAX = HADAMARD_SIZE_MOST / LANES_MIN };

struct hadamard_row {
    int size;
    value x, y;
};

/* Lanes whose numbers differ in the bit `step`: the lower one gets the sum, the other the
 * difference. */
static value exchange_lanes(struct emitter *e, value x, int step)
{
    int lanes = lanes_of(x), other[LANES_MAX];
    value signs[LANES_MAX];
    for (int l = 0; l < lanes; l++) {
        other[l] = l ^ step;
        signs[l] = constant_f32(e, l & step ? -1 : 1);
    }
    return muladdf(e, x, LLVMConstVector(signs, (unsigned)lanes),
                   shuffle(e, x, NULL, other, lanes));
}

static void exchange_registers(struct emitter *e, value *registers, int count, int step)
{
    for (int i = 0; i < count; i++) {
        if (i & step) continue;
        value a = registers[i], b = registers[i + step];
        registers[i] = addf(e, a, b);
        registers[i + step] = subf(e, a, b);
    }
}

static void turn(struct emitter *e, value *registers, int count, int size)
{
    int lanes = e->lanes;
    for (int step = 1; step < size && step < lanes; step *= 2)
        for (int i = 0; i < count; i++) registers[i] = exchange_lanes(e, registers[i], step);
    for (int step = 1; step < count; step *= 2) exchange_registers(e, registers, count, step);
    for (int i = 0; i < count; i++)
        registers[i] = mulf(e, registers[i], splat_f32(e, 1 / sqrt((double)size), lanes));
}

static void narrow_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct hadamard_row *row = context;
    value x = column_load(e, step, row->x);
    turn(e, &x, 1, row->size);
    column_store(e, step, row->y, x);
}

static void emit_wide(struct emitter *e, const struct hadamard_row *row, int64_t columns)
{
    value registers[REGISTERS_MAX];
    int count = row->size / e->lanes, bytes = 4 * e->lanes;
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, 4 * columns), 4 * row->size, NULL, 0);
    value from = address(e, row->x, loop.index), to = address(e, row->y, loop.index);
    for (int i = 0; i < count; i++)
        registers[i] = load(e, vector_of(e->f32, e->lanes), address_at(e, from, i * bytes), 4);
    turn(e, registers, count, row->size);
    for (int i = 0; i < count; i++) store(e, registers[i], address_at(e, to, i * bytes), 4);
    loop_end(e, &loop, NULL);
}

static void emit_row(struct emitter *e, const struct row_kernel *kernel, value row_index)
{
    struct columns columns = {fixed_dimension(kernel->problem, HADAMARD_X, 1), e->lanes, 1};
    struct hadamard_row row = {(int)kernel->problem->attributes[HADAMARD_SIZE].integer,
                               row_at(e, kernel->operands[HADAMARD_X], row_index, columns.columns),
                               row_at(e, kernel->operands[HADAMARD_Y], row_index, columns.columns)};
    if (row.size > e->lanes)
        emit_wide(e, &row, columns.columns);
    else
        columns_each(e, &columns, narrow_step, &row, NULL);
}

generate_function hadamard_cpu_generate;

status hadamard_cpu_generate(const struct generation *generation, struct arena *arena,
                             struct image *image, struct listing *listing,
                             struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {.name = "hadamard", .operand = HADAMARD_X, .body = emit_row};
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
