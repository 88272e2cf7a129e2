/* Passes: each takes a legal graph and leaves a legal graph; each lives in a file of its own, ir/pass_NAME.c, whose head
 * says what it requires and what it provides.  The order that loses nothing: rotation of states, layer map, partition, fusion, dead code,
 * memory.  After a failure the graph may be half changed; discard it. */
#ifndef IR_PASS_H
#define IR_PASS_H

#include "ir/graph.h"

/* Infers every node's output types again after types of values changed. */
CHECKED status pass_shapes(struct graph *graph, struct diagnostic *diagnostic);

/* Rotates the heads of paged states before they are written, and queries and results of attention with them. */
CHECKED status pass_rotate_states(struct graph *graph, struct diagnostic *diagnostic);

/* Keeps the nodes whose results reach an output or write a state. */
CHECKED status pass_dead_code(struct graph *graph, struct diagnostic *diagnostic);

/* Repeats, drops and reorders layers: virtual layer v runs layer map[v] of the graph, with the same weights and a state
 * of its own.  Requires a graph whose layers are numbered 0..layer_count-1 in order and joined by one value each. */
CHECKED status pass_layer_map(struct graph *graph, const int *map, int count,
                              struct diagnostic *diagnostic);

/* Puts each node on a device: layer l on device_of_layer[l], what comes before on the first layer's device, what comes
 * after on the last one's.  Weights and states follow their users. */
CHECKED status pass_partition(struct graph *graph, const int *device_of_layer, int layer_count,
                              int device_count, struct diagnostic *diagnostic);

/* Replaces neighbours by fused operators: add + rmsnorm, linears on one input, gate and up with their activation,
 * linear + residual add, rope + append. */
CHECKED status pass_fuse(struct graph *graph, struct diagnostic *diagnostic);
/* The same, but only where `allows` takes the joined node: a device may have kernels for its parts alone. */
struct fuse_filter {
    bool (*allows)(void *context, const struct graph *graph, const struct node *node);
    void *context;
};
CHECKED status pass_fuse_where(struct graph *graph, const struct fuse_filter *filter,
                               struct diagnostic *diagnostic);

/* Puts every node on the device that is given for it, in a graph that may be partitioned and fused already: transfers
 * are drawn anew (what is given for them does not count), weights and states follow their users. */
CHECKED status pass_place(struct graph *graph, const int *device_of_node, int device_count,
                          struct diagnostic *diagnostic);

/* Gives every result value an offset in its device's arena so that values alive at the same time do not overlap. */
struct memory_layout {
    int64_t *offsets;      /* per value; -1 where the value has no place in an arena */
    int64_t *bytes;        /* per value, at the symbols' bounds */
    int64_t *device_bytes; /* arena size per device */
};
CHECKED status pass_memory(const struct graph *graph, const int64_t symbols[SYMBOL_COUNT],
                           int device_count, struct arena *arena, struct memory_layout *layout,
                           struct diagnostic *diagnostic);

#endif
