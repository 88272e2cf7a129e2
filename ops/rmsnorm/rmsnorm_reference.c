/* The reference of rmsnorm. */
#include "ops/access.h"
#include "ops/rmsnorm/rmsnorm.h"

#include <math.h>

void rmsnorm_row(const float *x, const float *weight, int64_t columns, double epsilon,
                 double offset, float *y)
{
    double sum = 0;
    for (int64_t c = 0; c < columns; c++) sum += (double)x[c] * (double)x[c];
    double scale = 1 / sqrt(sum / (double)columns + epsilon);
    for (int64_t c = 0; c < columns; c++)
        y[c] = (float)((double)x[c] * scale * ((double)weight[c] + offset));
}

void rmsnorm_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end)
{
    (void)run;
    int64_t columns = fixed_dimension(problem, RMSNORM_X, 1);
    const float *x = operands[RMSNORM_X];
    float *y = operands[RMSNORM_Y];
    int64_t width = fixed_dimension(problem, RMSNORM_WEIGHT, 0);
    for (int64_t at = begin * columns; at < end * columns; at += width)
        rmsnorm_row(x + at, operands[RMSNORM_WEIGHT], width,
                    problem->attributes[RMSNORM_EPSILON].real,
                    problem->attributes[RMSNORM_OFFSET].real, y + at);
}
