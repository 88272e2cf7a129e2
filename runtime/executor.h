/* The inside of executors, for runtime/execute.c and executor_bind.c only. */
#ifndef RUNTIME_EXECUTOR_H
#define RUNTIME_EXECUTOR_H

#include "runtime/execute.h"
#include "runtime/homes.h"

struct executor {
    struct arena *arena;
    const struct plan *plan;
    struct device *const *devices;
    struct device **copies;  /* per device: its queue for what comes in, NULL where it has none */
    struct home *homes;      /* per value: weights and states */
    struct home *arenas;     /* per device: results */
    struct home *inputs;     /* per device and value: device's own copy of the step's inputs */
    struct kernel **kernels; /* per device and image; NULL where unused */
    void *(*operands)[OP_OPERANDS_MAX]; /* per plan step */
    struct event **events;
    double *seconds;
    bool timed;
    struct step_watch watch;
};

/* The copy of input `value` on `device`. */
static inline struct home *executor_input(const struct executor *executor, int device, int value)
{
    return &executor->inputs[device * executor->plan->graph->value_count + value];
}

static inline struct kernel **executor_kernel(const struct executor *executor, int device,
                                              int image)
{
    return &executor->kernels[device * executor->plan->image_count + image];
}

/* Where a value is, as seen by work on `device`; NULL for VALUE_NONE. */
void *executor_address(const struct executor *executor, int device, int value);

#endif
