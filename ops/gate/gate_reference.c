/* The reference of gate. */
#include "ops/access.h"
#include "ops/gate/gate.h"

/* What the attributes say beyond the plain product, which gated operators share. */
static float shaped_value(const union attribute *attributes, double gate, double up)
{
    int64_t activation = attributes[GATE_ACTIVATION].integer;
    double limit = attributes[GATE_LIMIT].real, slope = attributes[GATE_SLOPE].real;
    if (limit > 0) {
        gate = fmin(gate, limit);
        up = fmax(-limit, fmin(up, limit));
    }
    up += attributes[GATE_SHIFT].real;
    if (activation == GATE_SIGMOID) return (float)(up / (1 + exp(-gate)));
    if (activation == ACTIVATION_SILU) return (float)(silu(slope * gate) / slope * up);
    return (float)(activate((enum activation)activation, gate) * up);
}

void gate_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end)
{
    (void)run;
    const union attribute *attributes = problem->attributes;
    int64_t activation = attributes[GATE_ACTIVATION].integer;
    int64_t columns = fixed_dimension(problem, GATE_UP, 1);
    int64_t gates = fixed_dimension(problem, GATE_GATE, 1);
    const float *gate = operands[GATE_GATE], *up = operands[GATE_UP];
    float *y = operands[GATE_Y];
    bool plain = activation != GATE_SIGMOID && attributes[GATE_LIMIT].real == 0 &&
                 attributes[GATE_SLOPE].real == 1 && attributes[GATE_SHIFT].real == 0;
    for (int64_t i = begin * columns; i < end * columns; i++) {
        float own = gates == columns ? gate[i] : gate[i / columns];
        y[i] = plain ? gate_value((enum activation)activation, own, up[i])
                     : shaped_value(attributes, (double)own, (double)up[i]);
    }
}
