// sum = x + y.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

KERNEL(threads_per_row *rows_per_block)
add(const float *x, const float *y, float *sum, const struct step *step)
{
    for_each_vector<x_columns>(step, [=](int row, int column) {
        const long long at = (long long)row * x_columns + column;
        float a[vector], b[vector];
        load_floats(x + at, a);
        load_floats(y + at, b);
        UNROLL for (int i = 0; i < vector; i++) a[i] += b[i];
        store_floats(sum + at, a);
    });
}
