/* Passes: each takes a legal graph and leaves a legal graph; each lives in a file of its own, ir/pass_NAME.c, whose head
 * says what it requires and what it provides.  The order that loses nothing: rotation of states, layer map, partition or split, fusion, dead code,
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

/* Who computes a part of a model: each device in proportion to its share, or, where these are NULL, the owner alone.
 * What cannot be cut is the owner's. */
struct split_part {
    int owner;
    const double *shares; /* [device_count], of which one at least is above 0 */
};
struct split_layer {
    struct split_part attention, dense, experts;
};
struct split_request {
    int device_count, layer_count;
    const struct split_layer *layers;
    struct split_part before, after; /* embedding; norm and output matrix */
};

/* Puts nodes on devices, of which several may share one: linears by their output features, attention by its heads, experts
 * by number.  Weights are cut into slices and states into heads; pieces come together by transfers and joins, never by
 * sums that one device would not do, so every result is bit for bit what one device gives. */
CHECKED status pass_split(struct graph *graph, const struct split_request *request,
                          struct diagnostic *diagnostic);

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

/* Keeps weights on device `home` and brings them to their users by transfers, each of which stands `ahead` transfers of its
 * device before its user, so that it can be under way while others are worked on.  `streamed[value]`: which. */
CHECKED status pass_stream(struct graph *graph, const bool *streamed, int home, int ahead,
                           struct diagnostic *diagnostic);

/* Where a layer's experts are on a device that is `apart` from the host: keeps all of them on device `host` and gives the card
 * room for `slots` of them, which change while it runs.  Layers with no more experts than that stay as they are. */
CHECKED status pass_slots(struct graph *graph, int64_t slots, int host, const bool *apart,
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
