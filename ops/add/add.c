/* add: sum[r] = x[r] + y[r]. */
#include "ops/add/add.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "y"}, {0}};
static const char *const outputs[] = {"sum", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_add, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, ADD_X));
    TRY(infer_rows_like(&inference, ADD_Y, ADD_X));
    TRY(infer_equal(&inference, ADD_Y, 1, ADD_X, 1));
    infer_output(&inference, 0, ELEMENT_F32, types[ADD_X]->shape[0], types[ADD_X]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 1);
}

const struct op op_add = {
    .name = "add",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = add_reference,
};
