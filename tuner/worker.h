/* The measuring worker: a child process that compiles candidates, checks their results and times
 * them.  Whatever a candidate does to that process (hang, crash, eat memory, write anywhere)
 * becomes its outcome; the process is replaced and the work goes on.
 *
 * Functions return STATUS_OK when there is an outcome, good or bad, and another status when
 * measuring itself is not possible (no memory for the operands, no processes). */
#ifndef TUNER_WORKER_H
#define TUNER_WORKER_H

#include "base/process.h"
#include "base/work_clock.h"
#include "tuner/measure.h"
#include "tuner/trial.h"

enum { WORKER_SLOTS = 12 }; /* kernels that are loaded side by side */

/* Everything must stay as it is while the worker lives: the child works on a copy. */
struct worker_setup {
    const struct runner *runner;
    const struct device_facts *facts;
    const struct problem *const *problems;
    int problem_count;
    uint64_t seed;
    struct work_clock *clock;   /* looked at while waiting; NULL: none */
    int64_t memory_limit_bytes; /* of one workload's operands */
    uint64_t child_bytes; /* address space that the child may add to the parent's; 0: no limit, as
                             CUDA drivers need it, which reserve more than any machine has */
    double check_operations;                 /* that a reference may take */
    double prepare_seconds, compile_seconds; /* deadlines */
    double least_seconds,
        most_seconds; /* deadline for running: ten times the best so far, within these.  A candidate
                         that does not end costs this, and 1 s more where the machine let it rest */
};

/* With the defaults of all limits. */
struct worker_setup worker_setup_default(void);

struct worker;

CHECKED status worker_create(const struct worker_setup *setup, struct worker **worker,
                             struct diagnostic *diagnostic);
void worker_destroy(struct worker *worker); /* NULL is allowed */
int worker_restarts(const struct worker *worker);

/* Makes a problem the one that worker_compile compiles for, unless it is; no operands are made.
 * Forgets all slots. */
CHECKED status worker_select(struct worker *worker, int problem, struct diagnostic *diagnostic);

/* Makes operands and expected results of a problem, for candidates with these numerics; forgets all
 * slots. */
CHECKED status worker_prepare(struct worker *worker, int problem, const int *blocks,
                              int block_count, struct diagnostic *diagnostic);

/* The candidate's image, encoded, in `arena`. */
CHECKED status worker_compile(struct worker *worker, const struct candidate *candidate,
                              struct arena *arena, void **image, size_t *image_bytes,
                              struct outcome *outcome, struct diagnostic *diagnostic);

/* Puts a candidate's image into a slot and checks its results; `seconds` is the time of one run. */
CHECKED status worker_check(struct worker *worker, int slot, const struct candidate *candidate,
                            const void *image, size_t image_bytes, double *seconds,
                            struct outcome *outcome, struct diagnostic *diagnostic);

/* Times the candidate in a slot.  `samples` has room for limits->samples_most. */
CHECKED status worker_measure(struct worker *worker, int slot, const struct measure_limits *limits,
                              float *samples, int *count, struct outcome *outcome,
                              struct diagnostic *diagnostic);

/* Times the candidates of several slots in turn, one sample each per round; limits->samples_most
 * rounds at most.  Sample r of slots[s] goes to samples[s * limits->samples_most + r].  When one of
 * them fails it is the only one with a bad outcome and there are no samples: race the others again.
 */
CHECKED status worker_race(struct worker *worker, const int *slots, int slot_count,
                           const struct measure_limits *limits, float *samples, int *rounds,
                           struct outcome outcomes[WORKER_SLOTS], struct diagnostic *diagnostic);

#endif
