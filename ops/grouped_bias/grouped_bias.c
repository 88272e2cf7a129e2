/* grouped_bias: y[s] = x[s] + bias[e] for slot s of expert e; slots without an expert stay. */
#include "ops/grouped_bias/grouped_bias.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {
    {.name = "x"}, {.name = "offsets"}, {.name = "bias"}, {0}};
static const char *const outputs[] = {"y", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_grouped_bias, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, GROUPED_BIAS_X));
    TRY(infer_operand(&inference, GROUPED_BIAS_OFFSETS, 1, CLASS_I32));
    TRY(infer_operand(&inference, GROUPED_BIAS_BIAS, 2, CLASS_F32));
    TRY(infer_fixed(&inference, GROUPED_BIAS_BIAS, 0));
    TRY(infer_equal(&inference, GROUPED_BIAS_BIAS, 1, GROUPED_BIAS_X, 1));
    TRY(infer_size(&inference, GROUPED_BIAS_OFFSETS, 0,
                   types[GROUPED_BIAS_BIAS]->shape[0].scale + 1, "experts + 1"));
    infer_output(&inference, 0, ELEMENT_F32, types[GROUPED_BIAS_X]->shape[0],
                 types[GROUPED_BIAS_X]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 1);
}

static int64_t experts(const struct problem *problem)
{
    return fixed_dimension(problem, GROUPED_BIAS_BIAS, 0);
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    struct assignments assignments = {
        .seed = seed,
        .rows = run_dimension(problem, run, GROUPED_BIAS_X, 0),
        .used = 1,
        .experts = experts(problem),
        .routing = &problem->routing,
    };
    if (operand != GROUPED_BIAS_OFFSETS) return false;
    fill_dispatch(&assignments, NULL, bytes, NULL);
    return true;
}

const struct op op_grouped_bias = {
    .name = "grouped_bias",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = grouped_bias_reference,
    .experts = experts,
    .fill = fill,
};
