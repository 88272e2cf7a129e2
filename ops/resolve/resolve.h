/* resolve: where each routed expert is computed (ops/resolve/resolve.c). */
#ifndef OPS_RESOLVE_RESOLVE_H
#define OPS_RESOLVE_RESOLVE_H

#include "ir/problem.h"

enum { RESOLVE_EXPERTS = 0, RESOLVE_PLACES = 1 };

enum resolve_attribute {
    RESOLVE_EXPERT_COUNT,
    RESOLVE_SLOTS /* that a card has for these experts */
};

extern const struct op op_resolve;

void resolve_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end);

#endif
