/* gate: an activation of one half times the other. */
#ifndef OPS_GATE_GATE_H
#define OPS_GATE_GATE_H

#include "ir/problem.h"
#include "ops/activation.h"

enum gate_input { GATE_GATE, GATE_UP };
enum { GATE_Y = 2 };
enum gate_attribute { GATE_ACTIVATION };

extern const struct op op_gate;

void gate_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end);

#endif
