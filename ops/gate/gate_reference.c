/* The reference of gate. */
#include "ops/access.h"
#include "ops/gate/gate.h"

void gate_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end)
{
    (void)run;
    enum activation activation = (enum activation)problem->attributes[GATE_ACTIVATION].integer;
    int64_t columns = fixed_dimension(problem, GATE_GATE, 1);
    const float *gate = operands[GATE_GATE], *up = operands[GATE_UP];
    float *y = operands[GATE_Y];
    for (int64_t i = begin * columns; i < end * columns; i++)
        y[i] = gate_value(activation, gate[i], up[i]);
}
