/* The thread of a queue that works on its own: it runs what was submitted, one submission at a time. */
#ifndef RUNTIME_QUEUE_THREAD_H
#define RUNTIME_QUEUE_THREAD_H

#include "base/status.h"
#include "runtime/watchdog.h"

#include <pthread.h>

struct queue_thread {
    bool started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool standing, submitted, closing; /* under the lock */
    bool abandoned;
    void (*run)(void *context);
    void *context;
};

/* `run(context)` is called on the thread for each submission. */
CHECKED status queue_thread_start(struct queue_thread *queue, void (*run)(void *context),
                                  void *context, const char *owner, struct diagnostic *diagnostic);
void queue_thread_stop(struct queue_thread *queue); /* also one that was never started */
void queue_thread_submit(struct queue_thread *queue);
/* Until what was submitted is done; false: the watchdog has fired, and the thread still does not end.  It is then abandoned:
 * what it uses must stay, and it is not stopped any more. */
CHECKED bool queue_thread_await(struct queue_thread *queue, struct watchdog *watchdog);

#endif
