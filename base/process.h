/* Work in a child process that may crash, hang or eat memory without harm to the caller.
 *
 * The child is forked, so it shares the parent's data as of the fork; it answers with bytes over a
 * socket.  It dies with the thread that started it, ignores Ctrl-C and leaves no core file; stopping
 * it ends what it has started as well.  What it prints must be flushed by itself, because it ends with _exit. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/arena.h"

#include <stdint.h>
#include <sys/types.h>

struct process_limits {
    double seconds;        /* wall time for one answer; 0: no limit */
    uint64_t memory_bytes; /* address space beyond the parent's; 0: no limit */
};

struct process {
    pid_t pid;
    int channel; /* the parent's end of a pair of sockets */
    struct process_limits limits;
};

enum { PROCESSES_MAX = 256 }; /* that can be waited for together */

/* The exit status of a child whose limits could not be set. */
enum { PROCESS_EXIT_UNPREPARED = 125 };

/* The child's main: reads requests from `requests`, writes answers to `answers`, returns when its
 * input ends.  Where it allocates, the other threads of the parent must be waiting at the fork. */
typedef void process_body(void *context, int requests, int answers);

CHECKED status process_start(struct process *process, process_body *body, void *context,
                             struct process_limits limits, struct diagnostic *diagnostic);

/* Sends one message and waits for one answer.  STATUS_TIMEOUT: the limit passed, the child was
 * killed; STATUS_CRASHED: it died, the text names the signal or status.  After any failure the
 * process must be started anew.  Messages have at most 256 MiB.  `seconds` overrides the limit when
 * above 0. */
CHECKED status process_ask(struct process *process, const void *request, size_t request_bytes,
                           double seconds, struct arena *arena, void **answer, size_t *answer_bytes,
                           struct diagnostic *diagnostic);
/* The two halves of process_ask, for callers that keep several children busy; `deadline` is a time of clock_nanoseconds(),
 * INT64_MAX: none. */
CHECKED status process_send(struct process *process, const void *request, size_t request_bytes,
                            struct diagnostic *diagnostic);
CHECKED status process_receive(struct process *process, int64_t deadline, struct arena *arena,
                               void **answer, size_t *answer_bytes, struct diagnostic *diagnostic);
/* The first of the children that has something to say or has ended, or -1 when none has by the deadline; those that do not
 * run are left out. */
int process_wait_any(const struct process *processes, int count, int64_t deadline);
void process_stop(struct process *process); /* kills, reaps, closes; safe to call twice */
bool process_running(const struct process *process);
double process_cpu_seconds(const struct process *process); /* of all its threads; 0: it has ended */

/* Framing for the child's side: false at the end of input or on an error. */
bool process_read_message(int file, struct arena *arena, void **bytes, size_t *byte_count);
bool process_write_message(int file, const void *bytes, size_t byte_count);

/* One-shot form: runs `work` in a child and brings back its status, its diagnostic and, when that
 * is STATUS_OK, its result (at most 256 MiB with a kilobyte to spare). */
typedef status process_work(void *context, struct arena *arena, void **result, size_t *result_bytes,
                            struct diagnostic *diagnostic);
CHECKED status process_call(process_work *work, void *context, struct process_limits limits,
                            struct arena *arena, void **result, size_t *result_bytes,
                            struct diagnostic *diagnostic);

#endif
