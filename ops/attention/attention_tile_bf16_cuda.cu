// Attention of many rows over states of bf16.
#include "ops/attention/attention_tile.cuh"

static_assert(brain, "bf16 states");
