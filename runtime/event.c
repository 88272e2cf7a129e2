/* Events between queues: a flag under a lock.  Queues of different devices are host threads, and a step crosses devices
 * a few times at most, so nothing quicker is needed. */
#include "runtime/device_internal.h"

struct event {
    struct arena *arena;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool marked;
};

status event_create(struct event **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct event *event = arena_allocate(arena, 1, sizeof *event);
    if (!event) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *event);
    }
    event->arena = arena;
    pthread_mutex_init(&event->lock, NULL);
    pthread_cond_init(&event->changed, NULL);
    *result = event;
    return STATUS_OK;
}

void event_destroy(struct event *event)
{
    if (!event) return;
    pthread_cond_destroy(&event->changed);
    pthread_mutex_destroy(&event->lock);
    arena_destroy(event->arena);
}

void event_reset(struct event *event)
{
    pthread_mutex_lock(&event->lock);
    event->marked = false;
    pthread_mutex_unlock(&event->lock);
}

void event_mark(struct event *event)
{
    pthread_mutex_lock(&event->lock);
    event->marked = true;
    pthread_cond_broadcast(&event->changed);
    pthread_mutex_unlock(&event->lock);
}

void event_await(struct event *event)
{
    pthread_mutex_lock(&event->lock);
    while (!event->marked) pthread_cond_wait(&event->changed, &event->lock);
    pthread_mutex_unlock(&event->lock);
}
