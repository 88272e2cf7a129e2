/* rmsnorm: y[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * (weight + offset).  A weight that is narrower
 * than x (the norm of a head) is for each stretch of as many columns by itself. */
#include "ops/rmsnorm/rmsnorm.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "weight"}, {0}};
static const char *const outputs[] = {"y", NULL};
static const struct attribute_rule attributes[] = {RMSNORM_ATTRIBUTES, {0}};

static status check_weight(const struct inference *inference)
{
    TRY(infer_operand(inference, RMSNORM_WEIGHT, 1, CLASS_F32));
    TRY(infer_fixed(inference, RMSNORM_WEIGHT, 0));
    int64_t columns = inference->inputs[RMSNORM_X]->shape[1].scale;
    int64_t width = inference->inputs[RMSNORM_WEIGHT]->shape[0].scale;
    if (columns % width == 0) return STATUS_OK;
    return fail(
        inference->diagnostic, STATUS_BAD_INPUT,
        "x has %lld columns and weight %lld; the columns must be a multiple of the weight's",
        (long long)columns, (long long)width);
}

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_rmsnorm, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, RMSNORM_X));
    TRY(check_weight(&inference));
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
