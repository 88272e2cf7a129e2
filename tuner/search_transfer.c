/* Transfer: what was best for near problems and devices, in that order, then the best estimates,
 * then chance.  It shows what an order brings by itself; climb and guided begin with it too. */
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
    return trail_transferred(state, point) || trail_ranked(state, point) ||
           trail_random(state, point);
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    (void)trail_add(state, point, outcome);
}

const struct hone_strategy search_transfer = {
    .abi = HONE_STRATEGY_ABI,
    .name = "transfer",
    .about = "the best of near problems and devices, then the best estimates",
    .create = create,
    .ask = ask,
    .tell = tell,
};
