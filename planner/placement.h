/* Placement: which device runs which layer.
 *
 * Layers are dealt to the devices in the order of --devices: each takes as many as its memory holds (weights, states and
 * a reserve for activations), the last one takes the rest.  When everything fits on the first device but several were
 * asked for, layers are shared in proportion to the memory sizes, because whoever names two cards wants both used. */
#ifndef PLANNER_PLACEMENT_H
#define PLANNER_PLACEMENT_H

#include "ir/plan.h"

struct placement_device {
    const char *specification;
    int64_t memory_bytes; /* INT64_MAX: no limit */
};

/* `graph` is unpartitioned; `device_of_layer[graph->layer_count]` is filled.  STATUS_NO_MEMORY says what is missing
 * where. */
CHECKED status placement_by_layers(const struct graph *graph, const struct plan_bounds *bounds,
                                   const struct placement_device *devices, int device_count,
                                   int *device_of_layer, struct diagnostic *diagnostic);

#endif
