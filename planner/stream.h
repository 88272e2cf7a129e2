/* Weights that are kept in host memory and streamed to the cards that compute with them, each time anew. */
#ifndef PLANNER_STREAM_H
#define PLANNER_STREAM_H

#include "ir/plan.h"

enum stream_kind {
    STREAM_NOTHING,
    STREAM_EXPERTS, /* matrices of routed experts */
    STREAM_LAYERS   /* every matrix of the layers */
};

struct stream_choice {
    enum stream_kind kind;
    int ahead; /* transfers under way or waiting beside what is worked on; 0: each is waited for */
};

/* Those of a layer of experts, gate, up and down, so that the next layer's come while this one's are used, and one more. */
enum { STREAM_AHEAD = 4, STREAM_AHEAD_MOST = 1000 };

/* "experts", "layers=8"; NULL: nothing.  STATUS_USAGE says what may be written. */
CHECKED status stream_choice_parse(const char *text, struct stream_choice *choice,
                                   struct diagnostic *diagnostic);

/* Rewrites a partitioned and fused graph; `apart[device]` says that it is not the host, of which there must be one. */
CHECKED status stream_weights(struct graph *graph, const struct stream_choice *choice,
                              const bool *apart, int device_count, struct diagnostic *diagnostic);

/* The same for experts that cards keep for a while: `slots` per layer, in a graph that is not fused yet (ir/pass_slots.c). */
CHECKED status stream_slots(struct graph *graph, int64_t slots, const bool *apart, int device_count,
                            struct diagnostic *diagnostic);

#endif
