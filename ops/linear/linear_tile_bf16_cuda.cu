// Many rows, bf16 weights, or those of mxfp4 and nvfp4, whose scales bf16 holds, against activations rounded to bf16, on the tensor cores.
#include "ops/linear/linear_tile_kernels.cuh"

static_assert(brain, "weights that bf16 holds");
