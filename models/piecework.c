/* Threads that take the next piece until none is left.  The caller is one of them, and the one that
 * reports. */
#include "models/piecework.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the threads share. */
struct crew {
    const struct piecework *work;
    atomic_int_fast64_t next_piece;
    atomic_bool stop;
    int64_t start_nanoseconds;
};

struct worker {
    struct crew *crew;
    pthread_t thread;
    int number;
    status result;
    struct diagnostic diagnostic;
};

int piecework_threads(int wanted)
{
    if (wanted < 1) return 1;
    return wanted < PIECEWORK_THREADS_MAX ? wanted : PIECEWORK_THREADS_MAX;
}

/* Asked before each piece, and once more when none is left. */
static status report(struct worker *worker)
{
    const struct piecework *work = worker->crew->work;
    int64_t done = atomic_load(&worker->crew->next_piece);
    if (done > work->count) done = work->count;
    double seconds = (double)(clock_nanoseconds() - worker->crew->start_nanoseconds) / 1e9;
    double left = (double)(work->count - done);
    struct progress_state state = {.stage = work->stage,
                                   .done = (double)done,
                                   .total = (double)work->count,
                                   .seconds_left = done ? seconds / (double)done * left : -1};
    progress_update(work->progress, &state);
    if (!progress_interrupted(work->progress)) return STATUS_OK;
    return fail(&worker->diagnostic, STATUS_INTERRUPTED, "interrupted");
}

static void *take_pieces(void *context)
{
    struct worker *worker = context;
    struct crew *crew = worker->crew;
    const struct piecework *work = crew->work;
    int64_t piece = 0;
    while (piece < work->count && !atomic_load(&crew->stop)) {
        if (!worker->number) worker->result = report(worker);
        piece = atomic_fetch_add(&crew->next_piece, 1);
        if (worker->result == STATUS_OK && piece < work->count)
            worker->result = work->run(work->context, worker->number, piece, &worker->diagnostic);
        if (worker->result != STATUS_OK) atomic_store(&crew->stop, true);
    }
    return NULL;
}

/* A thread that cannot be had is no failure: the others do its work. */
status piecework_run(const struct piecework *work, struct arena *scratch,
                     struct diagnostic *diagnostic)
{
    struct crew crew = {.work = work, .start_nanoseconds = clock_nanoseconds()};
    bool started[PIECEWORK_THREADS_MAX] = {false};
    int count = piecework_threads(work->threads);
    struct worker *workers;
    TRY_NEW(workers, scratch, count, diagnostic);
    for (int i = count - 1; i >= 0; i--) {
        workers[i] = (struct worker){.crew = &crew, .number = i};
        if (i) started[i] = !pthread_create(&workers[i].thread, NULL, take_pieces, &workers[i]);
    }
    take_pieces(&workers[0]);
    status result = workers[0].result;
    if (result != STATUS_OK) *diagnostic = workers[0].diagnostic;
    for (int i = 1; i < count; i++) {
        if (started[i]) pthread_join(workers[i].thread, NULL);
        if (result != STATUS_OK || workers[i].result == STATUS_OK) continue;
        result = workers[i].result;
        *diagnostic = workers[i].diagnostic;
    }
    return result;
}
