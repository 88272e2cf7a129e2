/* How the items of a launch get to threads.
 *
 * Each thread has a share of them, in proportion to its core's speed and the same in every launch, so that it meets the
 * weights that lie near it.  With more than one chunk per share, threads claim chunks: their own first, then what others
 * have not begun, from the end of their shares.  So one core that is slow today, or taken away for a while, holds up the
 * others by one chunk at most.  Which thread computes an item never changes its bits. */
#ifndef RUNTIME_WORK_CLAIMS_H
#define RUNTIME_WORK_CLAIMS_H

#include "runtime/threads.h"

enum { WORK_CHUNKS_MAX = 16, WORK_CHUNKS_DEFAULT = 4 };

struct work_claims;

/* `chunks` per share, 1 to WORK_CHUNKS_MAX; 1: nobody takes from others. */
CHECKED status work_claims_create(const struct thread_pool *pool, int chunks, struct arena *arena,
                                  struct work_claims **claims, struct diagnostic *diagnostic);

/* One thread's way through one launch.  `generation`: counts launches, the same in all threads. */
struct work_walk {
    struct work_claims *claims;
    unsigned generation;
    int64_t items, unit;
    int thread, tried;
};

/* The next items for this thread; false: there are none left to begin. */
bool work_next(struct work_walk *walk, int64_t *begin, int64_t *end);

#endif
