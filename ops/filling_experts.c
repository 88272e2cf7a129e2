/* Random routing behind filling.h. */
#include "base/random.h"
#include "ops/access.h"
#include "ops/filling.h"

#include <math.h>

enum {
    STREAM_EXPERT = 110,
    STREAM_PLACE = 111,
    STREAM_MEMBER = 112,
    DRAWS_MOST = 32 /* for an expert that the token does not use yet; then the next one is taken */
};

/* What experts are drawn from in a batch: its members, those that no routing names included when there are no others. */
struct draw {
    const struct assignments *assignments;
    int64_t member_count; /* 0: all experts, equally often */
    int32_t members[EXPERTS_MOST];
    double upto[EXPERTS_MOST]; /* shares of the members up to this one */
};

/* Of the i-th of them, most popular first.  Never chosen is seldom chosen, where there must be more. */
static double share_of(const struct assignments *assignments, int64_t i)
{
    const double seldom = 1e-6;
    const struct routing *routing = assignments->routing;
    int64_t place = i * routing_experts(routing) / assignments->experts;
    int level = ROUTING_LEVELS - 1;
    for (; level > 0 && place >= routing->counts[level]; level--) place -= routing->counts[level];
    return fmax(routing_share(level), seldom);
}

/* Which expert is the i-th most popular: a shuffle. */
static void shuffle(const struct assignments *assignments, int32_t *ids)
{
    for (int64_t i = 0; i < assignments->experts; i++) {
        int64_t other = (int64_t)(random_bits(assignments->seed, STREAM_PLACE, (uint64_t)i) %
                                  (uint64_t)(i + 1));
        ids[i] = ids[other];
        ids[other] = (int32_t)i;
    }
}

/* Members of the batch: each expert waits for a random time, the shorter the more popular it is, and the first are taken. */
static void draw_members(struct draw *draw)
{
    const struct assignments *assignments = draw->assignments;
    int64_t experts = assignments->experts;
    int64_t wanted = larger(assignments->routing->distinct, assignments->used);
    int32_t ids[EXPERTS_MOST];
    double waits[EXPERTS_MOST], sum = 0;
    shuffle(assignments, ids);
    for (int64_t i = 0; i < experts; i++)
        waits[i] = -log(1 - random_uniform(assignments->seed, STREAM_MEMBER, (uint64_t)i)) /
                   share_of(assignments, i);
    for (; draw->member_count < smaller(wanted, experts); draw->member_count++) {
        int64_t next = 0;
        for (int64_t i = 1; i < experts; i++)
            if (waits[i] < waits[next]) next = i;
        waits[next] = INFINITY;
        draw->members[draw->member_count] = ids[next];
        draw->upto[draw->member_count] = sum += share_of(assignments, next);
    }
}

static void begin_draw(struct draw *draw, const struct assignments *assignments)
{
    draw->assignments = assignments;
    draw->member_count = 0;
    if (assignments->routing && assignments->routing->distinct) draw_members(draw);
}

static int64_t drawn_member(const struct draw *draw, int64_t assignment, int64_t attempt)
{
    uint64_t counter = (uint64_t)(assignment * DRAWS_MOST + attempt);
    double all = draw->upto[draw->member_count - 1];
    double at = all * random_uniform(draw->assignments->seed, STREAM_EXPERT, counter);
    int64_t low = 0, high = draw->member_count - 1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (draw->upto[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool is_among(int32_t id, const int32_t *ids, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (ids[i] == id) return true;
    return false;
}

/* A member that the token does not use yet.  The first assignments go to each member once, so that a batch has them all. */
static int32_t draw_expert(const struct draw *draw, int64_t assignment, const int32_t *ids,
                           int64_t count)
{
    if (assignment < draw->member_count) return draw->members[assignment];
    int64_t member = drawn_member(draw, assignment, 0);
    for (int64_t d = 1; d < DRAWS_MOST && is_among(draw->members[member], ids, count); d++)
        member = drawn_member(draw, assignment, d);
    for (int64_t m = 1; m < draw->member_count && is_among(draw->members[member], ids, count); m++)
        member = (member + 1) % draw->member_count;
    return draw->members[member];
}

/* The experts of a token; without a routing neighbours, each expert equally often. */
static void draw_token(const struct draw *draw, int64_t token, int32_t *ids)
{
    const struct assignments *own = draw->assignments;
    uint64_t experts = (uint64_t)own->experts;
    uint64_t first = random_bits(own->seed, STREAM_EXPERT, (uint64_t)token);
    for (int64_t i = 0; i < own->used; i++)
        ids[i] = draw->member_count ? draw_expert(draw, token * own->used + i, ids, i)
                                    : (int32_t)((first % experts + (uint64_t)i) % experts);
}

void fill_experts(const struct assignments *assignments, int32_t *experts)
{
    struct draw draw;
    begin_draw(&draw, assignments);
    for (int64_t t = 0; t < assignments->rows; t++)
        draw_token(&draw, t, experts + t * assignments->used);
}

void fill_dispatch(const struct assignments *assignments, int32_t *order, int32_t *offsets,
                   int32_t *places)
{
    int32_t starts[EXPERTS_MOST + 1] = {0}, ids[EXPERTS_USED_MOST];
    int64_t used = assignments->used;
    struct draw draw;
    begin_draw(&draw, assignments);
    for (int64_t t = 0; t < assignments->rows; t++) {
        draw_token(&draw, t, ids);
        for (int64_t i = 0; i < used; i++) starts[ids[i] + 1]++;
    }
    for (int64_t e = 0; e < assignments->experts; e++) starts[e + 1] += starts[e];
    for (int64_t e = 0; offsets && e <= assignments->experts; e++) offsets[e] = starts[e];
    for (int64_t t = 0; t < assignments->rows; t++) {
        draw_token(&draw, t, ids);
        for (int64_t i = 0; i < used; i++) {
            int32_t slot = starts[ids[i]]++;
            if (order) order[slot] = (int32_t)(t * used + i);
            if (places) places[t * used + i] = slot;
        }
    }
}
