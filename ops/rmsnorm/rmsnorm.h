/* rmsnorm: rows divided by their root mean square. */
#ifndef OPS_RMSNORM_RMSNORM_H
#define OPS_RMSNORM_RMSNORM_H

#include "ir/problem.h"

enum rmsnorm_input { RMSNORM_X, RMSNORM_WEIGHT };
enum { RMSNORM_Y = 2 };
enum rmsnorm_attribute { RMSNORM_EPSILON, RMSNORM_OFFSET };

/* The rows of the attribute table, shared with add_rmsnorm. */
#define RMSNORM_ATTRIBUTES                                                                         \
    [RMSNORM_EPSILON] = {.name = "epsilon",                                                        \
                         .kind = ATTRIBUTE_REAL,                                                   \
                         .otherwise = 1e-5,                                                        \
                         .least = 0,                                                               \
                         .most = 1},                                                               \
    [RMSNORM_OFFSET] = {.name = "offset", .kind = ATTRIBUTE_REAL, .otherwise = 0}

extern const struct op op_rmsnorm;

void rmsnorm_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end);

/* y = x / sqrt(mean(x^2) + epsilon) * (weight + offset), one row. */
void rmsnorm_row(const float *x, const float *weight, int64_t columns, double epsilon,
                 double offset, float *y);

#endif
