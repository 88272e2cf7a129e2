/* grouped_linear: y[s][m] = x[row(s)] . weight[e][m] for slot s of expert e; 0 for slots without an
 * expert. */
#include "ops/grouped_linear/grouped_linear.h"

#include "ops/access.h"

static const struct input_rule inputs[] = {
    {.name = "x"}, {.name = "order"}, {.name = "offsets"}, {.name = "weight"}, {0},
};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [GROUPED_LINEAR_ROWS] = GROUPED_ROWS_ATTRIBUTE,
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_grouped_linear, types, results, diagnostic};
    enum grouped_rows rows = (enum grouped_rows)values[GROUPED_LINEAR_ROWS].integer;
    TRY(infer_begin(&inference));
    TRY(infer_grouped(&inference, rows, GROUPED_LINEAR_WEIGHT));
    infer_output(&inference, 0, ELEMENT_F32, types[GROUPED_ORDER]->shape[0],
                 types[GROUPED_LINEAR_WEIGHT]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    struct cost cost =
        cost_pointwise(problem, 2.0 * (double)fixed_dimension(problem, GROUPED_X, 1));
    cost.bytes = grouped_bytes(problem, GROUPED_LINEAR_WEIGHT, 1);
    return cost;
}

static int64_t experts(const struct problem *problem)
{
    return fixed_dimension(problem, GROUPED_LINEAR_WEIGHT, 0);
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    return grouped_fill(problem, run, GROUPED_LINEAR_WEIGHT, operand, seed, bytes);
}

const struct op op_grouped_linear = {
    .name = "grouped_linear",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = grouped_linear_items,
    .reference = grouped_linear_reference,
    .experts = experts,
    .fill = fill,
};
