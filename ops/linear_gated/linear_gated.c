/* linear_gated: y[r][n] = act(x[r] . gate[n]) * (x[r] . up[n]). */
#include "ops/linear_gated/linear_gated.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "gate"}, {.name = "up"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [LINEAR_GATED_ACTIVATION] = ACTIVATION_ATTRIBUTE,
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_linear_gated, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, LINEAR_GATED_X));
    TRY(infer_matrix(&inference, LINEAR_GATED_GATE, LINEAR_GATED_X));
    TRY(infer_matrix(&inference, LINEAR_GATED_UP, LINEAR_GATED_X));
    TRY(infer_equal(&inference, LINEAR_GATED_UP, 0, LINEAR_GATED_GATE, 0));
    infer_output(&inference, 0, ELEMENT_F32, types[LINEAR_GATED_X]->shape[0],
                 types[LINEAR_GATED_GATE]->shape[0]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    double columns = (double)fixed_dimension(problem, LINEAR_GATED_X, 1);
    return cost_pointwise(problem, 4 * columns + ACTIVATION_OPERATIONS);
}

const struct op op_linear_gated = {
    .name = "linear_gated",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = linear_gated_items,
    .reference = linear_gated_reference,
};
