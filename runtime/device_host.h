/* The inside of devices that compute on the host, for runtime/device_host.c and host_*.c only. */
#ifndef RUNTIME_DEVICE_HOST_H
#define RUNTIME_DEVICE_HOST_H

#include "runtime/device_internal.h"
#include "runtime/queue_thread.h"
#include "runtime/work_claims.h"

struct host_kernel {
    struct kernel base;
    void *code; /* executable copy, NULL for references */
};

struct host_device {
    struct device base;
    bool host;     /* the CPU itself: no queue thread, reads host memory in place */
    bool computes; /* false: the null device */
    double operations_per_second,
        link_bytes_per_second; /* the model of a virtual card; 0: as fast as it goes */
    struct thread_pool *pool;
    struct work_claims *claims;
    unsigned generation, walked; /* launches before this run of the pool, and after it */
    void *scratch;               /* workspaces of the kernel that runs */
    int64_t scratch_bytes;
    struct command *running; /* what was submitted; new commands are gathered beside it */
    int running_count;
    size_t running_capacity;
    atomic_bool damaged;       /* a copy could not be mended */
    atomic_int at;             /* the one of these that is under way */
    struct queue_thread queue; /* not started for the CPU itself */
    struct diagnostic failure; /* of a copy from a card: told by `finish` */
};

extern const struct device_interface device_host_interface;

/* host_stall.c: what the queue is at, for people; whether a test wants this copy to hang. */
const char *host_activity(const struct host_device *device, char *text, size_t room);
void host_stall_copy(const struct host_device *device);
/* A thread's share of a copy: damages what a test wants damaged, and mends it if copies are checked. */
void host_check_copy(struct host_device *device, const struct command *command, int64_t begin,
                     int64_t end);

/* host_queue.c */
CHECKED status host_queue_start(struct host_device *device, struct diagnostic *diagnostic);
void host_submit(struct device *device);
CHECKED status host_finish(struct device *device, struct diagnostic *diagnostic);

/* host_kernel.c */
CHECKED status host_load(struct device *device, const struct problem *problem,
                         const struct image *image, struct kernel **kernel,
                         struct diagnostic *diagnostic);
void host_unload(struct kernel *kernel);

#endif
