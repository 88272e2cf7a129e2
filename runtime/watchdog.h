/* A bound on waiting: queues, events, cards and other processes are waited for as long as something moves.
 *
 * All devices of a run share one watchdog.  Whatever ends, a command of any queue, a message of another rank, is a beat, so a
 * long run is no stall; only when nothing has ended for `bound_seconds` beyond what the work at hand is known to take do
 * waits give up, all of them from then on.  Who gave up waiting says so once (docs/faults.md). */
#ifndef RUNTIME_WATCHDOG_H
#define RUNTIME_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Above what any launch, copy or message of a sound machine takes, short enough to be waited for. */
enum { WATCHDOG_DEFAULT_SECONDS = 120 };

struct watchdog {
    double bound_seconds;           /* 0: waits have no bound */
    atomic_llong beat_nanoseconds;  /* when something ended last, or is to end by its model */
    atomic_llong fired_nanoseconds; /* when waits gave up; 0: they have not */
};

/* `bound_seconds` 0: the default; below: none. */
void watchdog_start(struct watchdog *watchdog, double bound_seconds);
void watchdog_beat(struct watchdog *watchdog);
/* What begins now takes so long: the bound counts from its end. */
void watchdog_expect(struct watchdog *watchdog, double seconds);
/* Nothing has moved for too long. */
bool watchdog_expired(struct watchdog *watchdog);
bool watchdog_has_fired(const struct watchdog *watchdog);

/* Conditions that watchdog_wait can wait for. */
void watchdog_condition(pthread_cond_t *condition);
/* As pthread_cond_wait, or until the watchdog fires (false).  May return early, as conditions do. */
bool watchdog_wait(struct watchdog *watchdog, pthread_cond_t *condition, pthread_mutex_t *lock);
/* The same for what should end now that others gave up: false when it did not within a few seconds. */
bool watchdog_wait_after(struct watchdog *watchdog, pthread_cond_t *condition,
                         pthread_mutex_t *lock);

#endif
