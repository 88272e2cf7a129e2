/* The state behind the driver's functions.
 *
 * There is one driver per process, as in the real library; `driver_state` is the only mutable
 * global.  Two locks guard it: `lock` for tables and counters, held briefly; and `memory`, held for
 * reading while a kernel or copy runs and for writing while memory comes and goes.
 *
 * Work is done when it is submitted, in order of submission: a stream is a clock that advances by
 * what the cost model says, an event is a reading of it. */
#ifndef EMULATOR_DRIVER_H
#define EMULATOR_DRIVER_H

#include "base/arena.h"
#include "emulator/cards.h"
#include "emulator/emulator.h"
#include "emulator/faults.h"
#include "emulator/library_work.h"
#include "emulator/machine.h"

#include <cuda.h>

#include <pthread.h>

enum { LAST_LAUNCHES = 64, DRIVER_VERSION = 13000, OLD_DRIVER_VERSION = 11040 };

/* Memory that the driver gave out. */
struct allocation {
    uint64_t address; /* tagged when it is a card's */
    uint64_t bytes, mapped_bytes;
    unsigned char *host;
    int device;      /* -1: pinned host memory */
    bool registered; /* the user's own, pinned by cuMemHostRegister */
};

struct CUctx_st {
    int device;
    int retained;
    CUresult sticky; /* what every call answers since a kernel failed */
    bool peers[CARDS_MAX];
    CUstream null_stream;
    double now; /* the latest of all streams, for cuCtxSynchronize */
};

struct driver {
    pthread_mutex_t lock;
    pthread_rwlock_t memory;
    bool initialised;
    struct arena *arena;
    struct cards cards;
    struct faults faults;
    unsigned checks;
    int threads;
    bool quiet;
    struct CUctx_st contexts[CARDS_MAX]; /* primary */
    bool lost[CARDS_MAX];
    uint64_t used_bytes[CARDS_MAX];
    struct allocation *allocations; /* sorted by address */
    size_t allocation_count, allocation_capacity;
    struct hone_emulator_counters launches[LAST_LAUNCHES];
    uint64_t launch_count;
    char last_fault[640];
    uint64_t streams_made;
};

extern struct driver driver_state;

/* What a stream is asked to do: run at once, or kept as a node of a graph. */
enum work_kind { WORK_EMPTY, WORK_KERNEL, WORK_COPY, WORK_FILL, WORK_HOST, WORK_LIBRARY };

struct kernel_work {
    CUfunction function;
    uint32_t grid[3], block[3], cluster[3], shared_bytes;
    bool cooperative;
    unsigned char *parameters;
};

struct copy_work {
    uint64_t to, from; /* addresses of cards, or of the host */
    size_t bytes, rows, to_pitch, from_pitch;
    bool peer;
};

struct fill_work {
    uint64_t to;
    size_t count, rows, pitch;
    uint32_t value, bytes; /* of each element */
};

struct work {
    enum work_kind kind;
    int device;
    union {
        struct kernel_work kernel;
        struct copy_work copy;
        struct fill_work fill;
        struct {
            CUhostFn function;
            void *argument;
        } host;
        struct library_work library;
    } of;
};

struct CUstream_st {
    struct arena *arena;
    CUcontext context;
    unsigned flags;
    int priority;
    uint64_t id;
    double now; /* modelled seconds */
    CUgraph capture;
    CUstream capture_origin;
    bool capture_broken;
};

struct CUevent_st {
    struct arena *arena;
    CUcontext context;
    unsigned flags;
    bool recorded;
    double at;
    CUgraph capture; /* recorded into */
    CUstream capture_origin;
};

struct CUmod_st {
    struct arena *arena;
    CUcontext context;
    struct module *module;
    struct CUfunc_st *functions;
    size_t function_count;
};

struct CUfunc_st {
    CUmodule module;
    const struct function *function;
    int dynamic_shared_limit;
    int carveout;
    int cluster_nonportable;
};

struct CUgraphNode_st {
    CUgraph graph;
    struct work work;
    size_t index;
};

struct CUgraph_st {
    struct arena *arena;
    CUgraphNode *nodes;
    size_t node_count, node_capacity;
};

struct CUgraphExec_st {
    struct arena *arena;
    CUgraphNode *nodes;
    size_t node_count;
    bool disabled_any;
};

/* driver_context.c */
CUresult driver_enter(CUcontext *context); /* initialised, a current context, not poisoned */
CUcontext driver_current(void);
CUresult context_state(CUcontext context);

/* driver_memory.c */
CUresult memory_allocate(int device, size_t bytes, uint64_t *address);
CUresult memory_release(uint64_t address, bool host);
/* The allocation that holds all of [address, address + bytes), or NULL.  Under `memory`. */
const struct allocation *memory_find(uint64_t address, uint64_t bytes);
/* Host memory behind an address, a card's or the host's; NULL when it is nobody's. */
unsigned char *memory_resolve(uint64_t address, uint64_t bytes);
/* What kernels on the device can reach, sorted.  Under `memory`. */
CUresult memory_extents(CUcontext context, struct arena *arena, struct extent **extents,
                        size_t *count);

/* driver_stream.c: runs the work in the stream, or captures it. */
CUresult stream_submit(CUstream stream, const struct work *work);
CUresult stream_of(CUstream handle, CUstream *stream);
/* driver_work.c: does it; adds its modelled time to `seconds`. */
CUresult work_run(const struct work *work, double *seconds);
CUresult kernel_run(const struct work *work, double *seconds);  /* driver_launch.c */
CUresult library_run(const struct work *work, double *seconds); /* driver_library.c */
CUresult graph_add(CUgraph graph, const struct work *work, CUgraphNode *node); /* driver_graph.c */
CUresult graph_create(CUgraph *graph);

/* driver_error.c */
CUresult driver_fault_result(enum machine_error error);

#define TRY_CUDA(expression)                                                                       \
    do {                                                                                           \
        CUresult try_result_ = (expression);                                                       \
        if (try_result_ != CUDA_SUCCESS) return try_result_;                                       \
    } while (0)

#endif
