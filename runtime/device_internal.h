/* The inside of a device, for runtime/device*.c and queue.c only. */
#ifndef RUNTIME_DEVICE_INTERNAL_H
#define RUNTIME_DEVICE_INTERNAL_H

#include "runtime/device.h"
#include "runtime/threads.h"

#include <pthread.h>

enum command_kind { COMMAND_LAUNCH, COMMAND_COPY, COMMAND_SIGNAL, COMMAND_WAIT };

struct command {
    enum command_kind kind;
    const struct kernel *kernel; /* LAUNCH */
    struct run run;
    void *operands[OP_OPERANDS_MAX];
    void *to; /* COPY */
    const void *from;
    int64_t bytes;
    struct event *event; /* SIGNAL, WAIT */
};

struct kernel {
    struct device *device;
    struct arena *arena;
    const struct problem *problem;
    struct image image;   /* its code pointer is not used after loading */
    void *code;           /* executable copy, NULL for references */
    int64_t workspace_offsets[IMAGE_WORKSPACES_MAX]; /* into the device's scratch */
};

/* The thread of a virtual card's queue. */
struct queue_thread {
    bool started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool submitted, closing; /* under the lock */
};

struct device {
    struct arena *arena;
    const char *specification;
    struct device_facts facts;
    bool host;            /* the CPU itself: no queue thread, reads host memory in place */
    bool computes;        /* false: the null device */
    int64_t limit_bytes, used_bytes;
    double operations_per_second, link_bytes_per_second; /* the model of a virtual card; 0: as fast as it goes */
    struct thread_pool *pool;
    void *scratch; /* workspaces of the kernel that runs */
    int64_t scratch_bytes;

    struct arena *command_arena;
    struct command *commands;
    int command_count;
    size_t command_capacity;
    struct queue_thread queue;
};

/* queue.c */
CHECKED status queue_append(struct device *device, const struct command *command,
                            struct diagnostic *diagnostic);
void queue_run(struct device *device); /* all commands, on the calling thread and the pool */
CHECKED status queue_start_thread(struct device *device, struct diagnostic *diagnostic);
void queue_stop_thread(struct device *device);

/* event.c */
void event_mark(struct event *event);
void event_await(struct event *event);

#endif
