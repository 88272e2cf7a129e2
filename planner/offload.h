/* Work for which a card has no kernel runs on the host beside it. */
#ifndef PLANNER_OFFLOAD_H
#define PLANNER_OFFLOAD_H

#include "planner/build.h"

/* Fuses the plan's partitioned graph, but never into what a card cannot run, and then moves what a card cannot run, with
 * all that shares its states, to the first host device of the list.  STATUS_DEVICE when there is none. */
CHECKED status offload_fuse(struct plan *plan, const struct build_options *options,
                            struct diagnostic *diagnostic);

#endif
