// Many rows, f16 weights or blocks unpacked to f16, against activations rounded to f16, summed in f16 step by step.
#include "ops/linear/linear_tile_kernels.cuh"

static_assert(element == element_f16 || element_is_block(element), "weights that f16 holds");
static_assert(half_sums, "sums of a step are f16");
