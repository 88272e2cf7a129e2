/* Random: distinct points, uniformly from all variants together.  The yardstick for cleverer
 * strategies. */
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

static void *create(const struct hone_field *field)
{
    struct trail *trail = trail_allocate(field, 1, sizeof *trail);
    if (trail) trail_start(trail, field);
    return trail;
}

static int ask(void *state, uint64_t *point)
{
    return trail_random(state, point);
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    (void)trail_add(state, point, outcome);
}

const struct hone_strategy search_random = {
    .abi = HONE_STRATEGY_ABI,
    .name = "random",
    .about = "distinct configs at random",
    .create = create,
    .ask = ask,
    .tell = tell,
};
