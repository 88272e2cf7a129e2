/* Search strategies for Hone's tuner, also from a shared object of your own:
 *
 *     cc -shared -fPIC -o mine.so mine.c          (docs/examples/strategy_lattice.c is one)
 *     hone lab compare --space FILE --strategies ./mine.so,guided
 *     hone tune MODEL --strategy ./mine.so
 *
 * The object exports `hone_strategy`.  A strategy is asked for a point and told how it did, until the budget is spent; it never
 * measures, so that recorded measurements can be replayed to it.  What is common to all strategies is the host's: the default and
 * the incumbent come first, no point is measured twice, the best third is looked at again more closely, and the finals are
 * measured side by side.
 *
 * A point is a number below `point_count`; all of them are legal.  A point has a value in each dimension, or none (-1) where its
 * kernel does not have that tunable.  Everything here is called by one thread at a time. */
#ifndef HONE_STRATEGY_H
#define HONE_STRATEGY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises whenever a structure below changes its meaning; the host refuses others. */
#define HONE_STRATEGY_ABI 1u

/* A tunable. */
struct hone_dimension {
    const char *name;
    int32_t value_count;
    const double *values; /* in the order of the space's file; words are their numbers */
};

/* What may be chosen from.  It outlives the strategy's state. */
struct hone_field {
    uint32_t abi; /* the host's HONE_STRATEGY_ABI */
    int32_t dimension_count;
    const struct hone_dimension *dimensions;
    uint64_t point_count;
    uint64_t budget; /* points that are measured at most, those that the host brings included */
    uint64_t seed;   /* the same seed must give the same questions to the same answers */

    /* Points in the order of their promise by the analytic estimate, as far as the host cares to look; none when blind. */
    const uint64_t *ranked;
    uint64_t ranked_count;
    /* The best points of near problems and devices, nearest and best first: an order, not an answer. */
    const uint64_t *transferred;
    uint64_t transferred_count;

    void *host; /* first argument of the functions below */
    /* Zeroed memory that lives as long as the search; NULL when there is none. */
    void *(*allocate)(void *host, size_t bytes);
    /* The index of the point's value in each dimension, -1 where it has none; 0 when there is no such point. */
    int (*describe)(void *host, uint64_t point, int32_t *indices);
    /* The point with these values; 0 when they are not legal. */
    int (*find)(void *host, const int32_t *indices, uint64_t *point);
    /* Seconds by the analytic estimate, infinite where it has no value; NULL when blind. */
    double (*estimate)(void *host, uint64_t point);
    /* Not 0: hardly ever good, to be tried last; NULL: nothing is. */
    int (*discouraged)(void *host, uint64_t point);
};

struct hone_outcome {
    int good;       /* right results and a time */
    double seconds; /* when good */
};

struct hone_strategy {
    uint32_t abi; /* HONE_STRATEGY_ABI */
    const char *name, *about;
    /* NULL: it cannot search this field, or memory is out. */
    void *(*create)(const struct hone_field *field);
    /* 0: it has no more questions.  A point that is known already is told again at no cost; who asks for nothing but such
     * points for long is stopped. */
    int (*ask)(void *state, uint64_t *point);
    /* Comes after every question, and for the points that the host brings before the first. */
    void (*tell)(void *state, uint64_t point, const struct hone_outcome *outcome);
    /* Points that will be asked for soon, or most probably, to be compiled ahead; returns how many.  NULL: it cannot say. */
    int (*ahead)(const void *state, uint64_t *points, int most);
    /* Frees what `create` took elsewhere than from the field; NULL: nothing. */
    void (*destroy)(void *state);
};

/* Exported by a shared object. */
typedef const struct hone_strategy *hone_strategy_function(void);
extern const struct hone_strategy *hone_strategy(void);

#ifdef __cplusplus
}
#endif

#endif
