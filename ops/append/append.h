/* append: rows of keys or values written to their pages. */
#ifndef OPS_APPEND_APPEND_H
#define OPS_APPEND_APPEND_H

#include "ir/problem.h"

enum append_input { APPEND_X, APPEND_POSITIONS, APPEND_SEQUENCES, APPEND_PAGES, APPEND_STATE };

extern const struct op op_append;

void append_reference(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end);

#endif
