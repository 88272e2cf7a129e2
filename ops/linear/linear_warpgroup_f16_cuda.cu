// Many rows, f16 weights against activations rounded to f16, by products of warpgroups.
#include "ops/linear/linear_warpgroup.cuh"

static_assert(element == element_f16, "f16 weights");
