/* grouped_bias: each slot's row plus the bias of its expert. */
#ifndef OPS_GROUPED_BIAS_GROUPED_BIAS_H
#define OPS_GROUPED_BIAS_GROUPED_BIAS_H

#include "ir/problem.h"

enum grouped_bias_input { GROUPED_BIAS_X, GROUPED_BIAS_OFFSETS, GROUPED_BIAS_BIAS };
enum { GROUPED_BIAS_Y = 3 };

extern const struct op op_grouped_bias;

void grouped_bias_reference(const struct problem *problem, const struct run *run,
                            void *const *operands, int64_t begin, int64_t end);

#endif
