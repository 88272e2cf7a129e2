/* gate: y[r] = act(gate[r]) * (up[r] + shift); a gate of one column is for all columns of up. */
#include "ops/gate/gate.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "gate"}, {.name = "up"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const char *const activations[] = {"silu", "gelu_tanh", "gelu", "sigmoid", NULL};

static const struct attribute_rule attributes[] = {
    [GATE_ACTIVATION] = {.name = "activation", .kind = ATTRIBUTE_CHOICE, .choices = activations},
    [GATE_LIMIT] = {.name = "limit", .kind = ATTRIBUTE_REAL, .least = 0, .most = 1e6},
    [GATE_SLOPE] =
        {.name = "slope", .kind = ATTRIBUTE_REAL, .otherwise = 1, .least = 1e-3, .most = 1e3},
    [GATE_SHIFT] = {.name = "shift", .kind = ATTRIBUTE_REAL, .least = -1e3, .most = 1e3},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_gate, types, results, diagnostic};
    bool slope = values[GATE_SLOPE].real != 1, silu = values[GATE_ACTIVATION].integer == 0;
    if (slope && !silu) return fail(diagnostic, STATUS_BAD_INPUT, "a slope is for silu only");
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, GATE_GATE));
    TRY(infer_rows_like(&inference, GATE_UP, GATE_GATE));
    if (types[GATE_GATE]->shape[1].scale != 1) {
        TRY(infer_equal(&inference, GATE_UP, 1, GATE_GATE, 1));
    }
    infer_output(&inference, 0, ELEMENT_F32, types[GATE_UP]->shape[0], types[GATE_UP]->shape[1]);
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
