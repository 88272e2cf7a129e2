/* A Gaussian process: what is known of a function on a few dozen points, and how sure it is elsewhere.
 *
 * Matern's covariance with smoothness 5/2 and a length for each dimension; lengths and noise are those under which what was
 * seen is most likely, with a mild preference for long ones.  Points are added one by one at a cost of n^2; for a fixed list
 * of others (the pool) mean and deviation follow at a cost of n each. */
#ifndef TUNER_GAUSS_H
#define TUNER_GAUSS_H

#include <stdbool.h>
#include <stddef.h>

enum { GAUSS_DIMENSIONS_MAX = 64 };

/* Coordinates lie between 0 and 1; below 0: the point has none in this dimension. */
struct gauss {
    int dimension_count, capacity, count;
    float *points; /* [capacity][dimension_count] */
    double *values;
    double lengths[GAUSS_DIMENSIONS_MAX], noise;
    double offset, scale; /* of the values */
    double *lower;        /* [capacity][capacity]: Cholesky's factor */
    double *weights;      /* lower^-1 values */
    double *scratch;      /* [capacity][capacity] */
    double *row;
};

/* The others.  `solved` is lower^-1 times their covariances. */
struct gauss_pool {
    int count;
    float *points; /* [count][dimension_count] */
    float *solved; /* [count][capacity] */
    double *mean, *explained;
};

/* Values are distributed about so; all memory comes from `allocate`, false when there is none. */
bool gauss_start(struct gauss *gauss, int dimension_count, int capacity,
                 void *(*allocate)(void *host, size_t bytes), void *host);
bool gauss_pool_start(struct gauss_pool *pool, const struct gauss *gauss, int count,
                      void *(*allocate)(void *host, size_t bytes), void *host);

/* Adds a point; `pool` follows. */
void gauss_add(struct gauss *gauss, const float *point, double value, struct gauss_pool *pool);
/* Finds lengths and noise anew, from those that were. */
void gauss_fit(struct gauss *gauss, struct gauss_pool *pool);

/* In the units of the values. */
double gauss_mean(const struct gauss *gauss, const struct gauss_pool *pool, int other);
double gauss_deviation(const struct gauss *gauss, const struct gauss_pool *pool, int other);

#endif
