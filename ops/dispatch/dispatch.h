/* dispatch: assignments of tokens to experts, sorted by expert. */
#ifndef OPS_DISPATCH_DISPATCH_H
#define OPS_DISPATCH_DISPATCH_H

#include "ir/problem.h"

enum dispatch_input { DISPATCH_EXPERTS };
enum { DISPATCH_ORDER = 1, DISPATCH_OFFSETS = 2, DISPATCH_PLACES = 3 };
enum dispatch_attribute { DISPATCH_EXPERT_COUNT, DISPATCH_FIRST, DISPATCH_OWN };

extern const struct op op_dispatch;

/* Experts whose offsets are wanted: `own` of the attributes, where 0 stands for all. */
int64_t dispatch_own(const union attribute *values);

void dispatch_reference(const struct problem *problem, const struct run *run, void *const *operands,
                        int64_t begin, int64_t end);

#endif
