/* All configs of a small space are tested, of a large one as many, evenly drawn. */
#include "engine/explain_rules.h"

#include "tuner/search.h"

/* A test takes some microseconds; of a part of one per cent a sample of this size sees about ten. */
enum { TESTED_MOST = 1024 };

/* The number-th combination of values, legal or not. */
static void combine(const struct space *space, uint64_t number, struct config *config)
{
    for (int t = 0; t < space->tunable_count; t++) {
        uint64_t count = (uint64_t)space->tunables[t].value_count;
        config->values[t] = space->tunables[t].values[number % count];
        number /= count;
    }
}

status explain_rules(const struct bound_space *bound, struct arena *arena,
                     struct explained_rules **rules, struct diagnostic *diagnostic)
{
    const struct space *space = bound->space;
    uint64_t all = space_raw_count(space), tested = all < TESTED_MOST ? all : TESTED_MOST;
    TRY_NEW(*rules, arena, 1, diagnostic);
    (*rules)->exact = tested == all;
    for (uint64_t i = 0; i < tested; i++) {
        struct config config = {0};
        combine(space, (*rules)->exact ? i : search_permute(i, all, 0), &config);
        const struct rule *broken = space_check(bound, &config);
        if (broken) (*rules)->excluded[broken - space->rules] += (double)all / (double)tested;
    }
    return STATUS_OK;
}
