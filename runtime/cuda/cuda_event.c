/* Events of hone's queues on a card: a mark is an event of the driver behind the work that the stream has been given. */
#include "runtime/cuda/cuda_device.h"

static status create_mark(struct cuda_device *card, struct cuda_mark **result,
                          struct diagnostic *diagnostic)
{
    struct cuda_mark *mark;
    pthread_mutex_lock(&card->lock);
    mark = arena_allocate(card->base.arena, 1, sizeof *mark);
    pthread_mutex_unlock(&card->lock);
    TRY_MEMORY(mark, diagnostic);
    mark->card = card;
    TRY(cuda_answer(card, card->driver.cuEventCreate(&mark->event, CU_EVENT_DISABLE_TIMING),
                    "creating an event", diagnostic));
    *result = mark;
    return STATUS_OK;
}

status cuda_signal(struct cuda_device *card, struct event *event, struct diagnostic *diagnostic)
{
    struct cuda_mark *mark = event_old_mark(event, &device_cuda_interface);
    if (!mark || mark->card != card) TRY(create_mark(card, &mark, diagnostic));
    TRY(cuda_answer(card, card->driver.cuEventRecord(mark->event, card->stream), "signalling",
                    diagnostic));
    event_leave(event, &device_cuda_interface, mark);
    return STATUS_OK;
}

bool cuda_wait_is_ready(struct event *event)
{
    const struct device_interface *interface;
    void *mark;
    enum event_state state = event_look(event, &interface, &mark);
    return state == EVENT_MARKED || (state == EVENT_LEFT && interface == &device_cuda_interface);
}

status cuda_wait(struct cuda_device *card, struct event *event, struct diagnostic *diagnostic)
{
    void *found;
    enum event_state state = event_await(event, &card->base, &found);
    if (state == EVENT_UNMARKED) return device_waited(&card->base, diagnostic);
    if (state != EVENT_LEFT) return STATUS_OK;
    struct cuda_mark *mark = found;
    if (mark->card == card) return STATUS_OK; /* its own stream is in order */
    if (mark->card->driver.library != card->driver.library) {
        cuda_mark_await(mark);
        return cuda_enter(card, diagnostic);
    }
    return cuda_answer(card, card->driver.cuStreamWaitEvent(card->stream, mark->event, 0),
                       "waiting for another card", diagnostic);
}

/* A failure is told by the card whose mark it is. */
void cuda_mark_await(void *mark)
{
    struct cuda_mark *own = mark;
    struct diagnostic ignored = {0};
    if (cuda_enter(own->card, &ignored) == STATUS_OK)
        own->card->driver.cuEventSynchronize(own->event);
}

void cuda_mark_destroy(void *mark)
{
    struct cuda_mark *own = mark;
    struct diagnostic ignored = {0};
    if (cuda_enter(own->card, &ignored) == STATUS_OK) own->card->driver.cuEventDestroy(own->event);
}
