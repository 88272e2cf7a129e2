/* Climb: the best estimates, then moves round the best.
 *
 *   1. half of the budget: the points of near problems, then those with the best estimates
 *   2. moves: from the best ones measured, one tunable one step up or down, the best estimate first
 *   3. every sixth point is drawn at random, so that a wrong estimate cannot hide a whole region
 */
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

#include <math.h>

enum {
    RANDOM_EVERY = 6,
    MOVERS_MAX = 4,       /* the best so many are moved from */
    ESTIMATES_ONLY = 8,   /* budgets up to this are spent on estimates */
    TRANSFERRED_MOST = 6, /* of near problems */
};

struct climb {
    struct trail trail;
    int transferred;
    bool *moved; /* by item: its neighbours are known */
    int moved_capacity;
};

static void *create(const struct hone_field *field)
{
    struct climb *own = trail_allocate(field, 1, sizeof *own);
    if (own) trail_start(&own->trail, field);
    return own;
}

static double promise(const struct hone_field *field, uint64_t point)
{
    return field->estimate ? field->estimate(field->host, point) : 0;
}

/* The new neighbour with the best estimate. */
static bool find_neighbour(struct climb *own, int from, uint64_t *best)
{
    const struct hone_field *field = own->trail.field;
    double best_promise = INFINITY;
    bool found = false;
    for (int d = 0; d < field->dimension_count; d++)
        for (int direction = -1; direction <= 1; direction += 2) {
            uint64_t point;
            if (!trail_step(&own->trail, own->trail.items[from].indices, d, direction, &point) ||
                trail_knows(&own->trail, point) ||
                (field->discouraged && field->discouraged(field->host, point)))
                continue;
            double seconds = promise(field, point);
            if (found && seconds >= best_promise) continue;
            found = true;
            *best = point;
            best_promise = seconds;
        }
    return found;
}

static bool reserve_moved(struct climb *own)
{
    if (own->trail.count <= own->moved_capacity) return true;
    bool *moved = trail_allocate(own->trail.field, 2 * (size_t)own->trail.count, sizeof *moved);
    if (!moved) return false;
    for (int i = 0; i < own->moved_capacity; i++) moved[i] = own->moved[i];
    own->moved = moved;
    own->moved_capacity = 2 * own->trail.count;
    return true;
}

/* From the best that still has new neighbours, among the best few of those. */
static bool take_move(struct climb *own, uint64_t *point)
{
    if (!reserve_moved(own)) return false;
    for (int tried = 0; tried < MOVERS_MAX; tried++) {
        int best = -1;
        for (int i = 0; i < own->trail.count; i++) {
            double seconds = own->trail.items[i].seconds;
            if (own->moved[i] || !isfinite(seconds)) continue;
            if (best < 0 || seconds < own->trail.items[best].seconds) best = i;
        }
        if (best < 0) return false;
        if (find_neighbour(own, best, point)) return true;
        own->moved[best] = true;
    }
    return false;
}

static bool take_ranked(struct climb *own, uint64_t *point)
{
    if (own->transferred < TRANSFERRED_MOST && trail_transferred(&own->trail, point)) {
        own->transferred++;
        return true;
    }
    return trail_ranked(&own->trail, point);
}

static int ask(void *state, uint64_t *point)
{
    struct climb *own = state;
    uint64_t budget = own->trail.field->budget, count = (uint64_t)own->trail.count;
    bool few = budget <= ESTIMATES_ONLY, ranked = few || count * 2 < budget;
    if (!few && count % RANDOM_EVERY == RANDOM_EVERY - 1 && trail_random(&own->trail, point))
        return true;
    if (!ranked && take_move(own, point)) return true;
    return take_ranked(own, point) || take_move(own, point) || trail_random(&own->trail, point);
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    struct climb *own = state;
    (void)trail_add(&own->trail, point, outcome);
}

/* What estimates choose; moves depend on what is told. */
static int ahead(const void *state, uint64_t *points, int most)
{
    const struct climb *own = state;
    const struct hone_field *field = own->trail.field;
    uint64_t ranked = field->budget <= ESTIMATES_ONLY ? field->budget : field->budget / 2;
    int count = 0;
    if ((uint64_t)own->trail.count >= ranked) return 0;
    if ((uint64_t)most > ranked - (uint64_t)own->trail.count)
        most = (int)(ranked - (uint64_t)own->trail.count);
    for (uint64_t r = own->trail.ranked_next; r < field->ranked_count && count < most; r++)
        if (!trail_knows(&own->trail, field->ranked[r])) points[count++] = field->ranked[r];
    return count;
}

const struct hone_strategy search_climb = {
    .abi = HONE_STRATEGY_ABI,
    .name = "climb",
    .about = "the best estimates, then moves round the best",
    .create = create,
    .ask = ask,
    .ahead = ahead,
    .tell = tell,
};
