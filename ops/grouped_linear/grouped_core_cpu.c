/* Linear work with a matrix per expert. */
#include "ops/grouped_linear/grouped_core_cpu.h"

#include "ops/access.h"
#include "ops/grouped_gated/grouped_gated.h"
#include "ops/grouped_linear/grouped_linear.h"

#include <string.h>

/* ---- The problem ---- */

static void add_matrix(const struct problem *problem, struct linear_work *work, int weight)
{
    work->matrices[work->matrix_count++] = (struct linear_matrix){
        weight, LINEAR_ABSENT, problem->input_count, fixed_dimension(problem, weight, 1)};
}

static bool read_matrices(const struct problem *problem, struct linear_work *work)
{
    work->residual = LINEAR_ABSENT;
    if (strcmp(problem->op->name, "grouped_linear") == 0) {
        add_matrix(problem, work, GROUPED_LINEAR_WEIGHT);
    } else if (strcmp(problem->op->name, "grouped_gated") == 0) {
        add_matrix(problem, work, GROUPED_GATED_GATE);
        add_matrix(problem, work, GROUPED_GATED_UP);
        work->gated = true;
    } else {
        return false;
    }
    return true;
}

status grouped_work_read(const struct problem *problem, struct grouped_work *work,
                         struct diagnostic *diagnostic)
{
    const struct dimension slots = operand_type(problem, GROUPED_ORDER)->shape[0];
    *work = (struct grouped_work){.slots = slots.scale};
    if (!read_matrices(problem, &work->linear))
        return fail(diagnostic, STATUS_UNSUPPORTED, "operator %s has no experts",
                    problem->op->name);
    if (slots.symbol != SYMBOL_ROWS)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%s has %s slots, which no launch can count; only multiples of the step's rows "
                    "can be",
                    problem->text, symbol_name(slots.symbol));
    TRY(linear_work_finish(problem, &work->linear, diagnostic));
    int weight = work->linear.matrices[0].weight;
    int rows = attribute_by_name(problem->op, "rows");
    work->experts = fixed_dimension(problem, weight, 0);
    work->expert_bytes = work->linear.matrices[0].outputs * work->linear.row_bytes;
    work->divisor = grouped_divisor(problem, (enum grouped_rows)problem->attributes[rows].integer);
    return STATUS_OK;
}

/* ---- Operands inside a kernel ---- */

struct grouped_pointers grouped_load_pointers(struct emitter *e, const struct grouped_work *work,
                                              const struct kernel_arguments *kernel,
                                              struct launch *launch, int workspace)
{
    struct grouped_pointers pointers;
    linear_add_arguments(&work->linear, launch, workspace);
    pointers.linear = linear_load_pointers(e, &work->linear, kernel);
    pointers.order = kernel_operand(e, kernel, launch, GROUPED_ORDER);
    pointers.offsets = kernel_operand(e, kernel, launch, GROUPED_OFFSETS);
    pointers.slot_count =
        mul(e, kernel_integer_value(e, kernel, KERNEL_ROWS), constant_i64(e, work->slots));
    return pointers;
}

struct linear_pointers grouped_expert_pointers(struct emitter *e, const struct grouped_work *work,
                                               const struct grouped_pointers *pointers,
                                               value expert)
{
    struct linear_pointers own = pointers->linear;
    value offset = mul(e, expert, constant_i64(e, work->expert_bytes));
    for (int i = 0; i < work->linear.matrix_count; i++)
        own.weights[i] = address(e, own.weights[i], offset);
    return own;
}

/* ---- Experts ---- */

static value load_offset(struct emitter *e, const struct grouped_pointers *pointers, value expert)
{
    value at = address(e, pointers->offsets, mul(e, expert, constant_i64(e, 4)));
    return sign_extend(e, load(e, e->i32, at, 4), e->i64);
}

void grouped_loop_begin(struct emitter *e, struct grouped_loop *experts,
                        const struct grouped_work *work, const struct grouped_pointers *pointers,
                        int tile_rows)
{
    value zero = constant_i64(e, 0), one = constant_i64(e, 1);
    loop_begin(e, &experts->loop, zero, constant_i64(e, work->experts), 1, &zero, 1);
    experts->expert = experts->loop.index;
    experts->tiles = experts->loop.carried[0];
    experts->first = load_offset(e, pointers, experts->expert);
    experts->end = load_offset(e, pointers, add(e, experts->expert, one));
    value count = sub(e, experts->end, experts->first);
    value round_up = add(e, count, constant_i64(e, tile_rows - 1));
    experts->next = add(e, experts->tiles, divide_signed(e, round_up, constant_i64(e, tile_rows)));
    if_begin(e, &experts->used, less(e, experts->first, experts->end));
}

void grouped_loop_end(struct emitter *e, struct grouped_loop *experts)
{
    if_end(e, &experts->used, NULL, NULL);
    loop_end(e, &experts->loop, &experts->next);
}

struct linear_rows grouped_rows_of(const struct grouped_work *work,
                                   const struct grouped_pointers *pointers, value first, value end)
{
    return (struct linear_rows){.first = first,
                                .end = end,
                                .order = work->divisor ? pointers->order : NULL,
                                .divisor = work->divisor};
}

/* Outputs [begin, end) of slots [first, last). */
static void clear_slots(struct emitter *e, const struct grouped_work *work,
                        const struct grouped_pointers *pointers, value first, value last,
                        value begin, value end)
{
    value four = constant_i64(e, 4), outputs = constant_i64(e, work->linear.matrices[0].outputs);
    struct loop slot, output;
    loop_begin(e, &slot, first, last, 1, NULL, 0);
    value row = address(e, pointers->linear.outputs[0], mul(e, mul(e, slot.index, outputs), four));
    loop_begin(e, &output, begin, end, 1, NULL, 0);
    store(e, constant_f32(e, 0), address(e, row, mul(e, output.index, four)), 4);
    loop_end(e, &output, NULL);
    loop_end(e, &slot, NULL);
}

void grouped_clear_rest(struct emitter *e, const struct grouped_work *work,
                        const struct grouped_pointers *pointers, value begin, value end)
{
    value zero = constant_i64(e, 0), experts = constant_i64(e, work->experts);
    clear_slots(e, work, pointers, zero, load_offset(e, pointers, zero), begin, end);
    clear_slots(e, work, pointers, load_offset(e, pointers, experts), pointers->slot_count, begin,
                end);
}
