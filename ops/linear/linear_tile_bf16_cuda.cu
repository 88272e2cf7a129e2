// Many rows, bf16 weights against activations rounded to bf16, on the tensor cores.
#include "ops/linear/linear_tile.cuh"

static_assert(element == element_bf16, "bf16 weights");
