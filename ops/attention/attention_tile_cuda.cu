// Attention of many rows over states of f16.
#include "ops/attention/attention_tile.cuh"

static_assert(k_state_element == element_f16, "f16 states");
