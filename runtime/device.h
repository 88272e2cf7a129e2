/* Devices: something with its own memory and a queue.  One interface for the host CPU, virtual cards (host memory with a
 * size limit, a queue thread and modelled speed), and the null device that accepts everything and runs nothing.
 *
 * A queue holds launches, copies, signals and waits, and does them in order.  Enqueuing does not start them;
 * device_submit does, for devices with a queue of their own, and device_finish returns when all are done (the host CPU
 * works in the calling thread, inside device_finish).  Events order queues of different devices: submit all, then finish
 * all.
 *
 * The host never touches a device's memory but through these functions; only where device_memory_is_host says so is it
 * memory like any other.
 *
 *     cpu                           the host
 *     virtual:2GiB                  a card of that size, computing on the host as fast as it can
 *     virtual:2GiB@20GFLOPS,2GB/s   no launch ends earlier than its operations at 20 GFLOP/s, no copy earlier than its
 *                                   bytes at 2 GB/s
 *     null                          nothing is computed
 *     cuda:0                        a card, by the number that the CUDA driver gives it
 *     emulated:sm_86:24GiB          a card of that architecture and size on the stand-in driver
 *     rank:1                        the device that another process serves (runtime/ranks.h)
 *     rtx3090                       a card that is not here, by its profile (ir/profiles/): facts, and nothing runs
 *
 * A CUDA driver cannot be used by a child of the process that has started it.  So a card's facts are read in a child, and
 * the driver starts in this process with the first use of the card's memory: open devices, compile and fork whatever is to
 * be forked, and only then allocate. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "ir/image.h"

struct device;
struct ranks;  /* runtime/ranks.h */
struct kernel; /* an image loaded onto a device */
struct event;

struct device_options {
    int threads; /* host threads for all devices together; 0: as many as make sense */
    int chunks; /* of each thread's share that others may take (runtime/work_claims.h); 1: none; 0: the default */
    const char *cpu;          /* "native", "x86-64-v3" ...; NULL: native */
    struct ranks *ranks;      /* whose devices "rank:1" and so on are; NULL: none */
    const char *rates_folder; /* where measured rates are kept (cpu_rates.h); NULL: rates stay 0 */
    bool
        check_copies; /* between devices: what arrived is compared with what was sent, and sent again where it differs */
    double watchdog_seconds; /* after which waits give up (runtime/watchdog.h); 0: the default */
    bool
        no_forks; /* this process starts no others from here on, so a card's driver may start in it at once */
};

CHECKED status device_open(const char *specification, const struct device_options *options,
                           struct device **device, struct diagnostic *diagnostic);
void device_close(struct device *device); /* NULL is allowed */

const struct device_facts *device_facts(const struct device *device);
/* Measures the rates among the facts (runtime/cpu_probe.h): under two seconds on a quiet machine. */
CHECKED status device_probe(struct device *device, struct diagnostic *diagnostic);
/* Bytes per second that a card moves: within its memory (read and written), over its link each way, and over the link both
 * ways at once.  Zeros for devices that have no link. */
struct device_rates {
    double memory, link_in, link_out, link_both;
};
CHECKED status device_measure(struct device *device, struct device_rates *rates,
                              struct diagnostic *diagnostic);
/* From another card: `direct` says that bytes go without the host, as a trial has shown.  Rate 0: no two cards. */
struct device_peer {
    double rate;
    bool direct;
};
CHECKED status device_measure_peer(struct device *device, struct device *source,
                                   struct device_peer *peer, struct diagnostic *diagnostic);
/* What has happened on a card since it was opened: images that were loaded from PTX because the card does not know their
 * cubin, launches of captured graphs, and algorithms of libraries that were looked up by their rank, because no image
 * brought them along or they were of another version or card. */
struct device_counts {
    int64_t translated_images, graph_launches, chosen_algorithms;
};
struct device_counts device_counts(const struct device *device);
/* What the stand-in driver counted of the last launches, the oldest first: a JSON array (docs/emulator.md).
 * STATUS_UNSUPPORTED for all other devices. */
CHECKED status device_report(struct device *device, int launches, struct arena *arena,
                             const char **report, struct diagnostic *diagnostic);
/* Its queue did not end and was given up: the device, and whatever its work uses, must not be freed any more. */
bool device_hangs(const struct device *device);
const char *device_specification(const struct device *device);
bool device_is_host(
    const struct device *device); /* reads host memory in place: weights need no copy */
bool device_is_described(
    const struct device *device); /* by a profile: nothing can be allocated or run */
/* One error that says so where it is. */
CHECKED status device_refuse_described(const struct device *device, struct diagnostic *diagnostic);
bool device_memory_is_host(const struct device *device); /* its addresses are the host's */
int device_threads(const struct device *device);

/* Memory of the device, holding zeros.  STATUS_NO_MEMORY names what is used, what is asked and the limit. */
CHECKED status device_allocate(struct device *device, int64_t bytes, void **address,
                               struct diagnostic *diagnostic);
void device_free(struct device *device, void *address, int64_t bytes);
/* Bytes that were last asked for and could not be had, as far as known at least 1; 0: none, or not since the last call. */
int64_t device_take_refusal(struct device *device);
int64_t device_memory_used(const struct device *device);
int64_t device_memory_limit(const struct device *device); /* INT64_MAX: none */

/* Copies between host memory and the device's, at once and beside the queue: from any thread, for memory that no
 * submitted work uses. */
CHECKED status device_store(struct device *device, void *to, const void *from, int64_t bytes,
                            struct diagnostic *diagnostic);
CHECKED status device_fetch(struct device *device, void *to, const void *from, int64_t bytes,
                            struct diagnostic *diagnostic);

/* Prepares an image for launching; the image's code may go away afterwards, the problem must stay.  The workspaces are
 * sized for the problem's row bound and shared by all kernels of the device. */
CHECKED status kernel_load(struct device *device, const struct problem *problem,
                           const struct image *image, struct kernel **kernel,
                           struct diagnostic *diagnostic);
void kernel_unload(struct kernel *kernel);
/* Looks up what an image leaves to the device at hand (algorithms of libraries) and writes it into the image, so that later
 * loads of it take that.  STATUS_UNSUPPORTED where a rank is beyond the end of the list; loading alone takes the first then. */
CHECKED status device_resolve(struct device *device, const struct problem *problem,
                              struct image *image, struct diagnostic *diagnostic);

CHECKED status device_launch(struct device *device, const struct kernel *kernel,
                             const struct run *run, void *const *operands,
                             struct diagnostic *diagnostic);
/* Enqueues copies: from host memory to the device, from the device to host memory, and to the device from `source`,
 * which may be the device itself.  Host memory must stay until device_finish. */
CHECKED status device_write(struct device *device, void *to, const void *from, int64_t bytes,
                            struct diagnostic *diagnostic);
CHECKED status device_read(struct device *device, void *to, const void *from, int64_t bytes,
                           struct diagnostic *diagnostic);
CHECKED status device_copy(struct device *device, void *to, struct device *source, const void *from,
                           int64_t bytes, struct diagnostic *diagnostic);
/* Prepares copies from `source`: two cards are tried out, and copy by way of the host unless that went well. */
CHECKED status device_connect(struct device *device, struct device *source,
                              struct diagnostic *diagnostic);
CHECKED status device_signal(struct device *device, struct event *event,
                             struct diagnostic *diagnostic);
CHECKED status device_wait(struct device *device, struct event *event,
                           struct diagnostic *diagnostic);
void device_discard(struct device *device); /* drops what was enqueued and not yet submitted */
/* Starts what was enqueued, on devices with a queue of their own; waits for what was submitted before and is not yet done. */
void device_submit(struct device *device);
/* Whether further work may be enqueued while what was submitted runs. */
bool device_runs_apart(const struct device *device);
CHECKED status device_finish(struct device *device, struct diagnostic *diagnostic);

/* Runs one kernel and waits: what checking and tests need. */
CHECKED status device_run(struct device *device, const struct kernel *kernel, const struct run *run,
                          void *const *operands, struct diagnostic *diagnostic);

/* Runs a kernel `count` times, the n-th time on operands[(first + n) % operand_sets], and gives the seconds of all runs
 * together by the device's own clock. */
struct device_timing {
    const struct kernel *kernel;
    const struct run *run;
    void *(*operands)[OP_OPERANDS_MAX];
    int operand_sets, first, count;
};
CHECKED status device_time(struct device *device, const struct device_timing *timing,
                           double *seconds, struct diagnostic *diagnostic);

/* The devices of a list like "virtual:256MiB,virtual:256MiB,cpu" (a comma inside a virtual card's model belongs to it).
 * The host's threads are divided between them. */
CHECKED status device_open_list(const char *list, const struct device_options *options,
                                struct arena *arena, struct device ***devices, int *count,
                                struct diagnostic *diagnostic);

/* A second queue of a card, for what comes into its memory while the first computes; it takes copies, signals and waits,
 * and is closed before the card.  NULL for devices that have only one: their copies go the way of everything else. */
CHECKED status device_open_copies(struct device *device, struct device **copies,
                                  struct diagnostic *diagnostic);

/* An event is marked once per generation; event_reset makes it unmarked again (no queue may be using it). */
CHECKED status event_create(struct event **event, struct diagnostic *diagnostic);
void event_destroy(struct event *event);
void event_reset(struct event *event);

#endif
