/* When values are alive, counted in nodes. */
#ifndef IR_LIVENESS_H
#define IR_LIVENESS_H

#include "ir/graph.h"

/* From the node that makes a result to the last one that uses it, both included; outputs of the graph live on to
 * node_count.  `first` is -1 for values that no node makes. */
struct liveness {
    int *first, *last; /* [value_count] */
};
CHECKED status liveness_find(const struct graph *graph, struct arena *arena,
                             struct liveness *liveness, struct diagnostic *diagnostic);

#endif
