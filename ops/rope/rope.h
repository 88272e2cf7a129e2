/* rope: rotary position embedding of the heads of one activation. */
#ifndef OPS_ROPE_ROPE_H
#define OPS_ROPE_ROPE_H

#include "ir/problem.h"
#include "ops/rotation.h"

enum rope_input { ROPE_X, ROPE_POSITIONS, ROPE_FACTORS };
enum { ROPE_Y = 3 };
enum rope_attribute { ROPE_HEADS, ROPE_ROTATION }; /* rotation.h's rows follow from ROPE_ROTATION */

extern const struct op op_rope;

void rope_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end);

#endif
