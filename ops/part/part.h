/* part: some columns of each head. */
#ifndef OPS_PART_PART_H
#define OPS_PART_PART_H

#include "ir/problem.h"

enum { PART_X, PART_Y };
enum part_attribute { PART_HEADS, PART_FIRST, PART_SIZE };

extern const struct op op_part;

void part_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end);

#endif
