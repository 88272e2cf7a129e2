/* A lock and a condition: submissions are a few per step. */
#include "runtime/queue_thread.h"

static void *queue_main(void *context)
{
    struct queue_thread *queue = context;
    pthread_mutex_lock(&queue->lock);
    queue->standing = true;
    pthread_cond_broadcast(&queue->changed);
    while (!queue->closing) {
        if (!queue->submitted) {
            pthread_cond_wait(&queue->changed, &queue->lock);
            continue;
        }
        pthread_mutex_unlock(&queue->lock);
        queue->run(queue->context);
        pthread_mutex_lock(&queue->lock);
        queue->submitted = false;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return NULL;
}

status queue_thread_start(struct queue_thread *queue, void (*run)(void *context), void *context,
                          const char *owner, struct diagnostic *diagnostic)
{
    *queue = (struct queue_thread){.run = run, .context = context};
    pthread_mutex_init(&queue->lock, NULL);
    watchdog_condition(&queue->changed);
    if (pthread_create(&queue->thread, NULL, queue_main, queue))
        return fail(diagnostic, STATUS_FAILED, "the queue thread of %s could not be started",
                    owner);
    /* Only a thread that waits holds no lock that a forked child could find locked (see threads.c). */
    pthread_mutex_lock(&queue->lock);
    while (!queue->standing) pthread_cond_wait(&queue->changed, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
    queue->started = true;
    return STATUS_OK;
}

void queue_thread_stop(struct queue_thread *queue)
{
    if (!queue->started || queue->abandoned) return;
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    pthread_join(queue->thread, NULL);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    queue->started = false;
}

void queue_thread_submit(struct queue_thread *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->submitted = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_thread_await(struct queue_thread *queue, struct watchdog *watchdog)
{
    bool goes_on = true;
    if (queue->abandoned) return false;
    pthread_mutex_lock(&queue->lock);
    while (queue->submitted && goes_on)
        goes_on = watchdog_wait(watchdog, &queue->changed, &queue->lock) ||
                  watchdog_wait_after(watchdog, &queue->changed, &queue->lock);
    queue->abandoned = queue->submitted;
    pthread_mutex_unlock(&queue->lock);
    if (queue->abandoned) pthread_detach(queue->thread);
    return !queue->abandoned;
}
