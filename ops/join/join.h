/* join: the columns of two activations, head by head. */
#ifndef OPS_JOIN_JOIN_H
#define OPS_JOIN_JOIN_H

#include "ir/problem.h"

enum join_input { JOIN_X, JOIN_TAIL };
enum { JOIN_Y = 2 };
enum join_attribute {
    JOIN_HEADS,
    JOIN_SHARED /* 1: the tail has no heads and follows each of x's */
};

extern const struct op op_join;

void join_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end);

#endif
