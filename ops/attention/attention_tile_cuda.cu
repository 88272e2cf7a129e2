// Attention of many rows over states of f16.
#include "ops/attention/attention_tile.cuh"

static_assert(!brain, "f16 states");
