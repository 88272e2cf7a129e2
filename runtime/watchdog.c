/* Times by the monotonic clock; a wait sleeps until the bound of the last beat that it knows of, and looks again. */
#include "runtime/watchdog.h"

#include "base/clock.h"

#include <time.h>

/* What a queue that was let go needs for the rest of its work. */
static const double grace_seconds = 3;

static const double nanoseconds_per_second = 1e9;

void watchdog_start(struct watchdog *watchdog, double bound_seconds)
{
    watchdog->bound_seconds = bound_seconds > 0   ? bound_seconds
                              : bound_seconds < 0 ? 0
                                                  : WATCHDOG_DEFAULT_SECONDS;
    atomic_store(&watchdog->fired_nanoseconds, 0);
    atomic_store(&watchdog->beat_nanoseconds, clock_nanoseconds());
}

/* Beats only ever move on: what is expected to end later counts until then. */
static void beat_at(struct watchdog *watchdog, long long nanoseconds)
{
    long long before = atomic_load_explicit(&watchdog->beat_nanoseconds, memory_order_relaxed);
    if (before < nanoseconds)
        atomic_store_explicit(&watchdog->beat_nanoseconds, nanoseconds, memory_order_relaxed);
}

void watchdog_beat(struct watchdog *watchdog)
{
    beat_at(watchdog, clock_nanoseconds());
}

void watchdog_expect(struct watchdog *watchdog, double seconds)
{
    beat_at(watchdog, clock_nanoseconds() + (long long)(seconds * nanoseconds_per_second));
}

bool watchdog_has_fired(const struct watchdog *watchdog)
{
    return atomic_load(&watchdog->fired_nanoseconds) != 0;
}

static long long deadline(const struct watchdog *watchdog)
{
    return atomic_load_explicit(&watchdog->beat_nanoseconds, memory_order_relaxed) +
           (long long)(watchdog->bound_seconds * nanoseconds_per_second);
}

bool watchdog_expired(struct watchdog *watchdog)
{
    if (watchdog->bound_seconds <= 0) return false;
    if (watchdog_has_fired(watchdog)) return true;
    long long now = clock_nanoseconds(), none = 0;
    if (now < deadline(watchdog)) return false;
    atomic_compare_exchange_strong(&watchdog->fired_nanoseconds, &none, now);
    return true;
}

void watchdog_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wait_until(long long nanoseconds, pthread_cond_t *condition, pthread_mutex_t *lock)
{
    long long second = (long long)nanoseconds_per_second;
    struct timespec time = {.tv_sec = (time_t)(nanoseconds / second),
                            .tv_nsec = (long)(nanoseconds % second)};
    pthread_cond_timedwait(condition, lock, &time);
}

bool watchdog_wait(struct watchdog *watchdog, pthread_cond_t *condition, pthread_mutex_t *lock)
{
    if (watchdog->bound_seconds <= 0) {
        pthread_cond_wait(condition, lock);
        return true;
    }
    if (watchdog_expired(watchdog)) return false;
    wait_until(deadline(watchdog), condition, lock);
    return true;
}

bool watchdog_wait_after(struct watchdog *watchdog, pthread_cond_t *condition,
                         pthread_mutex_t *lock)
{
    long long end = atomic_load(&watchdog->fired_nanoseconds) +
                    (long long)(grace_seconds * nanoseconds_per_second);
    if (clock_nanoseconds() >= end) return false;
    wait_until(end, condition, lock);
    return true;
}
