/* How several devices share a model, as people ask for it: `layers`, `tensor`, `experts`, with shares as `tensor=3:1`.
 *
 *     layers    each device has whole layers (planner/placement.h)
 *     tensor    every matrix by its output features, attention by its heads, experts by number
 *     planned   as the planner says (planner/lower_placement.h)
 *     experts   everything else is the first device's; with experts=0:1 all experts are the second one's */
#ifndef PLANNER_SHARE_H
#define PLANNER_SHARE_H

#include "ir/plan.h"

enum share_kind { SHARE_LAYERS, SHARE_TENSOR, SHARE_EXPERTS, SHARE_PLANNED };

struct share_choice {
    enum share_kind kind;
    double shares[GRAPH_DEVICES_MAX];
    int share_count; /* 0: equal ones, for all devices that are apart from the host */
};

/* NULL: layers.  `planned` has no shares.  STATUS_USAGE says what may be written. */
CHECKED status share_choice_parse(const char *text, struct share_choice *choice,
                                  struct diagnostic *diagnostic);

/* Splits an unpartitioned graph; `apart[device]` says that it is not the host. */
CHECKED status share_graph(struct graph *graph, const struct share_choice *choice,
                           const bool *apart, int device_count, struct diagnostic *diagnostic);

#endif
