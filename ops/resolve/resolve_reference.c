/* The reference of resolve: nothing is in any slot. */
#include "ops/access.h"
#include "ops/resolve/resolve.h"

void resolve_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end)
{
    int64_t used = fixed_dimension(problem, RESOLVE_EXPERTS, 1);
    int64_t experts = problem->attributes[RESOLVE_EXPERT_COUNT].integer;
    int64_t slots = problem->attributes[RESOLVE_SLOTS].integer;
    const int32_t *ids = operands[RESOLVE_EXPERTS];
    int32_t *places = operands[RESOLVE_PLACES];
    (void)run;
    for (int64_t i = begin * used; i < end * used; i++) {
        bool known = ids[i] >= 0 && ids[i] < experts;
        places[i] = (int32_t)(slots + (known ? ids[i] : experts));
    }
}
