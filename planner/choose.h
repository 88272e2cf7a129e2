/* Choosing a candidate for a problem without measuring: from records where there are some, from those of a neighbouring
 * bucket where not, from estimates otherwise, and the operator's reference where no variant answers. */
#ifndef PLANNER_CHOOSE_H
#define PLANNER_CHOOSE_H

#include "tuner/decision.h"
#include "tuner/store.h"

/* Above this many rows kernels tile rows; at most so many they stream weights, each bucket with kernels of its own. */
enum { CHOOSE_FEW_ROWS = 16 };

/* In a deterministic plan every node has one kernel for all buckets: that for so many rows, or for as many as a step may
 * have if these are more.  A row's result then does not depend on how many others there are. */
enum { CHOOSE_DETERMINISTIC_ROWS = 512 };

struct chooser {
    const struct catalogue *catalogue;
    struct store *store;            /* NULL: estimates only */
    const struct choice_lock *lock; /* NULL: none */
    bool fast;                      /* --numerics fast: coarser variants are allowed */
    bool references;                /* nothing but references: the oracle's path */
    bool
        deterministic; /* --deterministic: what is chosen depends neither on records nor on estimates */
};

struct choice {
    struct candidate candidate;
    double seconds; /* at the problem's bounds; 0: unknown */
    bool measured;  /* for this very problem */
};

/* A node of a graph in a bucket. */
struct choose_request {
    const struct graph *graph;
    const struct node *node;
    const struct problem *problem; /* of the node in this bucket */
    const struct device_facts *facts;
};

CHECKED status choose_candidate(const struct chooser *chooser, const struct choose_request *request,
                                struct arena *scratch, struct choice *choice,
                                struct diagnostic *diagnostic);

/* The chosen candidate and those that come next by their estimates, at most `limit`: what to take along to a device that
 * could not be measured. */
CHECKED status choose_several(const struct chooser *chooser, const struct choose_request *request,
                              const struct choice *chosen, int limit, struct arena *scratch,
                              struct choice **choices, int *count, struct diagnostic *diagnostic);

#endif
