/* head_linear: y[r][h] = x[r][h] weight[h]^T, or x[r] weight[h]^T where x has no heads. */
#include "ops/head_linear/head_linear.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "weight"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [HEAD_LINEAR_SHARED] = {.name = "shared", .kind = ATTRIBUTE_INTEGER, .least = 0, .most = 1},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_head_linear, types, results, diagnostic};
    struct dimension columns;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, HEAD_LINEAR_X));
    TRY(infer_operand(&inference, HEAD_LINEAR_WEIGHT, 3, CLASS_WEIGHT));
    for (int d = 0; d < 3; d++) TRY(infer_fixed(&inference, HEAD_LINEAR_WEIGHT, d));
    const struct dimension *shape = types[HEAD_LINEAR_WEIGHT]->shape;
    int64_t heads = values[HEAD_LINEAR_SHARED].integer ? 1 : shape[0].scale;
    TRY(infer_size(&inference, HEAD_LINEAR_X, 1, heads * shape[2].scale,
                   "the columns of the weights together"));
    if (!infer_multiply(shape[0], shape[1].scale, &columns))
        return fail(diagnostic, STATUS_BAD_INPUT, "the result is too wide");
    infer_output(&inference, 0, ELEMENT_F32, types[HEAD_LINEAR_X]->shape[0], columns);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 2.0 * (double)fixed_dimension(problem, HEAD_LINEAR_WEIGHT, 2));
}

const struct op op_head_linear = {
    .name = "head_linear",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = head_linear_items,
    .reference = head_linear_reference,
};
