/* grouped_dot_bf16_cpu: few rows for each expert, bf16 against bf16. */
#include "ops/grouped_linear/grouped_dot_core_cpu.h"

generate_function grouped_dot_bf16_cpu_generate;

status grouped_dot_bf16_cpu_generate(const struct generation *generation, struct arena *arena,
                                     struct image *image, struct listing *listing,
                                     struct diagnostic *diagnostic)
{
    return grouped_dot_generate(LINEAR_DOT_BF16, generation, arena, image, listing, diagnostic);
}
