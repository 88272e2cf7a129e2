// append: state[page of the row's position] = x[row] in the state's type; a row without a page is dropped.
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/paging.cuh"
#include "codegen/cuda/rows.cuh"

KERNEL(threads_per_row *rows_per_block)
append(const float *x, const int *positions, const int *sequences, const int *pages, unsigned char *state,
       const struct step *step)
{
    for_each_vector<x_columns>(step, [=](int row, int column) {
        const long long place = paged_row<state_dimension_1>(pages, step, sequences[row], positions[row]);
        if (place < 0) return;
        float values[vector];
        load_floats(x + (long long)row * x_columns + column, values);
        unsigned char *to = state + place * row_bytes(state_element, x_columns);
        UNROLL for (int i = 0; i < vector; i++) store_element<state_element>(to, column + i, values[i]);
    });
}
