// Many slots for each expert, bf16 weights, or those of mxfp4 and nvfp4, whose scales bf16 holds, on the tensor cores.
#include "ops/grouped_linear/grouped_tile.cuh"

static_assert(brain, "weights that bf16 holds");
