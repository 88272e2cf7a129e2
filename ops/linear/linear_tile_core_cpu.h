/* Many rows: a panel of weights is unpacked once and multiplied, in register tiles, with a block of
 * activation rows (linear_block_core_cpu.h says how).
 *
 * A work item is a panel and `tiles` tiles of rows below each other.  A first launch packs the
 * activations, so that the innermost loop reads both sides in order (linear_panel_core_cpu.h). */
#ifndef OPS_LINEAR_LINEAR_TILE_CORE_CPU_H
#define OPS_LINEAR_LINEAR_TILE_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

CHECKED status linear_tile_generate(enum linear_dot dot, const struct generation *generation,
                                    struct arena *arena, struct image *image,
                                    struct listing *listing, struct diagnostic *diagnostic);

#endif
