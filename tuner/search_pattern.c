/* Pattern search after Hooke and Jeeves: steps of a certain length up and down in each tunable;
 * where a round of them led to a better point, the whole way is gone once more; where none did, the
 * steps are halved, and below one it starts again elsewhere. */
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

#include <math.h>
#include <string.h>

struct pattern {
    struct trail trail;
    int32_t *base, *current, *trial; /* of the last round; so far in this one; the question */
    double base_seconds, current_seconds;
    int step, probe; /* probe: of 2 * dimensions in this round; -1: the way once more */
    bool started;
    uint64_t pending;
};

static void *create(const struct hone_field *field)
{
    struct pattern *own = trail_allocate(field, 1, sizeof *own);
    if (!own) return NULL;
    size_t count = (size_t)field->dimension_count;
    trail_start(&own->trail, field);
    own->base = trail_allocate(field, count, sizeof *own->base);
    own->current = trail_allocate(field, count, sizeof *own->current);
    own->trial = trail_allocate(field, count, sizeof *own->trial);
    own->pending = UINT64_MAX;
    return own->base && own->current && own->trial ? own : NULL;
}

static size_t index_bytes(const struct pattern *own)
{
    return (size_t)own->trail.field->dimension_count * sizeof *own->base;
}

/* The longest step is a quarter of the widest dimension. */
static int first_step(const struct hone_field *field)
{
    int widest = 1;
    for (int d = 0; d < field->dimension_count; d++)
        if (field->dimensions[d].value_count > widest) widest = field->dimensions[d].value_count;
    int step = 1;
    while (step * 8 <= widest) step *= 2;
    return step;
}

static void start_at(struct pattern *own, const int32_t *indices, double seconds)
{
    memcpy(own->base, indices, index_bytes(own));
    memcpy(own->current, indices, index_bytes(own));
    own->base_seconds = own->current_seconds = seconds;
    own->step = first_step(own->trail.field);
    own->probe = 0;
    own->started = true;
}

static int32_t clamp(int32_t index, int32_t count)
{
    return index < 0 ? 0 : index >= count ? count - 1 : index;
}

/* Where a probe leads; false when it is no new legal point. */
static bool try_probe(struct pattern *own, uint64_t *point)
{
    const struct hone_field *field = own->trail.field;
    int d = own->probe / 2, direction = own->probe % 2 ? -1 : 1;
    memcpy(own->trial, own->current, index_bytes(own));
    if (own->trial[d] < 0) return false;
    own->trial[d] = clamp(own->trial[d] + direction * own->step, field->dimensions[d].value_count);
    if (own->trial[d] == own->current[d]) return false;
    if (!field->find(field->host, own->trial, point) &&
        !trail_step(&own->trail, own->current, d, direction, point))
        return false;
    return !trail_knows(&own->trail, *point);
}

static bool try_pattern_move(struct pattern *own, uint64_t *point)
{
    const struct hone_field *field = own->trail.field;
    for (int d = 0; d < field->dimension_count; d++)
        own->trial[d] = own->current[d] < 0 ? -1
                                            : clamp(2 * own->current[d] - own->base[d],
                                                    field->dimensions[d].value_count);
    memcpy(own->base, own->current, index_bytes(own));
    own->base_seconds = own->current_seconds;
    return field->find(field->host, own->trial, point) && !trail_knows(&own->trail, *point);
}

/* Goes on until there is a question; false when the steps have become too short. */
static bool next_question(struct pattern *own, uint64_t *point)
{
    while (own->step > 0) {
        for (; own->probe < 2 * own->trail.field->dimension_count; own->probe++)
            if (try_probe(own, point)) {
                own->probe++;
                return true;
            }
        own->probe = 0;
        if (own->current_seconds < own->base_seconds) {
            if (try_pattern_move(own, point)) return true;
        } else {
            own->step /= 2;
        }
    }
    return false;
}

static int ask(void *state, uint64_t *point)
{
    struct pattern *own = state;
    if (!own->started && own->trail.best >= 0 && own->pending == UINT64_MAX) {
        const struct trail_item *best = &own->trail.items[own->trail.best];
        start_at(own, best->indices, best->seconds);
    }
    if (own->started && next_question(own, point)) {
        own->pending = *point;
        return 1;
    }
    own->started = false;
    if (!trail_ranked(&own->trail, point) && !trail_random(&own->trail, point)) return 0;
    own->pending = *point;
    return 1;
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    struct pattern *own = state;
    int before = own->trail.count;
    if (!trail_add(&own->trail, point, outcome) || own->trail.count == before) return;
    const struct trail_item *item = &own->trail.items[before];
    if (point != own->pending || !isfinite(item->seconds)) return;
    if (!own->started) {
        start_at(own, item->indices, item->seconds);
    } else if (item->seconds < own->current_seconds) {
        memcpy(own->current, item->indices, index_bytes(own));
        own->current_seconds = item->seconds;
    }
}

const struct hone_strategy search_pattern = {
    .abi = HONE_STRATEGY_ABI,
    .name = "pattern",
    .about = "steps in every tunable that grow shorter, good ways gone twice",
    .create = create,
    .ask = ask,
    .tell = tell,
};
