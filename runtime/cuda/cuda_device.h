/* The inside of a card, for runtime/cuda/ only.
 *
 * A card has two streams: `stream` does what its queue says, `side` moves bytes beside it (device_store, device_fetch).
 * Submitted commands are given to the stream by the submitting thread as far as no event is awaited that another queue
 * has not reached; from there on by a thread of the card's own. */
#ifndef RUNTIME_CUDA_CUDA_DEVICE_H
#define RUNTIME_CUDA_CUDA_DEVICE_H

#include "runtime/cuda/cuda_driver.h"
#include "runtime/device_internal.h"
#include "runtime/queue_thread.h"

#include <sys/types.h>

enum {
    STAGING_COUNT = 4,       /* pieces that are on their way at once */
    STAGING_BYTES = 2 << 20, /* long enough to reach a link's bandwidth */
    INPUT_BYTES =
        256 << 10,  /* of a step's tokens, positions and page tables: written without waiting */
    STEPS_MAX = 64, /* different sizes of launches in one submission */
    GRAPHS_MAX = 64,
    PEERS_MAX = 16
};

/* Pinned memory on its way to the card or from it. */
struct cuda_slot {
    char *host;
    CUevent done; /* behind its last copy */
    bool taken;
};

/* A run of launches that has been seen before; captured at the second sight. */
struct cuda_graph {
    struct hash launches;
    CUgraphExec executable; /* NULL: seen once */
    bool refused;           /* a library's work could not be captured: it is launched every time */
    uint64_t used;          /* the submission that used it last */
};

struct cuda_peer {
    struct device *source;
    bool direct; /* bytes arrive as they were sent, without the host */
};

struct cuda_matmul; /* cuda_cublaslt.h */
struct cublaslt;

struct cuda_kernel {
    struct kernel base;
    CUmodule module;
    CUfunction functions[IMAGE_LAUNCHES_MAX];
    struct cuda_matmul *matmuls[IMAGE_LAUNCHES_MAX]; /* of launches that are products */
};

struct cuda_device {
    struct device base;
    int ordinal;
    bool emulated, blocking; /* blocking: each kernel is waited for, so that a fault has a name */
    const char *emulated_cards; /* the stand-in driver's; NULL: the system's driver */
    struct cuda_driver driver;
    bool started;
    pid_t process; /* that started the driver */
    CUdevice card;
    CUcontext context;
    CUstream stream, side;
    CUevent side_done, timing[2];
    _Atomic bool side_used; /* since the stream last waited for it */
    pthread_mutex_t lock;   /* starting, slots, failure */
    pthread_cond_t slot_freed;
    struct cuda_slot slots[STAGING_COUNT];
    char *input; /* pinned */
    int64_t input_used;
    struct kernel_step *steps; /* pinned; their copy on the card: */
    CUdeviceptr card_steps;
    int step_count;
    void *scratch; /* workspaces of the kernel that runs */
    int64_t scratch_bytes;
    struct queue_thread queue;
    int walked;                  /* commands that the stream has got */
    bool submitted, handed_over; /* handed_over: to the queue's thread */
    struct diagnostic failure;   /* of the submission; a fatal one stays */
    _Atomic bool fatal;
    struct cublaslt *cublaslt; /* NULL: not loaded yet */
    int64_t chosen_algorithms; /* of the library, by their rank */
    int64_t
        translated_images; /* that were loaded from PTX, because the card does not know their cubin */
    struct cuda_graph graphs[GRAPHS_MAX];
    int graph_count;
    uint64_t submissions, graph_launches;
    struct cuda_peer peers[PEERS_MAX];
    int peer_count;
};

extern const struct device_interface device_cuda_interface;

/* device_cuda.c: starts the driver when it has not been, and makes the card current in this thread. */
CHECKED status cuda_enter(struct cuda_device *card, struct diagnostic *diagnostic);
/* A result of the driver as a status; a fatal one ends the card's use by this process. */
CHECKED status cuda_answer(struct cuda_device *card, CUresult result, const char *what,
                           struct diagnostic *diagnostic);
bool cuda_is_card(const struct device *device);

static inline struct cuda_device *card_of(struct device *device)
{
    return (struct cuda_device *)device;
}

static inline CUdeviceptr card_address(const void *address)
{
    return (CUdeviceptr)(uintptr_t)address;
}

/* cuda_facts.c: what the driver tells of a card; plain data, so that a child process can send it. */
struct card_description {
    status code; /* why there is none */
    struct diagnostic diagnostic;
    char name[256];
    double values[FACT_COUNT];
    int64_t free_bytes;
};
CHECKED status cuda_describe(const char *emulated_cards, int ordinal, const char *owner,
                             struct arena *arena, struct card_description *description,
                             struct diagnostic *diagnostic);

/* cuda_staging.c */
CHECKED status cuda_staging_create(struct cuda_device *card, struct diagnostic *diagnostic);
void cuda_staging_destroy(struct cuda_device *card);
CHECKED status cuda_move_in(struct cuda_device *card, CUstream stream, void *to, const void *from,
                            int64_t bytes, struct diagnostic *diagnostic);
/* Returns when the bytes are there. */
CHECKED status cuda_move_out(struct cuda_device *card, CUstream stream, void *to, const void *from,
                             int64_t bytes, struct diagnostic *diagnostic);
/* A step's input: from memory that stays pinned until the submission is done, where it fits. */
CHECKED status cuda_move_input(struct cuda_device *card, void *to, const void *from, int64_t bytes,
                               struct diagnostic *diagnostic);
CHECKED status cuda_store(struct device *device, void *to, const void *from, int64_t bytes,
                          struct diagnostic *diagnostic);
CHECKED status cuda_fetch(struct device *device, void *to, const void *from, int64_t bytes,
                          struct diagnostic *diagnostic);
/* The stream's further work comes after what the side stream has been given. */
CHECKED status cuda_join_side(struct cuda_device *card, struct diagnostic *diagnostic);

/* cuda_kernel.c */
CHECKED status cuda_load(struct device *device, const struct problem *problem,
                         const struct image *image, struct kernel **kernel,
                         struct diagnostic *diagnostic);
void cuda_unload(struct kernel *kernel);
CHECKED status cuda_resolve(struct device *device, const struct problem *problem,
                            struct image *image, struct diagnostic *diagnostic);
/* Gives the kernel's launches to the stream; `step` numbers a row of card->steps. */
CHECKED status cuda_launch(struct cuda_device *card, const struct cuda_kernel *kernel,
                           void *const *operands, int step, struct diagnostic *diagnostic);

/* cuda_steps.c: the sizes that launches find on the card. */
CHECKED status cuda_steps_find(struct cuda_device *card, const struct run *run, int *step,
                               struct diagnostic *diagnostic);
CHECKED status cuda_steps_send(struct cuda_device *card, struct diagnostic *diagnostic);

/* cuda_queue.c */
void cuda_submit(struct device *device);
CHECKED status cuda_finish(struct device *device, struct diagnostic *diagnostic);
CHECKED status cuda_time(struct device *device, const struct device_timing *timing, double *seconds,
                         struct diagnostic *diagnostic);

/* cuda_event.c: marks in events. */
struct cuda_mark {
    struct cuda_device *card;
    CUevent event;
};
CHECKED status cuda_signal(struct cuda_device *card, struct event *event,
                           struct diagnostic *diagnostic);
/* Whether waiting for the event needs no other queue's progress. */
bool cuda_wait_is_ready(struct event *event);
CHECKED status cuda_wait(struct cuda_device *card, struct event *event,
                         struct diagnostic *diagnostic);
void cuda_mark_await(void *mark);
void cuda_mark_destroy(void *mark);

/* cuda_graph.c: runs the launches commands[first .. first + count) of the queue, as a graph where they have run before. */
CHECKED status cuda_graph_run(struct cuda_device *card, const int *steps, int first, int count,
                              struct diagnostic *diagnostic);
void cuda_graphs_drop(struct cuda_device *card);

/* cuda_peer.c */
CHECKED status cuda_copy(struct cuda_device *card, const struct command *command,
                         struct diagnostic *diagnostic);
CHECKED status cuda_connect(struct device *device, struct device *source,
                            struct diagnostic *diagnostic);
bool cuda_is_direct(const struct cuda_device *card, const struct device *source);

/* cuda_report.c */
CHECKED status cuda_report(struct device *device, int launches, struct arena *arena,
                           const char **report, struct diagnostic *diagnostic);

/* cuda_probe.c */
CHECKED status cuda_probe(struct device *device, struct diagnostic *diagnostic);
CHECKED status cuda_rates(struct device *device, struct device_rates *rates,
                          struct diagnostic *diagnostic);
CHECKED status cuda_peer_rate(struct device *device, struct device *source,
                              struct device_peer *peer, struct diagnostic *diagnostic);

#endif
