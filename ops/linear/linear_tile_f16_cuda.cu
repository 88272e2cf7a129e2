// Many rows, f16 weights or blocks unpacked to f16, against activations rounded to f16, on the tensor cores.
#include "ops/linear/linear_tile_kernels.cuh"

static_assert(element == element_f16 || (packed && !brain), "weights that f16 holds");
