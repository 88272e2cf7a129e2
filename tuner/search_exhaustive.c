/* Exhaustive: every legal point of the field, in order. */
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

struct exhaustive {
    const struct hone_field *field;
    uint64_t next;
};

static void *create(const struct hone_field *field)
{
    struct exhaustive *own = trail_allocate(field, 1, sizeof *own);
    if (own) own->field = field;
    return own;
}

static int ask(void *state, uint64_t *point)
{
    struct exhaustive *own = state;
    if (own->next >= own->field->point_count) return 0;
    *point = own->next++;
    return 1;
}

static int ahead(const void *state, uint64_t *points, int most)
{
    const struct exhaustive *own = state;
    int count = 0;
    for (uint64_t next = own->next; next < own->field->point_count && count < most; next++)
        points[count++] = next;
    return count;
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    (void)state, (void)point, (void)outcome;
}

const struct hone_strategy search_exhaustive = {
    .abi = HONE_STRATEGY_ABI,
    .name = "exhaustive",
    .about = "every legal config in order",
    .create = create,
    .ask = ask,
    .ahead = ahead,
    .tell = tell,
};
