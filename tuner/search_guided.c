/* Guided: a model of the times seen so far says where an improvement is most to be expected.
 *
 *   1. a beginning: points of near problems, the best estimates, and points far from all others
 *   2. a Gaussian process (tuner/gauss.h) over the logarithms of the times; next comes the point with the largest expected
 *      improvement, of all points or, in large fields, of a pool that is renewed round the best
 *
 * The logarithm of the estimate is one more dimension of the model, so that it counts as much as it has proved true. */
#include "base/random.h"
#include "tuner/gauss.h"
#include "tuner/search_table.h"
#include "tuner/search_trail.h"

#include <math.h>
#include <string.h>

enum {
    POOL_MAX = 2500,
    POOL_NEAR = 400, /* of them kept for points near the best */
    MODEL_MAX = 160, /* times that the model takes up; what comes later follows it */
    BEGINNING_LEAST = 5,
    BEGINNING_MOST = 12,
    TRANSFERRED_MOST = 6,
    FAR_TRIALS = 12, /* points by chance of which the one farthest from the known ones is taken */
};
/* The model's lengths are found anew whenever it has grown by this. */
static const double growth = 1.25;

struct guided {
    struct trail trail;
    struct gauss model;
    struct gauss_pool pool;
    uint64_t *members; /* points of the pool; UINT64_MAX: an empty place */
    bool *is_known;    /* by member */
    int32_t *indices;  /* scratch */
    float *point;      /* scratch */
    int coordinate_count, near_next, transferred, next_fit;
    double estimate_low, estimate_high; /* logarithms */
    bool pool_is_all;
    uint64_t drawn;
};

/* ---- Coordinates ---- */

/* Where a value lies between the least and the largest; by ratios where they are powers. */
static float place(const struct hone_dimension *dimension, int32_t index)
{
    double low = dimension->values[0], high = dimension->values[dimension->value_count - 1];
    double value = dimension->values[index];
    bool ratios = low > 0 && high / low >= 4;
    if (ratios) {
        low = log(low);
        high = log(high);
        value = log(value);
    }
    return high > low ? (float)((value - low) / (high - low)) : 0;
}

static void locate(struct guided *own, uint64_t point, const int32_t *indices, float *to)
{
    const struct hone_field *field = own->trail.field;
    int used = 0;
    for (int d = 0; d < field->dimension_count && used < own->coordinate_count; d++)
        if (field->dimensions[d].value_count > 1)
            to[used++] = indices[d] < 0 ? -1 : place(&field->dimensions[d], indices[d]);
    if (!field->estimate || used >= own->coordinate_count) return;
    double estimate = log(field->estimate(field->host, point)),
           span = own->estimate_high - own->estimate_low;
    to[used] = isfinite(estimate) && span > 0
                   ? (float)fmin(1, fmax(0, (estimate - own->estimate_low) / span))
                   : 1;
}

/* ---- The pool ---- */

static bool put_member(struct guided *own, int place_in_pool, uint64_t point)
{
    const struct hone_field *field = own->trail.field;
    if (!field->describe(field->host, point, own->indices)) return false;
    own->members[place_in_pool] = point;
    own->is_known[place_in_pool] = trail_knows(&own->trail, point);
    locate(own, point, own->indices,
           own->pool.points + (size_t)place_in_pool * (size_t)own->coordinate_count);
    return true;
}

/* The estimates of the ranked points span the dimension of the estimate. */
static void find_estimate_span(struct guided *own, int sampled)
{
    const struct hone_field *field = own->trail.field;
    own->estimate_low = INFINITY;
    own->estimate_high = -INFINITY;
    for (int m = 0; field->estimate && m < sampled; m++) {
        if (own->members[m] == UINT64_MAX) continue;
        double estimate = log(field->estimate(field->host, own->members[m]));
        if (!isfinite(estimate)) continue;
        own->estimate_low = fmin(own->estimate_low, estimate);
        own->estimate_high = fmax(own->estimate_high, estimate);
    }
}

/* All points where there are few; otherwise the best estimates, then points by chance, and room for those near the best. */
static void choose_members(struct guided *own)
{
    const struct hone_field *field = own->trail.field;
    int count = own->pool.count, sampled = own->pool_is_all ? count : count - POOL_NEAR;
    uint64_t ranked =
        field->ranked_count < (uint64_t)sampled / 3 ? field->ranked_count : (uint64_t)sampled / 3;
    for (int m = 0; m < count; m++) own->members[m] = UINT64_MAX;
    for (int m = 0; m < sampled; m++)
        own->members[m] = own->pool_is_all ? (uint64_t)m
                          : (uint64_t)m < ranked
                              ? field->ranked[m]
                              : random_bits(field->seed, 83, (uint64_t)m) % field->point_count;
    find_estimate_span(own, sampled);
    for (int m = 0; m < sampled; m++)
        if (!put_member(own, m, own->members[m])) own->members[m] = UINT64_MAX;
}

/* The neighbours of a new best point; the model hears of them when it is fitted next. */
static void add_neighbours(struct guided *own, const struct trail_item *best)
{
    const struct hone_field *field = own->trail.field;
    if (own->pool_is_all) return;
    for (int d = 0; d < field->dimension_count; d++)
        for (int direction = -1; direction <= 1; direction += 2) {
            uint64_t point;
            if (!trail_step(&own->trail, best->indices, d, direction, &point)) continue;
            int at = own->pool.count - POOL_NEAR + own->near_next++ % POOL_NEAR;
            if (!put_member(own, at, point)) own->members[at] = UINT64_MAX;
            own->next_fit = own->model.count; /* their means are computed with the fit */
        }
}

static void *create(const struct hone_field *field)
{
    struct guided *own = trail_allocate(field, 1, sizeof *own);
    if (!own) return NULL;
    trail_start(&own->trail, field);
    for (int d = 0; d < field->dimension_count; d++)
        own->coordinate_count += field->dimensions[d].value_count > 1;
    own->coordinate_count += field->estimate != NULL;
    if (own->coordinate_count > GAUSS_DIMENSIONS_MAX) own->coordinate_count = GAUSS_DIMENSIONS_MAX;
    own->pool_is_all = field->point_count <= POOL_MAX;
    int pool = own->pool_is_all ? (int)field->point_count : POOL_MAX;
    int capacity = field->budget < MODEL_MAX ? (int)field->budget + 1 : MODEL_MAX;
    own->members = trail_allocate(field, (size_t)pool, sizeof *own->members);
    own->is_known = trail_allocate(field, (size_t)pool, sizeof *own->is_known);
    own->indices = trail_allocate(field, (size_t)field->dimension_count, sizeof *own->indices);
    own->point = trail_allocate(field, (size_t)own->coordinate_count + 1, sizeof *own->point);
    if (!own->members || !own->is_known || !own->indices || !own->point ||
        !gauss_start(&own->model, own->coordinate_count, capacity, field->allocate, field->host) ||
        !gauss_pool_start(&own->pool, &own->model, pool, field->allocate, field->host))
        return NULL;
    choose_members(own);
    return own;
}

/* ---- The beginning ---- */

static double distance(const struct guided *own, const float *a, const float *b)
{
    double sum = 0;
    for (int c = 0; c < own->coordinate_count; c++)
        sum += a[c] < 0 || b[c] < 0 ? (a[c] < 0) != (b[c] < 0) : fabs((double)(a[c] - b[c]));
    return sum;
}

/* Of some members by chance the one farthest from all that is known. */
static bool take_far(struct guided *own, uint64_t *point)
{
    double farthest = -1;
    for (int trial = 0; trial < FAR_TRIALS; trial++) {
        int m = (int)(random_bits(own->trail.field->seed, 84, own->drawn++) %
                      (uint64_t)own->pool.count);
        if (own->members[m] == UINT64_MAX || own->is_known[m]) continue;
        const float *at = own->pool.points + (size_t)m * (size_t)own->coordinate_count;
        double least = INFINITY;
        for (int i = 0; i < own->model.count; i++)
            least = fmin(
                least,
                distance(own, at, own->model.points + (size_t)i * (size_t)own->coordinate_count));
        if (least <= farthest) continue;
        farthest = least;
        *point = own->members[m];
    }
    return farthest >= 0;
}

static int beginning(const struct guided *own)
{
    int wanted = (int)(own->trail.field->budget / 5);
    return wanted < BEGINNING_LEAST  ? BEGINNING_LEAST
           : wanted > BEGINNING_MOST ? BEGINNING_MOST
                                     : wanted;
}

/* Estimates and near problems take turns: either may be the better guide. */
static bool begin(struct guided *own, uint64_t *point)
{
    if (own->trail.count % 2 == 0 && trail_ranked(&own->trail, point)) return true;
    if (own->transferred < TRANSFERRED_MOST && trail_transferred(&own->trail, point)) {
        own->transferred++;
        return true;
    }
    return take_far(own, point) || trail_random(&own->trail, point);
}

/* ---- The model ---- */

/* Of the logarithm, how much lower than the best so far it may be expected to be. */
static double improvement(double best, double mean, double deviation)
{
    const double root_two = 1.4142135623730951, root_two_pi = 2.5066282746310002;
    double u = (best - mean) / deviation;
    return (best - mean) * 0.5 * erfc(-u / root_two) + deviation * exp(-u * u / 2) / root_two_pi;
}

/* Negative: not to be asked for. */
static double promise(const struct guided *own, int m)
{
    const struct hone_field *field = own->trail.field;
    if (own->members[m] == UINT64_MAX || own->is_known[m]) return -1;
    double best = log(own->trail.items[own->trail.best].seconds);
    double expected = improvement(best, gauss_mean(&own->model, &own->pool, m),
                                  gauss_deviation(&own->model, &own->pool, m));
    bool last = field->discouraged && field->discouraged(field->host, own->members[m]);
    return last ? -1 : expected;
}

static bool take_promising(const struct guided *own, uint64_t *point)
{
    double most = -1;
    for (int m = 0; m < own->pool.count; m++) {
        double expected = promise(own, m);
        if (expected <= most) continue;
        most = expected;
        *point = own->members[m];
    }
    return most >= 0;
}

/* The most promising ones by what is known now. */
static int ahead(const void *state, uint64_t *points, int most)
{
    enum { AHEAD_MAX = 16 };
    const struct guided *own = state;
    double promises[AHEAD_MAX];
    int count = 0;
    if (most > AHEAD_MAX) most = AHEAD_MAX;
    if (most < 1) return 0;
    for (int m = 0; own->trail.best >= 0 && own->model.count > 1 && m < own->pool.count; m++) {
        double expected = promise(own, m);
        if (expected < 0 || (count == most && expected <= promises[count - 1])) continue;
        int at = count < most ? count++ : count - 1;
        for (; at > 0 && promises[at - 1] < expected; at--) {
            promises[at] = promises[at - 1];
            points[at] = points[at - 1];
        }
        promises[at] = expected;
        points[at] = own->members[m];
    }
    return count;
}

static int ask(void *state, uint64_t *point)
{
    struct guided *own = state;
    if (own->trail.count < beginning(own) || own->trail.best < 0) return begin(own, point);
    if (own->model.count >= own->next_fit) {
        gauss_fit(&own->model, &own->pool);
        own->next_fit = (int)ceil(own->model.count * growth);
    }
    return take_promising(own, point) || trail_random(&own->trail, point);
}

/* What failed is as slow as the slowest. */
static double value_of(const struct guided *own, const struct trail_item *item)
{
    double slowest = -INFINITY;
    if (isfinite(item->seconds)) return log(item->seconds);
    for (int i = 0; i < own->model.count; i++) slowest = fmax(slowest, own->model.values[i]);
    return isfinite(slowest) ? slowest : 0;
}

static void tell(void *state, uint64_t point, const struct hone_outcome *outcome)
{
    struct guided *own = state;
    int before = own->trail.count, best = own->trail.best;
    if (!trail_add(&own->trail, point, outcome) || own->trail.count == before) return;
    const struct trail_item *item = &own->trail.items[before];
    for (int m = 0; m < own->pool.count; m++)
        if (own->members[m] == point) own->is_known[m] = true;
    locate(own, point, item->indices, own->point);
    gauss_add(&own->model, own->point, value_of(own, item), &own->pool);
    if (own->trail.best != best) add_neighbours(own, item);
}

const struct hone_strategy search_guided = {
    .abi = HONE_STRATEGY_ABI,
    .name = "guided",
    .about = "a model of the times says where to look",
    .create = create,
    .ask = ask,
    .ahead = ahead,
    .tell = tell,
};
