// Attention of many rows over states of blocks.
#include "ops/attention/attention_tile.cuh"

static_assert(element_is_block(k_state_element), "states of blocks");
