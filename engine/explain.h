/* Explaining a choice: every way to answer a step's problem, with what is known of it. */
#ifndef ENGINE_EXPLAIN_H
#define ENGINE_EXPLAIN_H

#include "engine/engine.h"
#include "tuner/decision.h"
#include "tuner/store.h"

/* One variant that does not answer, or one candidate of a variant that does. */
struct explained {
    const char *candidate; /* a variant's name, or a candidate's text */
    const char *verdict;   /* "chosen", "slower", "outdated", "mismatch", "does not answer" ... */
    const char *reason;    /* in words; "" when there is nothing to add */
    double seconds;        /* median of its last record, or its estimate; 0: unknown */
    bool measured;
    const struct record *record; /* the last; NULL: none */
};

struct explanation {
    const struct problem *problem;
    const char *chosen; /* in the plan, or by the records */
    struct decision decision;
    struct explained *rows; /* fastest first, then failures, then variants that do not answer */
    int row_count;
    struct record *records; /* in the order in which they were added */
    int record_count;
    struct bound_space *spaces; /* that answer */
    int space_count;
};

/* What an explanation is made from; it is the setting of the decision. */
struct explain_setting {
    const struct catalogue *catalogue;
    const struct device_facts *facts;
    const char *compiler;
    struct decision_policy policy;
    struct store *store;
};

/* `chosen` NULL: what the records lead to.  All texts live in `arena`. */
CHECKED status explain_problem(const struct explain_setting *setting, const struct problem *problem,
                               const char *chosen, struct arena *arena,
                               struct explanation *explanation, struct diagnostic *diagnostic);

/* `step` is a launch of the engine's plan; `tokens` picks the bucket.  All texts live in `arena`. */
CHECKED status engine_explain(struct engine *engine, int step, int64_t tokens, struct arena *arena,
                              struct explanation *explanation, struct diagnostic *diagnostic);

/* The image that a step uses for this many tokens, or -1. */
int engine_step_image(const struct engine *engine, int step, int64_t tokens);

#endif
