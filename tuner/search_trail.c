/* A set of points with their times, on memory of the field. */
#include "tuner/search_trail.h"

#include "base/checked.h"
#include "tuner/search.h"

#include <math.h>
#include <string.h>

enum { ITEMS_FIRST = 64 };

void trail_start(struct trail *trail, const struct hone_field *field)
{
    *trail = (struct trail){.field = field, .best = -1};
}

void *trail_allocate(const struct hone_field *field, size_t count, size_t item_bytes)
{
    uint64_t bytes;
    if (!checked_multiply(count ? count : 1, item_bytes, &bytes)) return NULL;
    return field->allocate(field->host, (size_t)bytes);
}

static int slot_of(const struct trail *trail, uint64_t point)
{
    uint64_t mask = (uint64_t)trail->slot_count - 1, at = point * 0x9e3779b97f4a7c15u >> 20 & mask;
    while (trail->slots[at] && trail->items[trail->slots[at] - 1].point != point)
        at = (at + 1) & mask;
    return (int)at;
}

bool trail_knows(const struct trail *trail, uint64_t point)
{
    return trail->slot_count && trail->slots[slot_of(trail, point)];
}

static bool grow(struct trail *trail)
{
    if (trail->count < trail->capacity) return true;
    int capacity = trail->capacity ? 2 * trail->capacity : ITEMS_FIRST;
    struct trail_item *items = trail_allocate(trail->field, (size_t)capacity, sizeof *items);
    int *slots = trail_allocate(trail->field, 2 * (size_t)capacity, sizeof *slots);
    if (!items || !slots) return false;
    if (trail->count) memcpy(items, trail->items, (size_t)trail->count * sizeof *items);
    trail->items = items;
    trail->capacity = capacity;
    trail->slots = slots;
    trail->slot_count = 2 * capacity;
    for (int i = 0; i < trail->count; i++) slots[slot_of(trail, items[i].point)] = i + 1;
    return true;
}

bool trail_add(struct trail *trail, uint64_t point, const struct hone_outcome *outcome)
{
    const struct hone_field *field = trail->field;
    if (trail_knows(trail, point)) return true;
    int32_t *indices = trail_allocate(field, (size_t)field->dimension_count, sizeof *indices);
    if (!indices || !grow(trail) || !field->describe(field->host, point, indices)) return false;
    double seconds = outcome->good && outcome->seconds > 0 ? outcome->seconds : INFINITY;
    trail->slots[slot_of(trail, point)] = trail->count + 1;
    trail->items[trail->count] =
        (struct trail_item){.point = point, .seconds = seconds, .indices = indices};
    if (isfinite(seconds) && (trail->best < 0 || seconds < trail->items[trail->best].seconds))
        trail->best = trail->count;
    trail->count++;
    return true;
}

static bool next_of(const struct trail *trail, const uint64_t *points, uint64_t count,
                    uint64_t *next, uint64_t *point)
{
    while (*next < count) {
        *point = points[(*next)++];
        if (!trail_knows(trail, *point)) return true;
    }
    return false;
}

bool trail_ranked(struct trail *trail, uint64_t *point)
{
    return next_of(trail, trail->field->ranked, trail->field->ranked_count, &trail->ranked_next,
                   point);
}

bool trail_transferred(struct trail *trail, uint64_t *point)
{
    return next_of(trail, trail->field->transferred, trail->field->transferred_count,
                   &trail->transferred_next, point);
}

/* Twice round: the second time takes the discouraged ones as well. */
bool trail_random(struct trail *trail, uint64_t *point)
{
    const struct hone_field *field = trail->field;
    uint64_t count = field->point_count, rounds = field->discouraged ? 2 : 1;
    while (trail->random_next / count < rounds) {
        bool discouraged_too = trail->random_next >= count;
        *point = search_permute(trail->random_next++ % count, count, field->seed);
        if (trail_knows(trail, *point)) continue;
        if (!discouraged_too && field->discouraged && field->discouraged(field->host, *point))
            continue;
        return true;
    }
    return false;
}

bool trail_step(const struct trail *trail, const int32_t *indices, int dimension, int direction,
                uint64_t *point)
{
    enum { DIMENSIONS_MOST = 256 };
    const struct hone_field *field = trail->field;
    int32_t moved[DIMENSIONS_MOST];
    if (field->dimension_count > DIMENSIONS_MOST || indices[dimension] < 0) return false;
    memcpy(moved, indices, (size_t)field->dimension_count * sizeof *moved);
    for (;;) {
        moved[dimension] += direction;
        if (moved[dimension] < 0 || moved[dimension] >= field->dimensions[dimension].value_count)
            return false;
        if (field->find(field->host, moved, point)) return true;
    }
}

/* Insertion: `most` is small, or the trail is. */
int trail_order(const struct trail *trail, int *order, int most)
{
    int count = 0;
    for (int i = 0; i < trail->count; i++) {
        double seconds = trail->items[i].seconds;
        if (!isfinite(seconds)) continue;
        if (count == most && seconds >= trail->items[order[count - 1]].seconds) continue;
        int at = count < most ? count++ : count - 1;
        for (; at > 0 && trail->items[order[at - 1]].seconds > seconds; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return count;
}
