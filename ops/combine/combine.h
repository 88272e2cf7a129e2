/* combine: the experts' results of each token, weighted and added. */
#ifndef OPS_COMBINE_COMBINE_H
#define OPS_COMBINE_COMBINE_H

#include "ir/problem.h"

enum combine_input { COMBINE_WEIGHTS, COMBINE_Y, COMBINE_PLACES };
enum { COMBINE_OUT = 3 };

extern const struct op op_combine;

void combine_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end);

#endif
