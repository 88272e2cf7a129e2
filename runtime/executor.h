/* The inside of executors, for runtime/execute.c and executor_*.c only. */
#ifndef RUNTIME_EXECUTOR_H
#define RUNTIME_EXECUTOR_H

#include "runtime/execute.h"
#include "runtime/homes.h"

/* Two may be under way, and the second may yet have to look at events of the first when the third is put together. */
enum { STEPS_KEPT = 3 };

struct carried {
    int device, event; /* whose queue waits for what */
};

/* What a router gave, while somebody watches (executor_routing.c). */
struct routed {
    int step, used; /* the launch; experts per row */
    int64_t rows;   /* of the step under way */
    int32_t *ids;   /* [the plan's most tokens, used] */
};

struct expert_slots; /* executor_slots.h */

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
    struct event **events[STEPS_KEPT];  /* a set for each step that is kept */
    int set;                            /* of the last step begun */
    void **staged[STEPS_KEPT];          /* [value] its inputs, until the devices have read them */
    struct carried
        *carried; /* copies that the next step must wait for before it writes what they read */
    int carried_count;
    bool *works;   /* per device: it has steps */
    bool overlaps; /* a step may begin before the one before it ends */
    bool under_way;
    double *seconds;
    bool timed;
    struct step_watch watch;
    struct step_observer observer;
    struct executor
        *prefill; /* of the plan's second schedule, on homes of this one; NULL: there is none */
    struct executor *lender; /* of a second schedule: the executor whose homes it uses */
    struct routing_watch routing;
    struct routed *routed; /* per router, in the order of their steps */
    int routed_count;
    struct expert_slots *slots; /* NULL: the plan has none */
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

/* Looks all addresses of operands up again. */
void executor_resolve_operands(struct executor *executor);
/* execute.c: enqueues the launch of step `s`. */
CHECKED status executor_launch(struct executor *executor, int s, const struct run *whole,
                               struct diagnostic *diagnostic);

/* executor_routing.c: reads what step `s` has routed, once it is launched; tells all that was read, once it is there. */
CHECKED status executor_read_routing(struct executor *executor, int s, const struct run *run,
                                     struct diagnostic *diagnostic);
void executor_tell_routing(struct executor *executor);

/* executor_phases.c: the executor of a step of so many tokens, once the other has nothing under way. */
CHECKED status executor_of_step(struct executor *executor, int64_t tokens, struct executor **chosen,
                                struct diagnostic *diagnostic);
/* Waits for the steps of one schedule. */
CHECKED status executor_finish_own(struct executor *executor, struct diagnostic *diagnostic);

/* executor_overlap.c: what is needed to have two steps under way. */
CHECKED status executor_prepare_overlap(struct executor *executor, struct diagnostic *diagnostic);

#endif
