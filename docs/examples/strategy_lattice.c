/* A search strategy of one's own (hone/strategy.h): a coarse lattice over all tunables first, then the cells round the best.
 *
 *     cc -shared -fPIC -o strategy_lattice.so strategy_lattice.c
 *     hone lab compare --space FILE --strategies ./strategy_lattice.so,guided,random */
#include "hone/strategy.h"

struct lattice {
    const struct hone_field *field;
    uint64_t stride, next;
    uint64_t best;
    double best_seconds;
    int32_t *indices;
    int dimension, direction;
};

static void *create(const struct hone_field *field)
{
    struct lattice *own = field->allocate(field->host, sizeof *own);
    if (!own) return NULL;
    own->field = field;
    own->stride = 1 + 2 * field->point_count / (field->budget + 1);
    own->indices =
        field->allocate(field->host, (size_t)field->dimension_count * sizeof *own->indices);
    own->direction = 1;
    return own->indices ? own : NULL;
}

/* The nearest legal value along one dimension of the best point. */
static int step(struct lattice *own, uint64_t *point)
{
    const struct hone_field *field = own->field;
    int32_t *value = &own->indices[own->dimension];
    if (!field->describe(field->host, own->best, own->indices) || *value < 0) return 0;
    for (*value += own->direction;
         *value >= 0 && *value < field->dimensions[own->dimension].value_count;
         *value += own->direction)
        if (field->find(field->host, own->indices, point)) return 1;
    return 0;
}

static int ask(void *state, uint64_t *point)
{
    struct lattice *own = state;
    if (own->next < own->field->point_count) {
        *point = own->next;
        own->next += own->stride;
        return 1;
    }
    while (own->dimension < own->field->dimension_count) {
        int found = step(own, point);
        own->direction = -own->direction;
        if (own->direction > 0) own->dimension++; /* both ways were tried */
        if (found) return 1;
    }
    return 0;
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    struct lattice *own = state;
    if (!outcome->good || (own->best_seconds > 0 && outcome->seconds >= own->best_seconds)) return;
    own->best = point;
    own->best_seconds = outcome->seconds;
    own->dimension = 0;
    own->direction = 1;
}

static const struct hone_strategy strategy = {
    .abi = HONE_STRATEGY_ABI,
    .name = "lattice",
    .about = "every so many points, then the neighbours of the best",
    .create = create,
    .ask = ask,
    .tell = tell,
};

const struct hone_strategy *hone_strategy(void)
{
    return &strategy;
}
