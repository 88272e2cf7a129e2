/* head_linear_cpu: weights widened to f32. */
#include "ops/head_linear/head_linear_core_cpu.h"

generate_function head_linear_cpu_generate;

status head_linear_cpu_generate(const struct generation *generation, struct arena *arena,
                                struct image *image, struct listing *listing,
                                struct diagnostic *diagnostic)
{
    return head_linear_generate(LINEAR_DOT_FMA, generation, arena, image, listing, diagnostic);
}
