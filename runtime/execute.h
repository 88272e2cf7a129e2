/* Execution of a plan: never searches, never generates code.
 *
 * An executor is a plan bound to open devices: weights and states at home, images loaded, operand addresses resolved.
 * A step is a ragged batch; its inputs are copied into the executor's own buffers, so launches are the same from step
 * to step.  A plan with two schedules has an executor for each inside, on the same homes; the number of a step's tokens
 * chooses (plan_schedule). */
#ifndef RUNTIME_EXECUTE_H
#define RUNTIME_EXECUTE_H

#include "base/progress.h"
#include "ir/plan.h"
#include "ir/weight_source.h"
#include "runtime/device.h"

struct executor;

struct step {
    int64_t token_count, output_count, sequence_count;
    const int32_t *tokens;    /* [token_count] */
    const int32_t *positions; /* [token_count] position within its sequence */
    const int32_t *sequences; /* [token_count] row of the page table */
    const int32_t *outputs;   /* [output_count] tokens whose logits are wanted */
    const int32_t *pages;     /* [sequence_count, stride of the plan's bounds] */
    int64_t context;          /* longest sequence after this step */
};

/* The plan, the devices and the weight source stay the caller's and must outlive the executor. */
CHECKED status executor_create(const struct plan *plan, struct device *const *devices,
                               const struct weight_source *weights, const struct progress *progress,
                               struct executor **executor, struct diagnostic *diagnostic);
/* An executor in the place of `before`, which had the same devices, weight source, and bounds, and is destroyed in every
 * case: weights and kernels that both plans have (kernels: by sharing the image's memory) stay where they are, memory of
 * states and results is used again. */
CHECKED status executor_replace(struct executor *before, const struct plan *plan,
                                const struct weight_source *weights,
                                const struct progress *progress, struct executor **executor,
                                struct diagnostic *diagnostic);
void executor_destroy(struct executor *executor); /* NULL is allowed */
/* A device has been given up (device_hangs): the executor, its plan, weights and devices must stay. */
bool executor_hangs(const struct executor *executor);

/* Is called before each launch on the host, when its inputs are there and in place: for looking at activations.  The
 * step then waits after every launch. */
struct step_watch {
    void (*see)(void *context, const struct node *node, const struct problem *problem,
                const struct run *run, void *const *operands);
    void *context;
};
void executor_watch(struct executor *executor,
                    const struct step_watch *watch); /* see NULL: no more */

/* Is called for every router when a step has ended: `ids` are the experts of each row, i32[rows, used], and `layer` counts as
 * in the plan's graph.  Routers come in the graph's order, so the first one begins a new step.  Works on every device and
 * costs a small copy per layer; a step that was begun is then waited for at once. */
struct routing_watch {
    void (*see)(void *context, int layer, const int32_t *ids, int64_t rows, int used);
    void *context;
};
CHECKED status executor_watch_routing(struct executor *executor, const struct routing_watch *watch,
                                      struct diagnostic *diagnostic); /* see NULL: no more */

/* Runs one step.  `results[o]` receives output `o` of the plan's graph (enum plan_output), output_count rows; NULL: it is
 * not wanted and stays where it is. */
CHECKED status executor_step(struct executor *executor, const struct step *step,
                             void *const *results, struct diagnostic *diagnostic);

/* Begins a step whose outputs nobody wants.  On devices with queues of their own it may return before the step has ended, but
 * not before the step that was begun before it: the next one then starts while this one is under way (executor_overlap.c).
 * What `step` points to may change afterwards.  Failures of the step may be told by whatever is called next. */
CHECKED status executor_begin(struct executor *executor, const struct step *step,
                              struct diagnostic *diagnostic);
/* Waits for all steps that were begun. */
CHECKED status executor_finish(struct executor *executor, struct diagnostic *diagnostic);

/* Copies page `from` to page `to` in every state. */
CHECKED status executor_copy_page(struct executor *executor, int from, int to,
                                  struct diagnostic *diagnostic);

/* Is called when a step has ended, whose plan steps were timed one by one (executor_step_seconds): while somebody observes, a
 * step waits for its device after every launch. */
struct step_observer {
    void (*see)(void *context, const struct run *run);
    void *context;
};
void executor_observe(struct executor *executor,
                      const struct step_observer *observer); /* see NULL: no more */
/* Where the operands of a launch lie in steps of so many tokens, inputs before outputs; NULL: absent. */
void *const *executor_operands(const struct executor *executor, int64_t tokens, int plan_step);

/* Seconds of each plan step in the last executor_step run with timing on; a step then waits for its device after every
 * launch, so the sum is a little longer than an ordinary step. */
void executor_time_steps(struct executor *executor, bool on);
/* [step_count] of the schedule that steps of so many tokens have */
const double *executor_step_seconds(const struct executor *executor, int64_t tokens);

#endif
