/* Covariances, Cholesky's factor row by row, and the search for lengths. */
#include "tuner/gauss.h"

#include <math.h>
#include <string.h>

static const double lengths_tried[] = {0.2, 0.35, 0.6, 1, 1.7, 3, 6, 15};
static const double noises_tried[] = {1e-4, 1e-3, 1e-2, 5e-2};
enum {
    LENGTH_COUNT = sizeof lengths_tried / sizeof *lengths_tried,
    NOISE_COUNT = sizeof noises_tried / sizeof *noises_tried,
    LENGTH_FIRST = 3,
    SWEEPS = 2
};
/* Of the logarithm of a length: where it is expected, and how far from there it may well be. */
static const double length_expected = 0.4, length_spread = 1.2;
/* Less variance than this is rounding. */
static const double variance_least = 1e-10;

bool gauss_start(struct gauss *gauss, int dimension_count, int capacity,
                 void *(*allocate)(void *host, size_t bytes), void *host)
{
    size_t n = (size_t)capacity, d = (size_t)dimension_count;
    if (dimension_count > GAUSS_DIMENSIONS_MAX) return false;
    *gauss = (struct gauss){.dimension_count = dimension_count,
                            .capacity = capacity,
                            .noise = noises_tried[1],
                            .scale = 1};
    for (int i = 0; i < dimension_count; i++) gauss->lengths[i] = lengths_tried[LENGTH_FIRST];
    gauss->points = allocate(host, n * d * sizeof *gauss->points);
    gauss->values = allocate(host, n * sizeof *gauss->values);
    gauss->lower = allocate(host, n * n * sizeof *gauss->lower);
    gauss->weights = allocate(host, n * sizeof *gauss->weights);
    gauss->scratch = allocate(host, n * n * sizeof *gauss->scratch);
    gauss->row = allocate(host, n * sizeof *gauss->row);
    return gauss->points && gauss->values && gauss->lower && gauss->weights && gauss->scratch &&
           gauss->row;
}

bool gauss_pool_start(struct gauss_pool *pool, const struct gauss *gauss, int count,
                      void *(*allocate)(void *host, size_t bytes), void *host)
{
    size_t n = (size_t)count;
    *pool = (struct gauss_pool){.count = count};
    pool->points = allocate(host, n * (size_t)gauss->dimension_count * sizeof *pool->points);
    pool->solved = allocate(host, n * (size_t)gauss->capacity * sizeof *pool->solved);
    pool->mean = allocate(host, n * sizeof *pool->mean);
    pool->explained = allocate(host, n * sizeof *pool->explained);
    return pool->points && pool->solved && pool->mean && pool->explained;
}

static double covariance(const struct gauss *gauss, const float *a, const float *b)
{
    double square = 0;
    for (int d = 0; d < gauss->dimension_count; d++) {
        double apart = (double)(a[d] - b[d]);
        if (a[d] < 0 || b[d] < 0) apart = a[d] < 0 && b[d] < 0 ? 0 : 1;
        apart /= gauss->lengths[d];
        square += apart * apart;
    }
    double r = sqrt(5 * square);
    return (1 + r + r * r / 3) * exp(-r);
}

static const float *point_of(const struct gauss *gauss, int i)
{
    return gauss->points + (size_t)i * (size_t)gauss->dimension_count;
}

/* Solves the first `count` rows of `lower` against `row`, in place; returns what is left of the variance. */
static double solve_row(const double *lower, int capacity, int count, double *row, double variance)
{
    for (int i = 0; i < count; i++) {
        const double *own = lower + (size_t)i * (size_t)capacity;
        double sum = row[i];
        for (int k = 0; k < i; k++) sum -= own[k] * row[k];
        row[i] = sum / own[i];
        variance -= row[i] * row[i];
    }
    return variance;
}

static double standard(const struct gauss *gauss, int i)
{
    return (gauss->values[i] - gauss->offset) / gauss->scale;
}

/* Row `i` of the factor, and its weight. */
static void factor_row(struct gauss *gauss, int i)
{
    double *row = gauss->lower + (size_t)i * (size_t)gauss->capacity;
    for (int k = 0; k < i; k++) row[k] = covariance(gauss, point_of(gauss, i), point_of(gauss, k));
    double left = solve_row(gauss->lower, gauss->capacity, i, row, 1 + gauss->noise);
    row[i] = sqrt(fmax(left, variance_least));
    double sum = standard(gauss, i);
    for (int k = 0; k < i; k++) sum -= row[k] * gauss->weights[k];
    gauss->weights[i] = sum / row[i];
}

static void extend_pool(const struct gauss *gauss, int i, struct gauss_pool *pool)
{
    const double *row = gauss->lower + (size_t)i * (size_t)gauss->capacity;
    for (int o = 0; o < pool->count; o++) {
        float *solved = pool->solved + (size_t)o * (size_t)gauss->capacity;
        double sum = covariance(gauss, pool->points + (size_t)o * (size_t)gauss->dimension_count,
                                point_of(gauss, i));
        for (int k = 0; k < i; k++) sum -= row[k] * (double)solved[k];
        double own = sum / row[i];
        solved[i] = (float)own;
        pool->mean[o] += own * gauss->weights[i];
        pool->explained[o] += own * own;
    }
}

void gauss_add(struct gauss *gauss, const float *point, double value, struct gauss_pool *pool)
{
    if (gauss->count == gauss->capacity) return;
    int i = gauss->count++;
    memcpy(gauss->points + (size_t)i * (size_t)gauss->dimension_count, point,
           (size_t)gauss->dimension_count * sizeof *point);
    gauss->values[i] = value;
    factor_row(gauss, i);
    if (pool) extend_pool(gauss, i, pool);
}

/* ---- Lengths ---- */

/* Logarithm of how likely the values are, up to a constant, with the variance that makes them most likely; the squared
 * distances of all pairs by dimension would not fit, so covariances are computed anew. */
static double likelihood(struct gauss *gauss)
{
    int n = gauss->count, capacity = gauss->capacity;
    double determinant = 0, fit = 0, preference = 0;
    for (int i = 0; i < n; i++) {
        double *row = gauss->scratch + (size_t)i * (size_t)capacity;
        for (int k = 0; k < i; k++)
            row[k] = covariance(gauss, point_of(gauss, i), point_of(gauss, k));
        double left = solve_row(gauss->scratch, capacity, i, row, 1 + gauss->noise);
        row[i] = sqrt(fmax(left, variance_least));
        double sum = standard(gauss, i);
        for (int k = 0; k < i; k++) sum -= row[k] * gauss->row[k];
        gauss->row[i] = sum / row[i];
        determinant += log(row[i]);
        fit += gauss->row[i] * gauss->row[i];
    }
    for (int d = 0; d < gauss->dimension_count; d++) {
        double off = (log(gauss->lengths[d]) - length_expected) / length_spread;
        preference += off * off / 2;
    }
    return -determinant - n / 2.0 * log(fmax(fit / n, variance_least)) - preference;
}

static int nearest(const double *list, int count, double value)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (fabs(log(list[i] / value)) < fabs(log(list[best] / value))) best = i;
    return best;
}

/* Moves one number along its list as long as that helps. */
static void climb_list(struct gauss *gauss, double *number, const double *list, int count,
                       double *best)
{
    int at = nearest(list, count, *number);
    for (int direction = -1; direction <= 1; direction += 2)
        while (at + direction >= 0 && at + direction < count) {
            *number = list[at + direction];
            double found = likelihood(gauss);
            if (found <= *best) break;
            *best = found;
            at += direction;
        }
    *number = list[at];
}

static void standardise(struct gauss *gauss)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < gauss->count; i++) sum += gauss->values[i];
    gauss->offset = sum / gauss->count;
    for (int i = 0; i < gauss->count; i++) {
        double off = gauss->values[i] - gauss->offset;
        squares += off * off;
    }
    gauss->scale = sqrt(squares / gauss->count);
    if (!(gauss->scale > 0)) gauss->scale = 1;
}

void gauss_fit(struct gauss *gauss, struct gauss_pool *pool)
{
    if (gauss->count < 2) return;
    standardise(gauss);
    double best = likelihood(gauss);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (int d = 0; d < gauss->dimension_count; d++)
            climb_list(gauss, &gauss->lengths[d], lengths_tried, LENGTH_COUNT, &best);
        climb_list(gauss, &gauss->noise, noises_tried, NOISE_COUNT, &best);
    }
    memset(pool->mean, 0, (size_t)pool->count * sizeof *pool->mean);
    memset(pool->explained, 0, (size_t)pool->count * sizeof *pool->explained);
    for (int i = 0; i < gauss->count; i++) {
        factor_row(gauss, i);
        extend_pool(gauss, i, pool);
    }
}

/* The variance that the weights speak of. */
static double variance_of(const struct gauss *gauss)
{
    double fit = 0;
    for (int i = 0; i < gauss->count; i++) fit += gauss->weights[i] * gauss->weights[i];
    return gauss->count ? fit / gauss->count : 1;
}

double gauss_mean(const struct gauss *gauss, const struct gauss_pool *pool, int other)
{
    return gauss->offset + gauss->scale * pool->mean[other];
}

double gauss_deviation(const struct gauss *gauss, const struct gauss_pool *pool, int other)
{
    double left = fmax(1 - pool->explained[other], variance_least);
    return gauss->scale * sqrt(left * variance_of(gauss));
}
