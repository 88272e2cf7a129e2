// Many slots for each expert, f16 weights or blocks unpacked to f16, on the tensor cores.
#include "ops/grouped_linear/grouped_tile.cuh"

static_assert(element == element_f16 || (packed && !brain), "weights that f16 holds");
