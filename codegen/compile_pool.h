/* Children that compile side by side, each with a cap on its memory and on the time of one candidate.
 *
 * What is wanted soon is added ahead and compiled while the caller does something else; what a child dies of, or does not
 * finish in time, is the failure of the candidate at hand, and another child takes its place.  Nothing is threaded: answers
 * are taken in whenever a function of the pool is called, and every child has one more request waiting for it meanwhile. */
#ifndef CODEGEN_COMPILE_POOL_H
#define CODEGEN_COMPILE_POOL_H

#include "base/work_clock.h"
#include "codegen/compile.h"

struct compile_pool;

/* Starts no child yet.  Spaces, problems and facts of what will be asked for must exist before the first is added: children
 * work on copies of what there was when they were started. */
CHECKED status compile_pool_create(int processes, struct compile_limits limits,
                                   struct compile_pool **pool, struct diagnostic *diagnostic);
/* Is looked at while the pool waits (base/work_clock.h). */
void compile_pool_use_clock(struct compile_pool *pool, struct work_clock *clock);
void compile_pool_destroy(struct compile_pool *pool); /* NULL is allowed */

/* Forgets all that was added and all results; what is being compiled is dropped when it is done. */
CHECKED status compile_pool_clear(struct compile_pool *pool, struct diagnostic *diagnostic);

/* Adds it behind all others, unless it is there. */
CHECKED status compile_pool_add(struct compile_pool *pool, const struct generation *generation,
                                struct diagnostic *diagnostic);

/* Waits for its encoded image, which lives until compile_pool_clear; adds it in front if it is not there.  The status and
 * diagnostic are the compiler's: STATUS_TIMEOUT and STATUS_CRASHED when that did not survive it. */
CHECKED status compile_pool_take(struct compile_pool *pool, const struct generation *generation,
                                 const void **image, size_t *image_bytes,
                                 struct diagnostic *diagnostic);

/* Takes in what is there, without waiting, and keeps the children busy. */
CHECKED status compile_pool_tend(struct compile_pool *pool, struct diagnostic *diagnostic);

/* Children that replaced others. */
int compile_pool_restarts(const struct compile_pool *pool);

#endif
