/* select: the rows whose logits are wanted. */
#ifndef OPS_SELECT_SELECT_H
#define OPS_SELECT_SELECT_H

#include "ir/problem.h"

enum select_input { SELECT_OUTPUTS, SELECT_X };
enum { SELECT_Y = 2 };

extern const struct op op_select;

void select_reference(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end);

#endif
