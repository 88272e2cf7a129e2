/* A pool of threads for kernels.
 *
 * The calling thread takes part as thread 0.  Between runs the others spin for a moment and then park, so that a pool
 * at rest costs nothing; within a run they meet at barriers that cost well under a microsecond when every thread has
 * a core, and that park as well when one has not. */
#ifndef RUNTIME_THREADS_H
#define RUNTIME_THREADS_H

#include "runtime/cpu_seats.h"

#include <stdint.h>

struct thread_pool;

/* `threads` >= 1, the caller included.  The others are pinned to a core each (runtime/cpu_seats.h) when there are enough
 * cores; the caller's thread is left as it is. */
CHECKED status thread_pool_create(int threads, struct thread_pool **pool,
                                  struct diagnostic *diagnostic);
/* The same on seats that are given. */
CHECKED status thread_pool_create_on(const struct cpu_seats *seats, int threads,
                                     struct thread_pool **pool, struct diagnostic *diagnostic);
void thread_pool_destroy(struct thread_pool *pool); /* NULL is allowed */
int thread_pool_size(const struct thread_pool *pool);

/* Calls work(context, thread) on every thread, returns when all have returned.  One run at a time. */
void thread_pool_run(struct thread_pool *pool, void (*work)(void *context, int thread),
                     void *context);

/* Within a run: waits until every thread of the pool is here. */
void thread_pool_barrier(struct thread_pool *pool);

/* The share of [0, items) that belongs to `thread` of `threads`, in multiples of `unit`. */
void thread_share(int64_t items, int64_t unit, int thread, int threads, int64_t *begin,
                  int64_t *end);

/* The same in proportion to the speeds of the threads' cores. */
void thread_pool_share(const struct thread_pool *pool, int64_t items, int64_t unit, int thread,
                       int64_t *begin, int64_t *end);
/* The memory node that the thread's core is nearest to; 0 where there is one node, or more threads than cores. */
int thread_pool_node(const struct thread_pool *pool, int thread);
int thread_pool_nodes(const struct thread_pool *pool);

/* Threads that make sense here: physical cores that this process may use. */
int thread_count_default(void);

#endif
