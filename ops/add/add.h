/* add: the sum of two activations. */
#ifndef OPS_ADD_ADD_H
#define OPS_ADD_ADD_H

#include "ir/problem.h"

enum add_input { ADD_X, ADD_Y };
enum { ADD_SUM = 2 };

extern const struct op op_add;

void add_reference(const struct problem *problem, const struct run *run, void *const *operands,
                   int64_t begin, int64_t end);

#endif
