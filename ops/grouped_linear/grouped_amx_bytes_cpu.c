/* grouped_amx_bytes_cpu: many rows for each expert, tiles of bytes. */
#include "ops/grouped_linear/grouped_tile_core_cpu.h"

generate_function grouped_amx_bytes_cpu_generate;

status grouped_amx_bytes_cpu_generate(const struct generation *generation, struct arena *arena,
                                      struct image *image, struct listing *listing,
                                      struct diagnostic *diagnostic)
{
    return grouped_tile_generate(LINEAR_DOT_AMX_BYTES, generation, arena, image, listing,
                                 diagnostic);
}
