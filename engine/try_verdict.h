/* From records to verdicts, for engine/try_kernel.c only. */
#ifndef ENGINE_TRY_VERDICT_H
#define ENGINE_TRY_VERDICT_H

#include "engine/try_kernel.h"

struct verdict_setting {
    const struct catalogue *all, *tried;
    const struct device_facts *facts;
    struct store *store;
};

bool verdict_is_answered(const struct problem *problem, const struct catalogue *tried,
                         const struct device_facts *facts, struct arena *arena);

/* `row`: what the second run reports. */
CHECKED status verdict_make(const struct verdict_setting *setting, const struct tune_row *row,
                            struct arena *arena, struct verdict *verdict,
                            struct diagnostic *diagnostic);

/* Fills in what the report says over all problems. */
void verdict_sum_up(struct try_report *report);

#endif
