/* grouped_gated: y[s][m] = act(x[row(s)] . gate[e][m]) * (x[row(s)] . up[e][m]) for slot s of
 * expert e; 0 for slots without an expert. */
#include "ops/grouped_gated/grouped_gated.h"

#include "ops/access.h"
#include "ops/activation.h"

static const struct input_rule inputs[] = {
    {.name = "x"}, {.name = "order"}, {.name = "offsets"}, {.name = "gate"}, {.name = "up"}, {0},
};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [GROUPED_GATED_ACTIVATION] = ACTIVATION_ATTRIBUTE,
    [GROUPED_GATED_ROWS] = GROUPED_ROWS_ATTRIBUTE,
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_grouped_gated, types, results, diagnostic};
    enum grouped_rows rows = (enum grouped_rows)values[GROUPED_GATED_ROWS].integer;
    TRY(infer_begin(&inference));
    TRY(infer_grouped(&inference, rows, GROUPED_GATED_GATE));
    TRY(infer_operand(&inference, GROUPED_GATED_UP, 3, CLASS_WEIGHT));
    for (int d = 0; d < 3; d++)
        TRY(infer_equal(&inference, GROUPED_GATED_UP, d, GROUPED_GATED_GATE, d));
    infer_output(&inference, 0, ELEMENT_F32, types[GROUPED_ORDER]->shape[0],
                 types[GROUPED_GATED_GATE]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    double columns = (double)fixed_dimension(problem, GROUPED_X, 1);
    struct cost cost = cost_pointwise(problem, 4 * columns + ACTIVATION_OPERATIONS);
    cost.bytes = grouped_bytes(problem, GROUPED_GATED_GATE, 2);
    return cost;
}

static int64_t experts(const struct problem *problem)
{
    return fixed_dimension(problem, GROUPED_GATED_GATE, 0);
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    return grouped_fill(problem, run, GROUPED_GATED_GATE, operand, seed, bytes);
}

const struct op op_grouped_gated = {
    .name = "grouped_gated",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = grouped_gated_items,
    .reference = grouped_gated_reference,
    .experts = experts,
    .fill = fill,
};
