/* grouped_gated: the first half of a gated layer, each slot by its expert. */
#ifndef OPS_GROUPED_GATED_GROUPED_GATED_H
#define OPS_GROUPED_GATED_GROUPED_GATED_H

#include "ops/grouped.h"

/* Inputs 0 .. 2 are those of enum grouped_input. */
enum { GROUPED_GATED_GATE = 3, GROUPED_GATED_UP = 4, GROUPED_GATED_Y = 5 };
enum grouped_gated_attribute { GROUPED_GATED_ACTIVATION, GROUPED_GATED_ROWS };

extern const struct op op_grouped_gated;

void grouped_gated_reference(const struct problem *problem, const struct run *run,
                             void *const *operands, int64_t begin, int64_t end);
int64_t grouped_gated_items(const struct problem *problem, const struct run *run);

#endif
