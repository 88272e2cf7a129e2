/* linear_dot_cpu: few rows, weights widened to f32. */
#include "ops/linear/linear_dot_core_cpu.h"

generate_function linear_dot_cpu_generate;

status linear_dot_cpu_generate(const struct generation *generation, struct arena *arena,
                               struct image *image, struct listing *listing,
                               struct diagnostic *diagnostic)
{
    return linear_dot_generate(LINEAR_DOT_FMA, generation, arena, image, listing, diagnostic);
}
