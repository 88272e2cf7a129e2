/* Coordinate descent: from the best point known, all values of one tunable after the other, each
 * line to its end, from the best point of the line before; when no line of a round helps, it starts
 * again elsewhere: at the next best estimate, or by chance. */
#include "tuner/search.h"
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

#include <math.h>
#include <string.h>

struct descent {
    struct trail trail;
    int32_t *base;       /* the point that lines go through */
    double base_seconds; /* infinite: none yet */
    int turn;            /* lines done since the last start */
    int idle;            /* since the base last became better */
    int direction;
    int32_t *line;    /* the last point of the line */
    uint64_t pending; /* the point asked for */
    uint64_t rounds;
};

static void *create(const struct hone_field *field)
{
    struct descent *own = trail_allocate(field, 1, sizeof *own);
    if (!own) return NULL;
    trail_start(&own->trail, field);
    own->base = trail_allocate(field, (size_t)field->dimension_count, sizeof *own->base);
    own->line = trail_allocate(field, (size_t)field->dimension_count, sizeof *own->line);
    own->base_seconds = INFINITY;
    own->direction = 1;
    own->pending = UINT64_MAX;
    return own->base && own->line ? own : NULL;
}

static size_t index_bytes(const struct descent *own)
{
    return (size_t)own->trail.field->dimension_count * sizeof *own->base;
}

/* In each round the dimensions come in another order. */
static int line_dimension(const struct descent *own)
{
    uint64_t count = (uint64_t)own->trail.field->dimension_count;
    uint64_t round = (uint64_t)own->turn / count;
    return (int)search_permute((uint64_t)own->turn % count, count,
                               own->trail.field->seed ^ (own->rounds << 8) ^ round);
}

static void next_line(struct descent *own)
{
    memcpy(own->line, own->base, index_bytes(own));
    own->direction = -own->direction;
    if (own->direction > 0) return;
    own->turn++;
    own->idle++;
}

/* The next new point of the lines through the base; known ones on the way count as tried. */
static bool next_on_lines(struct descent *own, uint64_t *point)
{
    const struct hone_field *field = own->trail.field;
    while (own->idle <= field->dimension_count) {
        int d = line_dimension(own);
        if (!trail_step(&own->trail, own->line, d, own->direction, point) ||
            !field->describe(field->host, *point, own->line)) {
            next_line(own);
            continue;
        }
        if (!trail_knows(&own->trail, *point)) return true;
    }
    return false;
}

static void start_at(struct descent *own, const int32_t *indices, double seconds)
{
    memcpy(own->base, indices, index_bytes(own));
    memcpy(own->line, indices, index_bytes(own));
    own->base_seconds = seconds;
    own->idle = 0;
}

static int ask(void *state, uint64_t *point)
{
    struct descent *own = state;
    if (!isfinite(own->base_seconds) && own->rounds == 0 && own->trail.best >= 0) {
        const struct trail_item *best = &own->trail.items[own->trail.best];
        start_at(own, best->indices, best->seconds);
    }
    if (isfinite(own->base_seconds) && next_on_lines(own, point)) {
        own->pending = *point;
        return 1;
    }
    own->base_seconds = INFINITY;
    own->rounds++;
    own->pending = UINT64_MAX;
    return trail_ranked(&own->trail, point) || trail_random(&own->trail, point);
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    struct descent *own = state;
    int before = own->trail.count;
    if (!trail_add(&own->trail, point, outcome) || own->trail.count == before) return;
    const struct trail_item *item = &own->trail.items[before];
    bool start = point != own->pending && own->rounds > 0;
    if (!isfinite(item->seconds) || (!start && item->seconds >= own->base_seconds)) return;
    if (start || point == own->pending) start_at(own, item->indices, item->seconds);
}

const struct hone_strategy search_coordinate = {
    .abi = HONE_STRATEGY_ABI,
    .name = "coordinate",
    .about = "one tunable after the other, from the best point",
    .create = create,
    .ask = ask,
    .tell = tell,
};
