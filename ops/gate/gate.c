/* gate: y[r] = act(gate[r]) * up[r]. */
#include "ops/gate/gate.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "gate"}, {.name = "up"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [GATE_ACTIVATION] = ACTIVATION_ATTRIBUTE,
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_gate, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, GATE_GATE));
    TRY(infer_rows_like(&inference, GATE_UP, GATE_GATE));
    TRY(infer_equal(&inference, GATE_UP, 1, GATE_GATE, 1));
    infer_output(&inference, 0, ELEMENT_F32, types[GATE_GATE]->shape[0],
                 types[GATE_GATE]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, ACTIVATION_OPERATIONS);
}

const struct op op_gate = {
    .name = "gate",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = gate_reference,
};
