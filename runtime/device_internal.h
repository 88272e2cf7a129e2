/* The inside of a device, for runtime/ only: what every device has, and the table of functions that makes a kind of
 * device.  device_host.c computes on the host (cpu, virtual, null), cuda/device_cuda.c on a card. */
#ifndef RUNTIME_DEVICE_INTERNAL_H
#define RUNTIME_DEVICE_INTERNAL_H

#include "runtime/device.h"
#include "runtime/device_specification.h"
#include "runtime/watchdog.h"

#include <pthread.h>

enum command_kind {
    COMMAND_LAUNCH,
    COMMAND_WRITE, /* host memory -> device */
    COMMAND_READ,  /* device -> host memory */
    COMMAND_COPY,  /* `source` -> device */
    COMMAND_SIGNAL,
    COMMAND_WAIT
};

struct command {
    enum command_kind kind;
    const struct kernel *kernel; /* LAUNCH */
    struct run run;
    void *operands[OP_OPERANDS_MAX];
    void *to; /* WRITE, READ, COPY */
    const void *from;
    int64_t bytes;
    struct device *source; /* COPY */
    struct event *event;   /* SIGNAL, WAIT */
};

/* What all kinds of kernels have; each kind puts it first into a struct of its own. */
struct kernel {
    struct device *device;
    struct arena *arena;
    const struct problem *problem;
    struct image image; /* its code pointer is not used after loading */
    int64_t workspace_offsets[IMAGE_WORKSPACES_MAX]; /* into the device's scratch */
};

/* The functions behind device.h; `allocate` and `release` need not count bytes, kernel_load has checked nothing but the
 * image's target. */
struct device_interface {
    enum target target;
    bool memory_is_host;
    void (*close)(struct device *device);
    status (*probe)(struct device *device, struct diagnostic *diagnostic);
    int (*threads)(const struct device *device);
    status (*allocate)(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic);
    void (*release)(struct device *device, void *address, int64_t bytes);
    status (*store)(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic);
    status (*fetch)(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic);
    status (*load)(struct device *device, const struct problem *problem, const struct image *image,
                   struct kernel **kernel, struct diagnostic *diagnostic);
    void (*unload)(struct kernel *kernel);
    void (*submit)(struct device *device);
    status (*finish)(struct device *device, struct diagnostic *diagnostic);
    status (*time)(struct device *device, const struct device_timing *timing, double *seconds,
                   struct diagnostic *diagnostic);
    /* NULL where there is nothing to do or to tell: */
    status (*resolve)(struct device *device, const struct problem *problem, struct image *image,
                      struct diagnostic *diagnostic);
    status (*open_copies)(struct device *device, struct device **copies,
                          struct diagnostic *diagnostic);
    status (*connect)(struct device *device, struct device *source, struct diagnostic *diagnostic);
    status (*rates)(struct device *device, struct device_rates *rates,
                    struct diagnostic *diagnostic);
    status (*peer_rate)(struct device *device, struct device *source, struct device_peer *peer,
                        struct diagnostic *diagnostic);
    void (*counts)(const struct device *device, struct device_counts *counts);
    status (*report)(struct device *device, int launches, struct arena *arena, const char **report,
                     struct diagnostic *diagnostic);
    /* Marks of the kind's own in events (event.c): NULL where the host does the marking itself. */
    void (*mark_await)(void *mark);
    void (*mark_destroy)(void *mark);
};

/* What all kinds of devices have; each kind puts it first into a struct of its own. */
struct device {
    const struct device_interface *interface;
    struct arena *arena;
    const char *specification;
    struct device_facts facts;
    int64_t limit_bytes, used_bytes;
    int64_t refused_bytes; /* by the last allocation that failed */
    struct watchdog own_watchdog, *watchdog;
    bool checks_copies;
    bool hangs; /* its queue was given up: what that uses must stay */
    struct arena *command_arena;
    struct command *commands;
    int command_count;
    size_t command_capacity;
};

/* Fills the common part; `arena` becomes the device's. */
CHECKED status device_prepare(struct device *device, const struct device_interface *interface,
                              struct arena *arena, const char *specification,
                              struct diagnostic *diagnostic);
void device_destroy(struct device *device); /* the common part, with `device` itself */
/* The watchdog has fired while `what` was waited for: the error, and from now on the device hangs. */
CHECKED status device_give_up(struct device *device, const char *what,
                              struct diagnostic *diagnostic);
/* A copy has arrived damaged, and could not be mended. */
CHECKED status device_refuse_copy(const struct device *device, struct diagnostic *diagnostic);
/* As device_give_up where another device is waited for, which hangs and tells it better. */
CHECKED status device_waited(const struct device *device, struct diagnostic *diagnostic);

/* The common part of loading: an arena of its own, places for workspaces, `scratch_bytes` for all of them.  `bytes`: of
 * the kind's struct. */
CHECKED status kernel_create(struct device *device, const struct problem *problem,
                             const struct image *image, size_t bytes, struct kernel **kernel,
                             int64_t *scratch_bytes, struct diagnostic *diagnostic);
void kernel_destroy(struct kernel *kernel);

/* device_host.c */
CHECKED status device_host_open(const struct device_specification *specification,
                                const struct device_options *options, struct device **device,
                                struct diagnostic *diagnostic);

/* event.c.  A queue either marks an event when it gets there, or, where it runs on its own, leaves a mark that its kind
 * can wait for. */
enum event_state { EVENT_UNMARKED, EVENT_LEFT, EVENT_MARKED };
void event_mark(struct event *event);
void event_leave(struct event *event, const struct device_interface *interface, void *mark);
/* The mark that an earlier generation left, to be used again: NULL when it is of another kind. */
void *event_old_mark(struct event *event, const struct device_interface *interface);
enum event_state event_look(struct event *event, const struct device_interface **interface,
                            void **mark);
/* Waits until the event is marked or left, in the latter case for the mark itself too, unless it is of the kind of the device
 * that waits.  EVENT_UNMARKED: the watchdog has fired. */
enum event_state event_await(struct event *event, const struct device *waiting, void **mark);

#endif
