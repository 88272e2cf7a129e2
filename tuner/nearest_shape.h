/* What records of other shapes say about a problem that has none on this class of devices: an order in which to try candidates,
 * never an answer.  The nearest problem of the same operator comes first, its candidates in the order of their finals. */
#ifndef TUNER_NEAREST_SHAPE_H
#define TUNER_NEAREST_SHAPE_H

#include "tuner/nearest.h"

/* How unlike two problems of one operator are: octaves between their sizes, and more for other types, layouts, attributes, and
 * for few rows against many. */
double nearest_shape_distance(const struct problem *a, const struct problem *b);

/* Adds legal candidates behind those that are listed already, up to `most` in all. */
CHECKED status nearest_shape_candidates(struct store *store, const struct problem *problem,
                                        const char *device_class, struct nearest_order *order,
                                        struct arena *arena, struct diagnostic *diagnostic);

#endif
