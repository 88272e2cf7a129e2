/* From a placement to a graph on devices: `--split planned`.
 *
 * Either phase has its schedule (options->prompts): what the placement computes in it on a card is computed there, what it
 * would stream to cards whole is streamed, and a share of a part that it would stream in part is computed by the host. */
#ifndef PLANNER_LOWER_PLACEMENT_H
#define PLANNER_LOWER_PLACEMENT_H

#include "planner/build.h"
#include "planner/placement.h"

struct lowered {
    const struct placement *placement;
    const char **sources; /* of weights, with their parts */
    enum placement_part *parts;
    int source_count;
};

/* Whether prompts have a schedule of their own, and steps that are large enough for it. */
bool lower_differs(const struct build_options *options, const struct placement *placement);

/* Asks the planner, unless the options have its answer, and splits the plan's unpartitioned graph as it says.  `memory_bytes[device]` is what it may count on. */
CHECKED status lower_planned(struct plan *plan, const struct build_options *options,
                             const int64_t *memory_bytes, struct lowered *lowered,
                             struct diagnostic *diagnostic);

/* Streams, in the fused graph, what the placement keeps on the host and computes on cards. */
CHECKED status lower_streams(struct plan *plan, const struct build_options *options,
                             const struct lowered *lowered, struct diagnostic *diagnostic);

/* Whether weights, states and activations of the lowered graph, and of a second schedule's (NULL: there is none), fit; where
 * they do not, what the planner may count on next time is made smaller by that.  The planned context is in them: states are
 * counted in full. */
CHECKED status lower_check_memory(const struct plan *plan, const struct graph *second,
                                  const struct build_options *options, int64_t *memory_bytes,
                                  bool *fits, struct diagnostic *diagnostic);

#endif
