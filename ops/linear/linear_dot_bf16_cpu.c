/* linear_dot_bf16_cpu: few rows, bf16 weights against activations rounded to bf16. */
#include "ops/linear/linear_dot_core_cpu.h"

generate_function linear_dot_bf16_cpu_generate;

status linear_dot_bf16_cpu_generate(const struct generation *generation, struct arena *arena,
                                    struct image *image, struct listing *listing,
                                    struct diagnostic *diagnostic)
{
    return linear_dot_generate(LINEAR_DOT_BF16, generation, arena, image, listing, diagnostic);
}
