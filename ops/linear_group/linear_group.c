/* linear_group: y_i[r][n] = x[r] . weight_i[n] + bias_i[n], for two or three weights. */
#include "ops/linear_group/linear_group.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {
    {.name = "x"},
    {.name = "a"},
    {.name = "b"},
    {.name = "c", .optional = true},
    {.name = "a_bias", .optional = true},
    {.name = "b_bias", .optional = true},
    {.name = "c_bias", .optional = true},
    {0},
};
static const char *const outputs[] = {"y_a", "y_b", "y_c", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_linear_group, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, LINEAR_GROUP_X));
    if (types[LINEAR_GROUP_C_BIAS] && !types[LINEAR_GROUP_C])
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "c_bias is given without c; leave out both or neither");
    for (int i = 0; i < LINEAR_GROUP_WEIGHTS && types[LINEAR_GROUP_A + i]; i++) {
        TRY(infer_matrix(&inference, LINEAR_GROUP_A + i, LINEAR_GROUP_X));
        TRY(infer_vector(&inference, LINEAR_GROUP_A_BIAS + i, LINEAR_GROUP_A + i, 0));
        infer_output(&inference, i, ELEMENT_F32, types[LINEAR_GROUP_X]->shape[0],
                     types[LINEAR_GROUP_A + i]->shape[0]);
    }
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    double rows = (double)problem_dimension(problem, LINEAR_GROUP_X, 0);
    double columns = (double)fixed_dimension(problem, LINEAR_GROUP_X, 1);
    struct cost cost = {.bytes = cost_operand_bytes(problem)};
    for (int i = 0; i < LINEAR_GROUP_WEIGHTS; i++) {
        if (!problem->operands[LINEAR_GROUP_A + i].present) continue;
        double each = 2 * columns + problem->operands[LINEAR_GROUP_A_BIAS + i].present;
        cost.operations += rows * (double)fixed_dimension(problem, LINEAR_GROUP_A + i, 0) * each;
    }
    return cost;
}

const struct op op_linear_group = {
    .name = "linear_group",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = linear_group_items,
    .reference = linear_group_reference,
};
