/* Few rows for each expert: the weights of the experts in use go by in streams, each row is read
 * once and multiplied with all rows of activations that its expert has (linear_stream_core_cpu.h).
 *
 * A work item is one output of every expert in use.  Where products are of bytes, a first launch
 * rounds each row of x once, for all experts. */
#ifndef OPS_GROUPED_LINEAR_GROUPED_DOT_CORE_CPU_H
#define OPS_GROUPED_LINEAR_GROUPED_DOT_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

CHECKED status grouped_dot_generate(enum linear_dot dot, const struct generation *generation,
                                    struct arena *arena, struct image *image,
                                    struct listing *listing, struct diagnostic *diagnostic);

#endif
