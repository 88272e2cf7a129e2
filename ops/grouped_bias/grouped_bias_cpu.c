/* grouped_bias_cpu: a slot per work item; its expert is the number of experts that end before it. */
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/grouped_bias/grouped_bias.h"

struct biased_row {
    value x, bias, y;
};

static void add_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct biased_row *row = context;
    value sum = addf(e, column_load(e, step, row->x), column_load(e, step, row->bias));
    column_store(e, step, row->y, sum);
}

/* offsets[1] .. offsets[experts] that are not above the slot. */
static value find_expert(struct emitter *e, const struct row_kernel *kernel, int64_t experts,
                         value slot)
{
    value number = truncate_to(e, slot, e->i32), count = constant_i64(e, 0);
    value ends = address_at(e, kernel->operands[GROUPED_BIAS_OFFSETS], 4);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, experts), 1, &count, 1);
    value end = load(e, e->i32, address(e, ends, mul(e, loop.index, constant_i64(e, 4))), 4);
    value before = greater_equal(e, number, end);
    count = add(e, loop.carried[0], zero_extend(e, before, e->i64));
    loop_end(e, &loop, &count);
    return loop.carried[0];
}

static void emit_slot(struct emitter *e, const struct row_kernel *kernel, value slot)
{
    int64_t columns = fixed_dimension(kernel->problem, GROUPED_BIAS_X, 1);
    int64_t experts = fixed_dimension(kernel->problem, GROUPED_BIAS_BIAS, 0);
    struct columns all = {columns, e->lanes, 2};
    struct branch branch;
    value expert = find_expert(e, kernel, experts, slot);
    struct biased_row row = {row_at(e, kernel->operands[GROUPED_BIAS_X], slot, columns),
                             row_at(e, kernel->operands[GROUPED_BIAS_BIAS], expert, columns),
                             row_at(e, kernel->operands[GROUPED_BIAS_Y], slot, columns)};
    value first = load(e, e->i32, kernel->operands[GROUPED_BIAS_OFFSETS], 4);
    value begun = greater_equal(e, truncate_to(e, slot, e->i32), first);
    if_begin(e, &branch, bit_and(e, begun, less(e, expert, constant_i64(e, experts))));
    columns_each(e, &all, add_step, &row, NULL);
    if_else(e, &branch, NULL, 0);
    row_copy(e, columns, row.x, row.y);
    if_end(e, &branch, NULL, NULL);
}

generate_function grouped_bias_cpu_generate;

status grouped_bias_cpu_generate(const struct generation *generation, struct arena *arena,
                                 struct image *image, struct listing *listing,
                                 struct diagnostic *diagnostic)
{
    struct row_kernel kernel = {
        .name = "grouped_bias", .operand = GROUPED_BIAS_X, .body = emit_slot};
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
