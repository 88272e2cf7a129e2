// rmsnorm and add_rmsnorm, as plainly as they can be written.  add_rmsnorm has y among its inputs, rmsnorm as its output.
#include "codegen/cuda/memory.cuh"
#include "config.cuh"

constexpr bool adds = norm_present;

KERNEL(rows_per_block)
rmsnorm_plain(const float *x, float *y, const float *weight, float *sum, float *norm, const struct step *step)
{
    const int row = blockIdx.x * rows_per_block + threadIdx.x;
    if (row >= step->rows) return;
    const long long base = (long long)row * x_columns;
    const float *terms = adds ? sum + base : x + base;
    float *to = (adds ? norm : y) + base;
    float total = 0;
    for (int column = 0; column < x_columns; column++) {
        if (adds) sum[base + column] = x[base + column] + y[base + column];
        total += terms[column] * terms[column];
    }
    const float scale = 1.0f / sqrtf(total / x_columns + epsilon);
    for (int column = 0; column < x_columns; column++) to[column] = terms[column] * scale * (weight[column] + offset);
}
