/* attention_decode_cpu: few rows, widened to f32. */
#include "ops/attention/attention_decode_core_cpu.h"

generate_function attention_decode_cpu_generate;

status attention_decode_cpu_generate(const struct generation *generation, struct arena *arena,
                                     struct image *image, struct listing *listing,
                                     struct diagnostic *diagnostic)
{
    return attention_decode_generate(false, generation, arena, image, listing, diagnostic);
}
