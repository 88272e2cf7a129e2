/* A discrete-event simulator: executes the steps of plans on the facts of devices and tells when each begins and ends.
 *
 * It does in simulated time what the executor does (runtime/execute.h): the inputs of a run are written to every card, the
 * steps of each queue go in the plan's order, waits hold their queue until the event is signalled in the same run, and the
 * output is read back when all queues are done.  What is ordered how is the plan's own business; here is no second model of
 * it.  Times are those of planner/step_cost.h; copies that use a link at the same time share its rate, in each direction and
 * in both together, and copies from host memory share its bandwidth with what the host computes. */
#ifndef PLANNER_SIMULATE_H
#define PLANNER_SIMULATE_H

#include "planner/step_cost.h"

/* One ragged batch through one plan. */
struct simulated_run {
    const struct plan *plan; /* all runs' plans have the same devices */
    struct run run;
};

struct simulation {
    const struct simulated_run *runs;
    int run_count;
    const struct device_facts *const *facts;      /* of the plans' devices */
    const struct cost_efficiencies *efficiencies; /* NULL: the plans' seconds (step_cost.h) */
    int in_flight; /* runs that may be under way at once; after one with outputs the next begins when all of it is done */
};

enum span_kind { SPAN_LAUNCH, SPAN_COPY, SPAN_WRITE, SPAN_READ };

/* Something a queue was busy with. */
struct timeline_span {
    enum span_kind kind;
    int queue; /* of the timeline */
    int run;
    int step;      /* of the run's plan; -1: inputs and outputs, which are no steps */
    int64_t bytes; /* moved; 0: a launch */
    double start, end;
};

struct timeline_queue {
    int device;
    bool copies; /* the queue of what comes in beside the computing */
    double busy_seconds;
};

struct timeline {
    const struct simulation *simulation;
    struct timeline_span *spans; /* in the order of their starts */
    int span_count, queue_count;
    size_t span_capacity;
    struct timeline_queue *queues;
    double *run_starts, *run_ends; /* per run */
    double seconds;                /* until the last run ended */
};

/* The simulation must stay while the timeline is used.  STATUS_FAILED when queues wait for each other forever. */
CHECKED status simulate(const struct simulation *simulation, struct arena *arena,
                        struct timeline **timeline, struct diagnostic *diagnostic);

/* A prompt of so many tokens in chunks as large as the plan allows, then `generated` steps of one token per sequence. */
struct workload {
    const struct plan *prefill, *decode; /* may be the same */
    int64_t prompt_tokens, generated_tokens;
    int sequences; /* side by side, each with the prompt */
};
CHECKED status workload_runs(const struct workload *workload, struct arena *arena,
                             struct simulated_run **runs, int *count, int *prefill_count,
                             struct diagnostic *diagnostic);

#endif
