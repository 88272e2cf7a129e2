/* Making room among artifacts: those that nobody has used for longest go first.  They are compiled again when they are wanted,
 * so a sweep beside running programs costs time, never a result. */
#ifndef TUNER_ARTIFACT_SWEEP_H
#define TUNER_ARTIFACT_SWEEP_H

#include "base/status.h"

#include <stdint.h>

struct artifact_sweep {
    long kept, removed;
    uint64_t kept_bytes, removed_bytes;
};

/* Removes artifacts below `folder` until they take at most `limit_bytes`, and what writes that were cut off have left behind. */
CHECKED status artifact_sweep(const char *folder, uint64_t limit_bytes,
                              struct artifact_sweep *sweep, struct diagnostic *diagnostic);

#endif
