/* grouped_linear: each slot's row times the weight of its expert. */
#ifndef OPS_GROUPED_LINEAR_GROUPED_LINEAR_H
#define OPS_GROUPED_LINEAR_GROUPED_LINEAR_H

#include "ops/grouped.h"

/* Inputs 0 .. 2 are those of enum grouped_input. */
enum { GROUPED_LINEAR_WEIGHT = 3, GROUPED_LINEAR_Y = 4 };
enum grouped_linear_attribute { GROUPED_LINEAR_ROWS };

extern const struct op op_grouped_linear;

void grouped_linear_reference(const struct problem *problem, const struct run *run,
                              void *const *operands, int64_t begin, int64_t end);
int64_t grouped_linear_items(const struct problem *problem, const struct run *run);

#endif
