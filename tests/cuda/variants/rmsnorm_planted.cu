// rmsnorm without the addition, right (plant 0) or wrong in one of five ways.
#include "codegen/cuda/memory.cuh"
#include "config.cuh"

KERNEL(32)
rmsnorm_planted(const float *x, float *y, const float *weight, float *sum, float *norm, const struct step *step)
{
    const int row = blockIdx.x * 32 + threadIdx.x;
    if (plant != 2 && row >= step->rows) return; // 2: writes the rows behind the step's, into the guard area
    const float *terms = x + (long long)row * x_columns;
    float *to = y + (long long)row * x_columns, total = 0;
    if (plant == 2 && row >= step->rows) {
        to[0] = 1;
        return;
    }
    for (int column = 0; column < x_columns; column++) total += terms[column] * terms[column];
    const float scale = 1.0f / sqrtf(total / x_columns + epsilon);
    for (int column = 0; column < x_columns; column++) to[column] = terms[column] * scale * (weight[column] + offset);
    if (plant == 1) to[x_columns - 1] = 0;                                  // a wrong result
    if (plant == 3) y[1ll << 38] = 1;                                       // a fault
    if (plant == 4 && row == 0) const_cast<float *>(weight)[3] += 1;         // changes its input
    if (plant == 5) for (volatile int *never = (volatile int *)y; *never != 1 << 30;) {} // never ends
}
