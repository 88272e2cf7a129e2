/* Evolution: two of the best measured points are crossed, value by value, some values are changed,
 * and the child is measured; the weakest are forgotten. */
#include "base/random.h"
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

#include <math.h>

enum {
    POPULATION_MAX = 12,
    TRIALS = 60, /* children that are illegal or known, before one comes by chance */
};

struct evolution {
    struct trail trail;
    int32_t *child;
    int *population;
    uint64_t drawn;
};

static void *create(const struct hone_field *field)
{
    struct evolution *own = trail_allocate(field, 1, sizeof *own);
    if (!own) return NULL;
    trail_start(&own->trail, field);
    own->child = trail_allocate(field, (size_t)field->dimension_count, sizeof *own->child);
    own->population = trail_allocate(field, POPULATION_MAX, sizeof *own->population);
    return own->child && own->population ? own : NULL;
}

static uint64_t draw(struct evolution *own, uint64_t limit)
{
    enum { STREAM = 71 };
    return random_bits(own->trail.field->seed, STREAM, own->drawn++) % limit;
}

/* The better of two by chance. */
static const struct trail_item *choose_parent(struct evolution *own, int count)
{
    int a = (int)draw(own, (uint64_t)count), b = (int)draw(own, (uint64_t)count);
    return &own->trail.items[own->population[a < b ? a : b]];
}

/* One value in as many as there are dimensions changes, mostly by a step. */
static void mutate(struct evolution *own)
{
    const struct hone_field *field = own->trail.field;
    uint64_t dimensions = (uint64_t)field->dimension_count;
    for (int d = 0; d < field->dimension_count; d++) {
        int32_t count = field->dimensions[d].value_count;
        if (own->child[d] < 0 || count < 2 || draw(own, dimensions) > 0) continue;
        int32_t step = draw(own, 2) ? 1 : -1, moved = own->child[d] + step;
        bool jump = draw(own, 3) == 0 || moved < 0 || moved >= count;
        own->child[d] = jump ? (int32_t)draw(own, (uint64_t)count) : moved;
    }
}

static bool breed(struct evolution *own, uint64_t *point)
{
    const struct hone_field *field = own->trail.field;
    int count = trail_order(&own->trail, own->population, POPULATION_MAX);
    if (count < 2) return false;
    for (int trial = 0; trial < TRIALS; trial++) {
        const struct trail_item *one = choose_parent(own, count),
                                *other = choose_parent(own, count);
        for (int d = 0; d < field->dimension_count; d++)
            own->child[d] = (draw(own, 2) ? one : other)->indices[d];
        mutate(own);
        if (field->find(field->host, own->child, point) && !trail_knows(&own->trail, *point))
            return true;
    }
    return false;
}

/* The first third is the first generation. */
static int ask(void *state, uint64_t *point)
{
    struct evolution *own = state;
    uint64_t budget = own->trail.field->budget, founders = budget / 3;
    if (founders > POPULATION_MAX) founders = POPULATION_MAX;
    bool found = (uint64_t)own->trail.count < founders;
    if (found && own->trail.count % 2 == 0 && trail_ranked(&own->trail, point)) return 1;
    if (!found && breed(own, point)) return 1;
    return trail_random(&own->trail, point);
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    struct evolution *own = state;
    (void)trail_add(&own->trail, point, outcome);
}

const struct hone_strategy search_evolution = {
    .abi = HONE_STRATEGY_ABI,
    .name = "evolution",
    .about = "children of the best, crossed and changed",
    .create = create,
    .ask = ask,
    .tell = tell,
};
