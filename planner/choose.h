/* Choosing a candidate for a problem without measuring: from records where there are some, from estimates where not, and
 * the operator's reference where no variant answers. */
#ifndef PLANNER_CHOOSE_H
#define PLANNER_CHOOSE_H

#include "ir/variant.h"

struct store; /* tuner/store.h */

struct chooser {
    const struct catalogue *catalogue;
    struct store *store; /* NULL: estimates only */
    bool fast;           /* --numerics fast: coarser variants are allowed */
    bool references;     /* nothing but references: the oracle's path */
};

struct choice {
    struct candidate candidate;
    double seconds; /* at the problem's bounds; 0: unknown */
    bool measured;
};

CHECKED status choose_candidate(const struct chooser *chooser, const struct problem *problem,
                                const struct device_facts *facts, struct arena *scratch,
                                struct choice *choice, struct diagnostic *diagnostic);

/* The best of a space by its estimate; at most ESTIMATES_MAX configs are looked at. */
enum { ESTIMATES_MAX = 4096 };
double choose_by_estimate(const struct bound_space *bound, struct config *config);

#endif
