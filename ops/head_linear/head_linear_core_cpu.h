/* A small matrix per head; the variants on it differ in how products are formed, as those of linear
 * for few rows do (linear_dot_core_cpu.h). */
#ifndef OPS_HEAD_LINEAR_HEAD_LINEAR_CORE_CPU_H
#define OPS_HEAD_LINEAR_HEAD_LINEAR_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

CHECKED status head_linear_generate(enum linear_dot dot, const struct generation *generation,
                                    struct arena *arena, struct image *image,
                                    struct listing *listing, struct diagnostic *diagnostic);

#endif
