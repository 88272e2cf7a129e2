/* grouped_amx_bf16_cpu: many rows for each expert, tiles of bf16. */
#include "ops/grouped_linear/grouped_tile_core_cpu.h"

generate_function grouped_amx_bf16_cpu_generate;

status grouped_amx_bf16_cpu_generate(const struct generation *generation, struct arena *arena,
                                     struct image *image, struct listing *listing,
                                     struct diagnostic *diagnostic)
{
    return grouped_tile_generate(LINEAR_DOT_AMX, generation, arena, image, listing, diagnostic);
}
