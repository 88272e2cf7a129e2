/* linear_tile_cpu: many rows, weights widened to f32. */
#include "ops/linear/linear_tile_core_cpu.h"

generate_function linear_tile_cpu_generate;

status linear_tile_cpu_generate(const struct generation *generation, struct arena *arena,
                                struct image *image, struct listing *listing,
                                struct diagnostic *diagnostic)
{
    return linear_tile_generate(LINEAR_DOT_FMA, generation, arena, image, listing, diagnostic);
}
