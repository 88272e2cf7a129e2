/* gate: an activation of one half times the other.  `limit` clamps both before (the gate from above
 * only), `slope` stands within silu's sigmoid, `shift` is added to the second half. */
#ifndef OPS_GATE_GATE_H
#define OPS_GATE_GATE_H

#include "ir/problem.h"
#include "ops/activation.h"

enum gate_input { GATE_GATE, GATE_UP };
enum { GATE_Y = 2 };
enum gate_attribute { GATE_ACTIVATION, GATE_LIMIT, GATE_SLOPE, GATE_SHIFT };

/* The activations of activation.h by their numbers, and one more. */
enum { GATE_SIGMOID = ACTIVATION_GELU + 1 };

extern const struct op op_gate;

void gate_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end);

#endif
