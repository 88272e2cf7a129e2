/* Whether all numbers of a model's tensors are finite (--check-tensors).  A damaged download or a failed conversion leaves
 * NaNs and infinities that one would else meet as words that make no sense. */
#ifndef MODELS_CHECK_NUMBERS_H
#define MODELS_CHECK_NUMBERS_H

#include "models/model_source.h"

/* STATUS_BAD_INPUT names the file, the tensor and the first number that is not finite.  Reads all bytes of the model; memory
 * stays below 100 KB per thread. */
CHECKED status check_numbers(const struct model_source *source, int threads,
                             const struct progress *progress, struct diagnostic *diagnostic);

#endif
