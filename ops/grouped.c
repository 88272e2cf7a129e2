/* The common part of the grouped operators. */
#include "ops/grouped.h"

#include "ops/access.h"
#include "ops/filling.h"

#include <math.h>

const char *const grouped_rows_names[] = {"by_shape", "by_token", "by_slot", NULL};

/* Rows of order per row of x, or 0 when it is no whole number. */
static int64_t row_ratio(const struct tensor_type *x, const struct tensor_type *order)
{
    if (x->shape[0].symbol != order->shape[0].symbol) return 0;
    if (order->shape[0].scale % x->shape[0].scale != 0) return 0;
    return order->shape[0].scale / x->shape[0].scale;
}

/* Whether the number of slots is seen to be a multiple of the step's rows. */
static bool counts_slots(const struct tensor_type *order)
{
    return order->shape[0].symbol != SYMBOL_NONE && order->shape[0].scale > 1;
}

static status check_rows(const struct inference *inference, enum grouped_rows rows)
{
    const struct tensor_type *x = inference->inputs[GROUPED_X];
    const struct tensor_type *order = inference->inputs[GROUPED_ORDER];
    char x_text[TYPE_TEXT_BYTES], order_text[TYPE_TEXT_BYTES];
    const char *reason = NULL;
    int64_t ratio = row_ratio(x, order);
    if (ratio == 0)
        reason = "order must have a whole number of slots for each row of x";
    else if (rows == GROUPED_BY_SLOT && ratio != 1)
        reason = "rows=by_slot needs as many rows as slots";
    else if (rows == GROUPED_BY_SHAPE && ratio == 1 && !counts_slots(order))
        reason = "the shapes do not tell tokens from slots: say {rows=by_token} or {rows=by_slot}";
    if (!reason) return STATUS_OK;
    return fail(inference->diagnostic, STATUS_BAD_INPUT, "x is %s and order %s; %s",
                type_text(x, x_text), type_text(order, order_text), reason);
}

status infer_grouped(const struct inference *inference, enum grouped_rows rows, int weight)
{
    const struct tensor_type *experts = inference->inputs[weight];
    TRY(infer_rows(inference, GROUPED_X));
    TRY(infer_operand(inference, GROUPED_ORDER, 1, CLASS_I32));
    TRY(infer_operand(inference, GROUPED_OFFSETS, 1, CLASS_I32));
    TRY(check_rows(inference, rows));
    TRY(infer_operand(inference, weight, 3, CLASS_WEIGHT));
    for (int d = 0; d < 3; d++) TRY(infer_fixed(inference, weight, d));
    TRY(infer_equal(inference, weight, 2, GROUPED_X, 1));
    if (experts->shape[0].scale > EXPERTS_MOST)
        return fail(inference->diagnostic, STATUS_BAD_INPUT,
                    "%s has %lld experts; at most %d are supported",
                    inference->op->inputs[weight].name, (long long)experts->shape[0].scale,
                    EXPERTS_MOST);
    return infer_size(inference, GROUPED_OFFSETS, 0, experts->shape[0].scale + 1, "experts + 1");
}

int64_t grouped_divisor(const struct problem *problem, enum grouped_rows rows)
{
    int64_t ratio =
        row_ratio(operand_type(problem, GROUPED_X), operand_type(problem, GROUPED_ORDER));
    return rows == GROUPED_BY_TOKEN || ratio > 1 ? ratio : 0;
}

struct grouped grouped_of(const struct problem *problem, const struct run *run, int weight,
                          enum grouped_rows rows, void *const *operands)
{
    return (struct grouped){
        .slots = run_dimension(problem, run, GROUPED_ORDER, 0),
        .experts = fixed_dimension(problem, weight, 0),
        .divisor = grouped_divisor(problem, rows),
        .columns = fixed_dimension(problem, GROUPED_X, 1),
        .x = operands[GROUPED_X],
        .order = operands[GROUPED_ORDER],
        .offsets = operands[GROUPED_OFFSETS],
    };
}

/* The last expert that starts at or before the slot: the one that has it, as empty ones start where
 * the next one does. */
static int64_t expert_of_slot(const struct grouped *grouped, int64_t slot)
{
    int64_t low = 0, high = grouped->experts;
    if (slot < grouped->offsets[0] || slot >= grouped->offsets[grouped->experts]) return -1;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (grouped->offsets[middle] <= slot)
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct slot_run grouped_run(const struct grouped *grouped, int64_t slot, int64_t end)
{
    struct slot_run run = {.first = slot, .expert = expert_of_slot(grouped, slot)};
    run.end = smaller(end, slot + DOT_ROWS);
    if (run.expert >= 0) run.end = smaller(run.end, grouped->offsets[run.expert + 1]);
    if (slot < grouped->offsets[0]) run.end = smaller(run.end, grouped->offsets[0]);
    return run;
}

int grouped_inputs(const struct grouped *grouped, const struct slot_run *run,
                   const float *rows[static DOT_ROWS])
{
    for (int64_t s = run->first; s < run->end; s++) {
        int64_t row = grouped->divisor ? grouped->order[s] / grouped->divisor : s;
        rows[s - run->first] = grouped->x + row * grouped->columns;
    }
    return (int)(run->end - run->first);
}

void grouped_clear(const struct slot_run *run, const struct tile *tile, float *y, int64_t columns)
{
    for (int64_t s = run->first; s < run->end; s++)
        for (int64_t n = tile->first_output; n < tile->end_output; n++) y[s * columns + n] = 0;
}

double grouped_bytes(const struct problem *problem, int first, int weights)
{
    double bytes = cost_operand_bytes(problem);
    double experts = (double)fixed_dimension(problem, first, 0);
    double used = fmin(experts, (double)problem_dimension(problem, GROUPED_ORDER, 0));
    if (problem->routing.distinct) used = fmin(used, problem->routing.distinct);
    for (int i = first; i < first + weights; i++)
        bytes -= (double)problem_operand_bytes(problem, i) * (1 - used / experts);
    return bytes;
}

/* Where the number of slots does not show how many belong to a token, one does: order is a
 * permutation either way. */
static struct assignments assignments_of(const struct problem *problem, const struct run *run,
                                         int weight, uint64_t seed)
{
    const struct tensor_type *x = operand_type(problem, GROUPED_X);
    const struct tensor_type *order = operand_type(problem, GROUPED_ORDER);
    int64_t used = larger(1, row_ratio(x, order));
    if (used == 1 && counts_slots(order)) used = order->shape[0].scale;
    if (used > EXPERTS_USED_MOST) used = 1;
    int64_t slots = run_dimension(problem, run, GROUPED_ORDER, 0);
    return (struct assignments){
        .seed = seed,
        .rows = slots / used,
        .used = used,
        .experts = fixed_dimension(problem, weight, 0),
        .routing = &problem->routing,
    };
}

bool grouped_fill(const struct problem *problem, const struct run *run, int weight, int operand,
                  uint64_t seed, void *bytes)
{
    struct assignments assignments = assignments_of(problem, run, weight, seed);
    if (operand != GROUPED_ORDER && operand != GROUPED_OFFSETS) return false;
    fill_dispatch(&assignments, operand == GROUPED_ORDER ? bytes : NULL,
                  operand == GROUPED_OFFSETS ? bytes : NULL, NULL);
    return true;
}
