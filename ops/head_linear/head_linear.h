/* head_linear: each head times a matrix of its own. */
#ifndef OPS_HEAD_LINEAR_HEAD_LINEAR_H
#define OPS_HEAD_LINEAR_HEAD_LINEAR_H

#include "ir/problem.h"

enum head_linear_input { HEAD_LINEAR_X, HEAD_LINEAR_WEIGHT };
enum { HEAD_LINEAR_Y = 2 };
enum head_linear_attribute {
    HEAD_LINEAR_SHARED /* 1: x has no heads, all weights multiply the same row */
};

extern const struct op op_head_linear;

void head_linear_reference(const struct problem *problem, const struct run *run,
                           void *const *operands, int64_t begin, int64_t end);
int64_t head_linear_items(const struct problem *problem, const struct run *run);

#endif
