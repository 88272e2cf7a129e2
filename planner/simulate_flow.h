/* Work under way in simulated time, and how it shares links and memory (for planner/simulate*.c only). */
#ifndef PLANNER_SIMULATE_FLOW_H
#define PLANNER_SIMULATE_FLOW_H

#include "base/arena.h"

enum { FLOW_RESOURCES_MAX = 5 };

/* A piece of work that takes `delay` seconds, and then `left` seconds when it has what it needs for itself: of each
 * resource that it names `demand` units per second. */
struct flow {
    bool active;
    double delay, left;
    double demand;
    int resources[FLOW_RESOURCES_MAX];
    int resource_count;
    double speed; /* set by flows_share: 1 alone, less where resources are short */
};

/* Sets speeds: all rise together until a resource is used up, which holds those that use it, and so on.  `capacities`: per
 * resource in units per second, 0: no limit.  `scratch`: room for 2 * resource_count. */
void flows_share(struct flow *flows, int count, const double *capacities, int resource_count,
                 double *scratch);

/* Seconds until the first active flow is done, or has its delay behind it; infinite when none is active. */
double flows_next(const struct flow *flows, int count);
/* Moves all on by `seconds`, at most flows_next. */
void flows_advance(struct flow *flows, int count, double seconds);
bool flow_is_done(const struct flow *flow);

#endif
