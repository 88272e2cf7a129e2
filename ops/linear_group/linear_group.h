/* linear_group: two or three linears on one input. */
#ifndef OPS_LINEAR_GROUP_LINEAR_GROUP_H
#define OPS_LINEAR_GROUP_LINEAR_GROUP_H

#include "ir/problem.h"

/* Weight i is input LINEAR_GROUP_A + i, its bias input LINEAR_GROUP_A_BIAS + i, its output operand
 * LINEAR_GROUP_Y + i. */
enum linear_group_input {
    LINEAR_GROUP_X,
    LINEAR_GROUP_A,
    LINEAR_GROUP_B,
    LINEAR_GROUP_C,
    LINEAR_GROUP_A_BIAS,
    LINEAR_GROUP_B_BIAS,
    LINEAR_GROUP_C_BIAS
};
enum { LINEAR_GROUP_Y = 7, LINEAR_GROUP_WEIGHTS = 3 };

extern const struct op op_linear_group;

void linear_group_reference(const struct problem *problem, const struct run *run,
                            void *const *operands, int64_t begin, int64_t end);
int64_t linear_group_items(const struct problem *problem, const struct run *run);

#endif
