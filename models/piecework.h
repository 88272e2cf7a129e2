/* Work that falls into pieces, dealt out to threads: writing files whose bytes take long to compute. */
#ifndef MODELS_PIECEWORK_H
#define MODELS_PIECEWORK_H

#include "base/arena.h"
#include "base/progress.h"
#include "base/status.h"

#include <stdint.h>

enum { PIECEWORK_THREADS_MAX = 64 };

struct piecework {
    int64_t count; /* pieces; they should take about equally long */
    int threads;
    const char *stage; /* for the progress line */
    const struct progress *progress;
    /* Called from several threads at once, for each piece once, in order of their numbers as far as
     * threads go.  `worker` is below piecework_threads. */
    status (*run)(void *context, int worker, int64_t piece, struct diagnostic *diagnostic);
    void *context;
};

/* As many threads as will be used of those that are wanted. */
int piecework_threads(int wanted);

/* Stops at the first failure, or with STATUS_INTERRUPTED. */
CHECKED status piecework_run(const struct piecework *work, struct arena *scratch,
                             struct diagnostic *diagnostic);

#endif
