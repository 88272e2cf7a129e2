/* linear_dot_bytes_cpu: few rows, bytes by bytes. */
#include "ops/linear/linear_dot_core_cpu.h"

generate_function linear_dot_bytes_cpu_generate;

status linear_dot_bytes_cpu_generate(const struct generation *generation, struct arena *arena,
                                     struct image *image, struct listing *listing,
                                     struct diagnostic *diagnostic)
{
    return linear_dot_generate(LINEAR_DOT_BYTES, generation, arena, image, listing, diagnostic);
}
