// append into states of blocks: a warp rounds 32 neighbours of a row; a row without a page is dropped.
#include "codegen/cuda/encode.cuh"
#include "codegen/cuda/paging.cuh"

constexpr int blocks_per_row = x_columns / block_elements;

KERNEL(threads)
append_block(const float *x, const int *positions, const int *sequences, const int *pages, unsigned char *state,
             const struct step *step)
{
    const int row = blockIdx.x / parts, index = blockIdx.x % parts * (threads / warp_lanes) + warp_index();
    if (row >= step->rows || index >= blocks_per_row) return;
    const long long place = paged_row<state_dimension_1>(pages, step, sequences[row], positions[row]);
    if (place < 0) return;
    const float number = x[(long long)row * x_columns + index * block_elements + lane_index()];
    unsigned char *to = state + place * row_bytes(state_element, x_columns);
    store_block<state_element>(to + index * element_bytes(state_element), number);
}
