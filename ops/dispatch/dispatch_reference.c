/* The reference of dispatch. */
#include "ops/access.h"
#include "ops/dispatch/dispatch.h"
#include "ops/filling.h"

/* Ids that are no expert count as the one after the last. */
static int64_t bin_of(int64_t id, int64_t experts)
{
    return id >= 0 && id < experts ? id : experts;
}

void dispatch_reference(const struct problem *problem, const struct run *run, void *const *operands,
                        int64_t begin, int64_t end)
{
    if (begin >= end) return;
    int64_t experts = problem->attributes[DISPATCH_EXPERT_COUNT].integer;
    int64_t count = run_dimension(problem, run, DISPATCH_ORDER, 0);
    int64_t first = problem->attributes[DISPATCH_FIRST].integer;
    int64_t own = dispatch_own(problem->attributes);
    const int32_t *ids = operands[DISPATCH_EXPERTS];
    int32_t *order = operands[DISPATCH_ORDER], *offsets = operands[DISPATCH_OFFSETS];
    int32_t *places = operands[DISPATCH_PLACES];
    int32_t next[EXPERTS_MOST + 2] = {0};
    for (int64_t a = 0; a < count; a++) next[bin_of(ids[a], experts) + 1]++;
    for (int64_t e = 0; e <= experts; e++) next[e + 1] += next[e];
    for (int64_t e = 0; e <= own; e++) offsets[e] = next[first + e];
    for (int64_t a = 0; a < count; a++) {
        int32_t slot = next[bin_of(ids[a], experts)]++;
        order[slot] = (int32_t)a;
        places[a] = slot;
    }
}
