/* What the worker's two processes say to each other, for tuner/worker*.c only.  Both run the same
 * program (the child is forked), so messages are structs. */
#ifndef TUNER_WORKER_PROTOCOL_H
#define TUNER_WORKER_PROTOCOL_H

#include "tuner/worker.h"

#include <stdatomic.h>

enum request_kind {
    REQUEST_PREPARE, /* problem, blocks */
    REQUEST_COMPILE, /* candidate -> encoded image */
    REQUEST_LOAD,    /* slot, candidate, encoded image */
    REQUEST_CHECK,   /* slot -> seconds */
    REQUEST_MEASURE, /* slot, limits -> samples */
    REQUEST_RACE     /* slots, limits -> samples of each slot, one slot after the other */
};

struct request {
    enum request_kind kind;
    int problem, block_count, blocks[CHECK_SCALES_MAX];
    struct candidate candidate; /* its space lives in both processes */
    int slot_count, slots[WORKER_SLOTS];
    struct measure_limits limits;
    size_t image_bytes; /* behind the request */
};

/* `code` other than STATUS_OK: the request could not be carried out, which says nothing about a
 * candidate. */
struct answer {
    status code;
    struct diagnostic diagnostic;
    struct outcome outcomes[WORKER_SLOTS]; /* [0], or of each slot of a race */
    double seconds;
    int sample_count;
    bool spoiled;         /* one of a race's kernels wrote where it must not, who knows which */
    size_t payload_bytes; /* an encoded image or samples, behind the answer */
};

/* Memory that both see, also when the child dies. */
struct worker_page {
    _Atomic int slot;              /* that runs in a race */
    _Atomic bool memory_exhausted; /* the child came near its limit when it died */
    _Atomic unsigned steps;        /* runs of kernels that have ended */
};

/* The child's main, for process_start; `context` is the struct worker. */
void worker_child(void *context, int requests, int answers);

struct worker_slot {
    bool used, loaded; /* loaded: in the child that runs now */
    struct candidate candidate;
    void *image; /* encoded, in the arena of the problem */
    size_t image_bytes;
    double seconds; /* of one run, as the check found it */
};

struct worker {
    struct arena *arena, *problem_arena;
    const struct worker_setup *setup;
    struct process process;
    struct worker_page *page;
    int problem; /* -1: none */
    bool prepared;
    int block_count, blocks[CHECK_SCALES_MAX];
    struct worker_slot slots[WORKER_SLOTS];
    double best_seconds; /* of whole checks of right candidates of this problem; 0: none */
    int starts;
};

#endif
