/* The parts of plan_verify that live in files of their own. */
#ifndef IR_PLAN_CHECK_H
#define IR_PLAN_CHECK_H

#include "ir/plan.h"

/* Every result has room in its device's arena, and no two that are alive together overlap. */
CHECKED status memory_layout_verify(const struct graph *graph, const int64_t symbols[SYMBOL_COUNT],
                                    const struct memory_layout *layout, int device_count,
                                    struct arena *scratch, struct diagnostic *diagnostic);

/* The steps run every node once and in order, and however the queues run beside each other, no step
 * starts before what it reads is there or overwrites what another one still uses. */
CHECKED status plan_verify_order(const struct plan *plan, struct arena *scratch,
                                 struct diagnostic *diagnostic);

#endif
