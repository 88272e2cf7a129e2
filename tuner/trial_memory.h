/* The trial's operands where kernels use them, for tuner/trial*.c only.
 *
 * Workloads live in the host's memory, where they are filled, poisoned and checked.  For a device with memory of its own
 * each has a copy there, laid out alike, guard bands included: it is sent before a run and fetched after it. */
#ifndef TUNER_TRIAL_MEMORY_H
#define TUNER_TRIAL_MEMORY_H

#include "tuner/trial.h"

/* After the workloads have been made. */
CHECKED status trial_memory_create(struct trial *trial, struct diagnostic *diagnostic);
void trial_memory_destroy(struct trial *trial);

/* What changes from run to run: outputs, and states that are written. */
CHECKED status trial_memory_send(const struct trial *trial, int part,
                                 struct diagnostic *diagnostic);
/* All inputs but weights, of the first set of cold copies. */
CHECKED status trial_memory_send_inputs(const struct trial *trial, int part,
                                        struct diagnostic *diagnostic);
/* The outputs alone. */
CHECKED status trial_memory_fetch_outputs(const struct trial *trial, int part,
                                          struct diagnostic *diagnostic);
/* All that a run may have changed, of both workloads; `sets` of the cold copies. */
CHECKED status trial_memory_fetch(const struct trial *trial, int sets,
                                  struct diagnostic *diagnostic);

/* The operands of the n-th run where the kernel finds them. */
void *const *trial_memory_operands(const struct trial *trial, int part, int n);

#endif
