/* head_linear_bytes_cpu: blocks against activations rounded to bytes. */
#include "ops/head_linear/head_linear_core_cpu.h"

generate_function head_linear_bytes_cpu_generate;

status head_linear_bytes_cpu_generate(const struct generation *generation, struct arena *arena,
                                      struct image *image, struct listing *listing,
                                      struct diagnostic *diagnostic)
{
    return head_linear_generate(LINEAR_DOT_BYTES, generation, arena, image, listing, diagnostic);
}
