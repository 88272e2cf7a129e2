/* Few rows: each weight row is read once, straight from the file's blocks, and multiplied with all
 * rows of activations while it is near (linear_stream_core_cpu.h says how).
 *
 * The variants on it differ in how products are formed, which is a class of numerics each:
 * linear_dot_cpu widens the weights to f32; linear_dot_bytes_cpu rounds the activations to 8 bits
 * per block of 32, in a launch of its own; linear_dot_bf16_cpu rounds them to bf16. */
#ifndef OPS_LINEAR_LINEAR_DOT_CORE_CPU_H
#define OPS_LINEAR_LINEAR_DOT_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

CHECKED status linear_dot_generate(enum linear_dot dot, const struct generation *generation,
                                   struct arena *arena, struct image *image,
                                   struct listing *listing, struct diagnostic *diagnostic);

#endif
