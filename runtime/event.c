/* Events between queues.
 *
 * A queue of the host marks an event when it gets there: a flag under a lock.  A queue that runs on its own (a card's
 * stream) leaves a mark behind the work it has been given, which others can wait for: that card's kind waits on the card,
 * everybody else in the waiting thread.  A step crosses devices a few times at most, so nothing quicker is needed. */
#include "runtime/device_internal.h"

struct event {
    struct arena *arena;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum event_state state;
    const struct device_interface
        *interface; /* of the mark, which is kept from one generation to the next */
    void *mark;
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
    watchdog_condition(&event->changed);
    *result = event;
    return STATUS_OK;
}

void event_destroy(struct event *event)
{
    if (!event) return;
    if (event->mark) event->interface->mark_destroy(event->mark);
    pthread_cond_destroy(&event->changed);
    pthread_mutex_destroy(&event->lock);
    arena_destroy(event->arena);
}

static void set_state(struct event *event, enum event_state state)
{
    event->state = state;
    if (state != EVENT_UNMARKED) pthread_cond_broadcast(&event->changed);
}

void event_reset(struct event *event)
{
    pthread_mutex_lock(&event->lock);
    set_state(event, EVENT_UNMARKED);
    pthread_mutex_unlock(&event->lock);
}

void event_mark(struct event *event)
{
    pthread_mutex_lock(&event->lock);
    set_state(event, EVENT_MARKED);
    pthread_mutex_unlock(&event->lock);
}

void event_leave(struct event *event, const struct device_interface *interface, void *mark)
{
    pthread_mutex_lock(&event->lock);
    if (event->mark && event->mark != mark) event->interface->mark_destroy(event->mark);
    event->interface = interface;
    event->mark = mark;
    set_state(event, EVENT_LEFT);
    pthread_mutex_unlock(&event->lock);
}

void *event_old_mark(struct event *event, const struct device_interface *interface)
{
    pthread_mutex_lock(&event->lock);
    void *mark = event->interface == interface ? event->mark : NULL;
    pthread_mutex_unlock(&event->lock);
    return mark;
}

enum event_state event_look(struct event *event, const struct device_interface **interface,
                            void **mark)
{
    pthread_mutex_lock(&event->lock);
    enum event_state state = event->state;
    *interface = event->interface;
    *mark = event->mark;
    pthread_mutex_unlock(&event->lock);
    return state;
}

enum event_state event_await(struct event *event, const struct device *waiting, void **mark)
{
    const struct device_interface *own = waiting->interface;
    bool goes_on = true;
    pthread_mutex_lock(&event->lock);
    while (event->state == EVENT_UNMARKED && goes_on)
        goes_on = watchdog_wait(waiting->watchdog, &event->changed, &event->lock);
    enum event_state state = event->state;
    const struct device_interface *interface = event->interface;
    *mark = event->mark;
    pthread_mutex_unlock(&event->lock);
    if (state != EVENT_LEFT || interface == own) return state;
    interface->mark_await(*mark);
    return EVENT_MARKED;
}
