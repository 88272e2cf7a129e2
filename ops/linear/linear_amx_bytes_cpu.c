/* linear_amx_bytes_cpu: many rows, tiles of bytes. */
#include "ops/linear/linear_tile_core_cpu.h"

generate_function linear_amx_bytes_cpu_generate;

status linear_amx_bytes_cpu_generate(const struct generation *generation, struct arena *arena,
                                     struct image *image, struct listing *listing,
                                     struct diagnostic *diagnostic)
{
    return linear_tile_generate(LINEAR_DOT_AMX_BYTES, generation, arena, image, listing,
                                diagnostic);
}
