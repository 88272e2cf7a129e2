// y[r] = x[outputs[r]]; a row before the first gives NaN.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

KERNEL(threads_per_row *rows_per_block)
select(const int *outputs, const float *x, float *y, const struct step *step)
{
    for_each_vector<x_columns>(step, [=](int row, int column) {
        const int from = outputs[row];
        float values[vector];
        UNROLL for (int i = 0; i < vector; i++) values[i] = not_a_number();
        if (from >= 0) load_floats(x + (long long)from * x_columns + column, values);
        store_floats(y + (long long)row * x_columns + column, values);
    });
}
