/* The seal of plan files: a keyed hash (BLAKE2b of libsodium) with a key that is made on first use and readable by this
 * user only. */
#ifndef PLANNER_PLAN_SEAL_H
#define PLANNER_PLAN_SEAL_H

#include "base/arena.h"

#include <stdint.h>

enum { PLAN_SEAL_BYTES = 32 };

/* `create`: make the key when there is none. */
CHECKED status plan_seal(const void *bytes, size_t count, bool create,
                         uint8_t seal[PLAN_SEAL_BYTES], struct diagnostic *diagnostic);

#endif
