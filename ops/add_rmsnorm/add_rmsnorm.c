/* add_rmsnorm: sum = x + y; norm = rmsnorm(sum, weight). */
#include "ops/add_rmsnorm/add_rmsnorm.h"

#include "ops/access.h"
#include "ops/infer.h"
#include "ops/rmsnorm/rmsnorm.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "y"}, {.name = "weight"}, {0}};
static const char *const outputs[] = {"sum", "norm", NULL};
static const struct attribute_rule attributes[] = {RMSNORM_ATTRIBUTES, {0}};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_add_rmsnorm, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, ADD_RMSNORM_X));
    TRY(infer_rows_like(&inference, ADD_RMSNORM_Y, ADD_RMSNORM_X));
    TRY(infer_equal(&inference, ADD_RMSNORM_Y, 1, ADD_RMSNORM_X, 1));
    TRY(infer_vector(&inference, ADD_RMSNORM_WEIGHT, ADD_RMSNORM_X, 1));
    const struct tensor_type *x = types[ADD_RMSNORM_X];
    infer_output(&inference, 0, ELEMENT_F32, x->shape[0], x->shape[1]);
    infer_output(&inference, 1, ELEMENT_F32, x->shape[0], x->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 5);
}

const struct op op_add_rmsnorm = {
    .name = "add_rmsnorm",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = add_rmsnorm_reference,
};
