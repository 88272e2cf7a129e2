/* rmsnorm: y[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * (weight + offset). */
#include "ops/rmsnorm/rmsnorm.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "weight"}, {0}};
static const char *const outputs[] = {"y", NULL};
static const struct attribute_rule attributes[] = {RMSNORM_ATTRIBUTES, {0}};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_rmsnorm, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, RMSNORM_X));
    TRY(infer_vector(&inference, RMSNORM_WEIGHT, RMSNORM_X, 1));
    infer_output(&inference, 0, ELEMENT_F32, types[RMSNORM_X]->shape[0],
                 types[RMSNORM_X]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 4);
}

const struct op op_rmsnorm = {
    .name = "rmsnorm",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = rmsnorm_reference,
};
