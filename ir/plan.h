/* The plan: a graph lowered onto devices, as data.  Steps, chosen images per bucket, buffers, homes
 * of weights. Executing a plan (runtime/execute.h) never searches and never generates code. */
#ifndef IR_PLAN_H
#define IR_PLAN_H

#include "ir/bucket.h"
#include "ir/pass.h"
#include "ir/variant.h"

enum step_kind {
    STEP_LAUNCH,     /* run node `node` with the image chosen for the step's bucket */
    STEP_COPY,       /* value `value` -> value `target`, between devices */
    STEP_SIGNAL,     /* mark `event` when the queue gets here */
    STEP_WAIT,       /* hold the queue until `event` is marked */
    STEP_COLLECTIVE, /* sum or gather over devices */
    STEP_HOST_TASK,  /* work on the host beside the queues */
    STEP_RESOLVE     /* read routed experts, map them to slots, queue fetches */
};

/* A device's queues: for work, and for what comes in while it works. */
enum plan_queue { QUEUE_WORK, QUEUE_COPIES, QUEUE_COUNT };

struct plan_step {
    enum step_kind kind;
    int device; /* whose queue */
    enum plan_queue queue;
    int node;          /* LAUNCH */
    int value, target; /* COPY */
    int event;         /* SIGNAL, WAIT */
};

struct plan_device {
    const char *specification; /* as in --devices: "cpu", "virtual:256MiB" */
    const char *class_name;    /* of its facts */
    enum target target;
    int architecture; /* of a card: 86 for sm_86; 0: a host */
    int64_t arena_bytes;
    int64_t weight_bytes, state_bytes; /* what will live on it */
};

/* An image with its provenance. */
struct plan_image {
    const struct problem *problem;
    const char *candidate; /* text form */
    struct hash artifact;
    struct hash source; /* of its variant when it was compiled; 0 for references */
    struct image image;
    double seconds; /* measured or estimated time at the bucket's bounds; 0: unknown */
    bool measured;
    bool spare;     /* packed beside image `stands_for`, in whose place it may be chosen */
    int stands_for; /* of the same problem, itself no spare */
};

struct plan_bounds {
    int64_t tokens;    /* most tokens in one step */
    int64_t outputs;   /* most logit rows in one step */
    int64_t sequences; /* page tables side by side */
    int64_t context;   /* longest sequence */
    int64_t page_tokens;
    int64_t pages; /* per state: sequences * ceil(context / page_tokens) */
};

/* What a plan's graph gives for each output row; those behind the logits are of an operator `top`, and
 * few plans have them. */
enum plan_output { PLAN_LOGITS, PLAN_TOP_IDS, PLAN_TOP_VALUES, PLAN_TOP_NOT_NUMBERS, PLAN_OUTPUTS };

struct plan {
    struct arena *arena;
    struct graph *graph; /* after all passes */
    struct plan_bounds bounds;
    int device_count, step_count, event_count, image_count;
    size_t step_capacity, image_capacity;
    struct plan_device *devices;
    struct plan_step *steps;
    struct plan_image *images;
    int (*choices)[BUCKET_ROW_COUNT]
                  [BUCKET_CONTEXT_COUNT]; /* per node: index into images, -1: node has no launch */
    struct memory_layout memory;
    struct plan *
        prefill; /* the schedule of steps of `prefill_tokens` and more, with an arena of its own, over
                           * the homes of this one (plan_phases.c); NULL: there is one for all */
    int64_t prefill_tokens;
    const struct placement
        *placement; /* what the planner said (planner/placement.h); NULL: not asked */
};

/* plan_phases.c: the schedule of a step of so many tokens. */
const struct plan *plan_schedule(const struct plan *plan, int64_t tokens);
/* Whether two schedules mean one weight or state of one device. */
bool plan_same_home(const struct value *a, const struct value *b);
/* The value of `graph` that is `wanted`; VALUE_NONE: there is none. */
int plan_find_home(const struct graph *graph, const struct value *wanted);
CHECKED status plan_verify_phases(const struct plan *plan, struct diagnostic *diagnostic);

/* How many of the largest logits of each row it gives; 0: none but all of them. */
int64_t plan_top_count(const struct plan *plan);

/* Symbol values at the plan's bounds. */
void plan_symbols(const struct plan_bounds *bounds, int64_t symbols[SYMBOL_COUNT]);

/* Bounds of every index, overlap of live buffers, launches within their images: run on every plan
 * from a file. */
CHECKED status plan_verify(const struct plan *plan, struct diagnostic *diagnostic);

#endif
