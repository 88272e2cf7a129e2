/* linear: y[r][n] = sum_k x[r][k] * weight[n][k] + bias[n] + residual[r][n]. */
#include "ops/linear/linear.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {
    {.name = "x"},
    {.name = "weight"},
    {.name = "bias", .optional = true},
    {.name = "residual", .optional = true},
    {0},
};
static const char *const outputs[] = {"y", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_linear, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, LINEAR_X));
    TRY(infer_matrix(&inference, LINEAR_WEIGHT, LINEAR_X));
    TRY(infer_vector(&inference, LINEAR_BIAS, LINEAR_WEIGHT, 0));
    if (types[LINEAR_RESIDUAL]) {
        TRY(infer_rows_like(&inference, LINEAR_RESIDUAL, LINEAR_X));
        TRY(infer_equal(&inference, LINEAR_RESIDUAL, 1, LINEAR_WEIGHT, 0));
    }
    infer_output(&inference, 0, ELEMENT_F32, types[LINEAR_X]->shape[0],
                 types[LINEAR_WEIGHT]->shape[0]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    double added =
        problem->operands[LINEAR_BIAS].present + problem->operands[LINEAR_RESIDUAL].present;
    return cost_pointwise(problem, 2.0 * (double)fixed_dimension(problem, LINEAR_X, 1) + added);
}

const struct op op_linear = {
    .name = "linear",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = linear_items,
    .reference = linear_reference,
};
