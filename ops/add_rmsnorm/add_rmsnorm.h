/* add_rmsnorm: the residual sum and its norm. */
#ifndef OPS_ADD_RMSNORM_ADD_RMSNORM_H
#define OPS_ADD_RMSNORM_ADD_RMSNORM_H

#include "ir/problem.h"

enum add_rmsnorm_input { ADD_RMSNORM_X, ADD_RMSNORM_Y, ADD_RMSNORM_WEIGHT };
enum { ADD_RMSNORM_SUM = 3, ADD_RMSNORM_NORM = 4 };
enum add_rmsnorm_attribute { ADD_RMSNORM_EPSILON, ADD_RMSNORM_OFFSET };

extern const struct op op_add_rmsnorm;

void add_rmsnorm_reference(const struct problem *problem, const struct run *run,
                           void *const *operands, int64_t begin, int64_t end);

#endif
