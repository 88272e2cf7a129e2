/* Running an operator's reference, for tuner/check*.c only. */
#ifndef TUNER_CHECK_REFERENCE_H
#define TUNER_CHECK_REFERENCE_H

#include "tuner/check_result.h"

/* Fills `outputs[i]` (memory for each of the check's operands, as they lie in memory) from the
 * inputs of `workload`, whose rows and seed are those of check->workload.  Repeats rows where the
 * workload does; computes some items only where check->sampled says so. */
CHECKED status check_reference_run(const struct check *check, const struct workload *workload,
                                   const struct check_options *options,
                                   unsigned char *const *outputs, struct diagnostic *diagnostic);

/* Whether the reference of two rows taken out of the middle of `expected` gives what it gave among
 * all others. */
CHECKED status check_rows_alike(const struct check *check, unsigned char *const *expected,
                                bool *alike, struct diagnostic *diagnostic);

#endif
