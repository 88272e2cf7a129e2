// y = limit * tanh(x / limit).
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

KERNEL(threads_per_row *rows_per_block)
softcap_rows(const float *x, float *y, const struct step *step)
{
    for_each_vector<x_columns>(step, [=](int row, int column) {
        const long long at = (long long)row * x_columns + column;
        float values[vector];
        load_floats(x + at, values);
        UNROLL for (int i = 0; i < vector; i++) values[i] = limit * tanhf(values[i] / limit);
        store_floats(y + at, values);
    });
}
