// Many rows, bf16 weights against activations rounded to bf16, by products of warpgroups.
#include "ops/linear/linear_warpgroup.cuh"

static_assert(element == element_bf16, "bf16 weights");
