/* Homes: the memory in which the weights and states of a plan live on their devices.
 *
 * The host uses a weight where its file is mapped when it is in one piece and in the order of the file; every other
 * device, and every other layout, gets a copy. */
#ifndef RUNTIME_HOMES_H
#define RUNTIME_HOMES_H

#include "base/progress.h"
#include "ir/plan.h"
#include "ir/weight_source.h"
#include "runtime/device.h"

struct home {
    void *address;
    int64_t bytes; /* owned; 0: borrowed from the model's file */
};

/* Fills homes[value] for weights and states that have none yet.  On failure what was allocated stays in `homes` for homes_free. */
CHECKED status homes_fill(const struct plan *plan, struct device *const *devices,
                          const struct weight_source *weights, const struct progress *progress,
                          struct arena *arena, struct home *homes, struct diagnostic *diagnostic);
/* Moves what both plans want on the same device from one's homes to the other's: weights of one name and layout, and memory
 * for states (not their contents).  homes_fill then fills only what is missing. */
void homes_take(const struct plan *from, struct home *from_homes, const struct plan *to,
                struct home *to_homes);
/* Lends what both schedules of a plan mean, which the lender still owns. */
void homes_lend(const struct plan *from, const struct home *from_homes, const struct plan *to,
                struct home *to_homes);
void homes_free(const struct plan *plan, struct device *const *devices, struct home *homes);

#endif
