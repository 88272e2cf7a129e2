/* Many rows for each expert: register tiles over the expert's slots, which lie side by side
 * (linear_block_core_cpu.h).
 *
 * A first launch packs the slots' activations, each expert's beginning with a new tile.  A work
 * item is a panel of outputs of every expert in use; `shares` deals the experts to several work
 * items where there are fewer panels than threads. */
#ifndef OPS_GROUPED_LINEAR_GROUPED_TILE_CORE_CPU_H
#define OPS_GROUPED_LINEAR_GROUPED_TILE_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

CHECKED status grouped_tile_generate(enum linear_dot dot, const struct generation *generation,
                                     struct arena *arena, struct image *image,
                                     struct listing *listing, struct diagnostic *diagnostic);

#endif
