/* linear: y = x weight^T + bias + residual. */
#ifndef OPS_LINEAR_LINEAR_H
#define OPS_LINEAR_LINEAR_H

#include "ir/problem.h"

enum linear_input { LINEAR_X, LINEAR_WEIGHT, LINEAR_BIAS, LINEAR_RESIDUAL };
enum { LINEAR_Y = 4 };

extern const struct op op_linear;

void linear_reference(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end);
int64_t linear_items(const struct problem *problem, const struct run *run);

#endif
