/* linear_gated: the first half of a gated layer. */
#ifndef OPS_LINEAR_GATED_LINEAR_GATED_H
#define OPS_LINEAR_GATED_LINEAR_GATED_H

#include "ir/problem.h"
#include "ops/activation.h"

enum linear_gated_input { LINEAR_GATED_X, LINEAR_GATED_GATE, LINEAR_GATED_UP };
enum { LINEAR_GATED_Y = 3 };
enum linear_gated_attribute { LINEAR_GATED_ACTIVATION };

extern const struct op op_linear_gated;

void linear_gated_reference(const struct problem *problem, const struct run *run,
                            void *const *operands, int64_t begin, int64_t end);
int64_t linear_gated_items(const struct problem *problem, const struct run *run);

#endif
