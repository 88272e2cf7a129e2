/* Replays of recorded routings through the policies of expert caches (runtime/expert_cache.h), and the choice of one.
 *
 * A step asks each layer for the different experts that its rows are routed to; it hits those that are in slots then.  What
 * the policy takes in is there for the next step. */
#ifndef PLANNER_EXPERT_REPLAY_H
#define PLANNER_EXPERT_REPLAY_H

#include "planner/routing_trace.h"
#include "runtime/expert_cache.h"

struct replay_range {
    int slots;   /* per layer */
    bool shared; /* all layers' slots are one pool */
    /* Steps [begin, middle) fill the caches and are the record of policies that need one; hits are counted in
     * [middle, end). */
    int64_t begin, middle, end;
};

struct replay_rate {
    int64_t asked, hits, taken; /* experts asked for, there, and taken in */
};

static inline double replay_share(struct replay_rate rate)
{
    return rate.asked ? (double)rate.hits / (double)rate.asked : 1;
}

CHECKED status expert_replay(const struct routing_trace *trace, const struct expert_policy *policy,
                             const struct replay_range *range, struct replay_rate *rate,
                             struct diagnostic *diagnostic);

/* How often each expert was asked for, [layers, experts]. */
CHECKED status expert_frequencies(const struct routing_trace *trace, struct arena *arena,
                                  double **frequencies, struct diagnostic *diagnostic);

struct expert_comparison {
    /* [expert_policy_count] over the second quarter, which the choice goes by, and over the second half, which it has not
     * seen */
    struct replay_rate trial[EXPERT_POLICY_MOST], rates[EXPERT_POLICY_MOST];
    /* Policies that do not know the future.  The choice is the default one, which follows the others, unless one of them has
     * done clearly better than it. */
    int chosen;  /* by the trial */
    int best;    /* in the second half */
    int advised; /* by the second half, for what comes behind the trace */
    int oracle;
};

CHECKED status expert_compare(const struct routing_trace *trace, int slots, bool shared,
                              struct expert_comparison *comparison, struct diagnostic *diagnostic);

#endif
