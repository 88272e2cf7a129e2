/* The inside of expert slots, for runtime/executor_*.c only. */
#ifndef RUNTIME_EXECUTOR_SLOTS_H
#define RUNTIME_EXECUTOR_SLOTS_H

#include "runtime/executor.h"
#include "runtime/expert_slots.h"

/* A layer of experts has three matrices and a bias for each. */
enum { SLOT_WEIGHTS_MAX = 8 };

struct slot_weight {
    int card, host; /* values: the slots, and all experts */
    int64_t expert_bytes;
};

/* Weights that are kept together, and what is in their slots.  Virtual layers that repeat a layer share one. */
struct slot_group {
    int device, host; /* devices */
    int experts, slots;
    struct slot_weight weights[SLOT_WEIGHTS_MAX];
    int weight_count;
    int offsets; /* value: of the host's dispatch */
    struct expert_cache cache;
    double credit_seconds; /* of the host's work on misses, while fetching none was quickest */
};

/* An expert that a step asks for. */
struct asked {
    int32_t expert;
    int64_t rows;
};

struct expert_slots {
    struct slot_group *groups;
    int group_count, slots; /* now */
    int *group_of_step;     /* [plan steps] */
    struct event *arrived;  /* what was fetched for a step */
    int64_t *rows;          /* [experts] of a step; zeros between steps */
    int32_t *experts;       /* [experts] that a step asks for */
    struct asked *misses;   /* [experts] */
    int64_t *miss_rows;     /* [experts] */
    struct miss_times times;
    struct expert_counts counts;
    struct arena *policy_arena; /* of the caches */
};

/* executor_slots.c: finds the groups of a bound plan; nothing where it has none. */
CHECKED status executor_prepare_slots(struct executor *executor, struct diagnostic *diagnostic);
void executor_free_slots(struct executor *executor);
/* Homes whose content is no longer what a plan says. */
void executor_drop_slots(struct executor *executor);

/* executor_resolve.c: runs a STEP_RESOLVE when all that was enqueued is done. */
CHECKED status executor_resolve(struct executor *executor, int s, const struct run *run,
                                struct diagnostic *diagnostic);
CHECKED status executor_fetch_expert(struct executor *executor, const struct slot_group *group,
                                     int expert, int slot, struct diagnostic *diagnostic);

/* executor_miss_times.c: measures with the weights of the first group. */
CHECKED status executor_measure_misses(struct executor *executor, struct diagnostic *diagnostic);

#endif
