/* grouped_dot_bytes_cpu: few rows for each expert, bytes by bytes. */
#include "ops/grouped_linear/grouped_dot_core_cpu.h"

generate_function grouped_dot_bytes_cpu_generate;

status grouped_dot_bytes_cpu_generate(const struct generation *generation, struct arena *arena,
                                      struct image *image, struct listing *listing,
                                      struct diagnostic *diagnostic)
{
    return grouped_dot_generate(LINEAR_DOT_BYTES, generation, arena, image, listing, diagnostic);
}
