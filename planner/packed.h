/* Plans that were made ahead of time hold several candidates per problem (choose_several): which of them to race on the
 * devices that are here, and which to use, by the records of these devices. */
#ifndef PLANNER_PACKED_H
#define PLANNER_PACKED_H

#include "ir/plan.h"
#include "tuner/store.h"
#include "tuner/tune.h"

struct packed_device {
    const struct device_facts *facts;
    const char *specification;
    const char *compiler; /* of the plan's kernels for it */
};

struct packed_options {
    const struct catalogue *catalogue;
    struct store *store;
    bool fast;
    const struct packed_device *devices; /* as many as the plan has */
};

/* The problems of one device that have packed candidates and no finals yet: those of decode and of whole prompt chunks,
 * weighed by `prompt_share` prompt tokens per generated one. */
CHECKED status packed_problems(const struct plan *plan, const struct packed_options *options,
                               int device, int64_t prompt_share, struct arena *arena,
                               struct tune_problem **problems, int *count,
                               struct diagnostic *diagnostic);

/* Puts the candidates that records favour, for the very problem or for its neighbours in rows and context, in the place of
 * those that the plan chose by estimates; what was found to be wrong is never left there. */
CHECKED status packed_choose(struct plan *plan, const struct packed_options *options,
                             struct diagnostic *diagnostic);

#endif
