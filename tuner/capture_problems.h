/* Tuning what a workload really ran: the problems of a capture, as often and as dear as they were, experts routed as they
 * were. */
#ifndef TUNER_CAPTURE_PROBLEMS_H
#define TUNER_CAPTURE_PROBLEMS_H

#include "tuner/capture.h"
#include "tuner/tune.h"

struct capture_selection {
    const struct op *const *ops; /* op_table() */
    const struct catalogue *catalogue;
    const struct device_facts *facts;
    const char *op; /* only this operator; NULL: all */
};

/* Those that ran on the device's class, all of them where none did; those that no variant answers are left out.  A problem
 * whose operands route gets the routing of its bucket of rows: the mean over layers, the most popular experts of each put
 * together (ir/routing.h). */
CHECKED status capture_problems(const struct capture *capture,
                                const struct capture_selection *selection, struct arena *arena,
                                struct tune_problem **problems, int *count,
                                struct diagnostic *diagnostic);

/* That routing; distinct 0 where none was captured for its rows. */
CHECKED status capture_routing(const struct capture *capture, const struct problem *problem,
                               struct arena *scratch, struct routing *routing,
                               struct diagnostic *diagnostic);

#endif
