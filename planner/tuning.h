/* What to tune for a plan: its distinct problems, with how often each runs. */
#ifndef PLANNER_TUNING_H
#define PLANNER_TUNING_H

#include "planner/build.h"
#include "tuner/tune.h"

struct tuning_options {
    const char *op;       /* only this operator; NULL: all */
    int64_t prompt_share; /* prompt tokens per generated token of the workload to weigh by */
};

/* The problems of device `device` of a plan whose graph is lowered: those of decode (one row per sequence) and those of
 * whole prompt chunks; what lies between is chosen by neighbours and estimates.  Problems that no variant answers are left
 * out.  In the order of the graph, prompt chunks behind. */
CHECKED status tuning_problems(const struct plan *plan, const struct catalogue *catalogue,
                               const struct device_facts *facts, int device,
                               const struct tuning_options *options, struct arena *arena,
                               struct tune_problem **problems, int *count,
                               struct diagnostic *diagnostic);

#endif
