/* Effort 0: an instant answer for every problem. */
#include "planner/choose.h"

#include <math.h>

struct best_estimate {
    const struct bound_space *bound;
    struct config config;
    double seconds;
    int seen;
};

static bool keep_better(void *context, const struct config *config)
{
    struct best_estimate *best = context;
    double seconds = space_estimate(best->bound, config);
    if (seconds < best->seconds) {
        best->seconds = seconds;
        best->config = *config;
    }
    return ++best->seen < ESTIMATES_MAX;
}

double choose_by_estimate(const struct bound_space *bound, struct config *config)
{
    struct best_estimate best = {.bound = bound};
    space_default(bound, &best.config);
    best.seconds = space_estimate(bound, &best.config); /* the default wins ties */
    space_each(bound, keep_better, &best);
    *config = best.config;
    return best.seconds;
}

static status estimate_all(const struct chooser *chooser, const struct problem *problem,
                           const struct device_facts *facts, struct arena *scratch,
                           struct choice *choice, struct diagnostic *diagnostic)
{
    struct bound_space *bound;
    TRY_NEW(bound, scratch, 1, diagnostic);
    double best = INFINITY;
    for (int s = 0; s < chooser->catalogue->count; s++) {
        const struct space *space = chooser->catalogue->spaces[s];
        const char *reason;
        if (space->fast && !chooser->fast) continue;
        if (!space_bind(space, problem, facts, scratch, bound, &reason)) continue;
        struct config config;
        double seconds = choose_by_estimate(bound, &config);
        if (seconds >= best) continue;
        best = seconds;
        choice->candidate = (struct candidate){.space = space, .config = config};
        choice->seconds = seconds;
    }
    return STATUS_OK;
}

status choose_candidate(const struct chooser *chooser, const struct problem *problem,
                        const struct device_facts *facts, struct arena *scratch,
                        struct choice *choice, struct diagnostic *diagnostic)
{
    *choice = (struct choice){.candidate = {.space = NULL}};
    if (chooser->references) return STATUS_OK;
    return estimate_all(chooser, problem, facts, scratch, choice, diagnostic);
}
