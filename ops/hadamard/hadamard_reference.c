/* The reference of hadamard: butterflies in double, each result rounded once. */
#include "ops/access.h"
#include "ops/hadamard/hadamard.h"

#include <math.h>

/* Stage by stage: elements whose numbers differ in one bit become their sum and their difference. */
static void turn(double *values, int64_t size)
{
    for (int64_t step = 1; step < size; step *= 2)
        for (int64_t i = 0; i < size; i++) {
            if (i & step) continue;
            double a = values[i], b = values[i + step];
            values[i] = a + b;
            values[i + step] = a - b;
        }
}

void hadamard_reference(const struct problem *problem, const struct run *run, void *const *operands,
                        int64_t begin, int64_t end)
{
    int64_t columns = fixed_dimension(problem, HADAMARD_X, 1);
    int64_t size = problem->attributes[HADAMARD_SIZE].integer;
    double values[HADAMARD_SIZE_MOST], scale = 1 / sqrt((double)size);
    const float *x = operands[HADAMARD_X];
    float *y = operands[HADAMARD_Y];
    (void)run;
    for (int64_t at = begin * columns; at < end * columns; at += size) {
        for (int64_t i = 0; i < size; i++) values[i] = (double)x[at + i];
        turn(values, size);
        for (int64_t i = 0; i < size; i++) y[at + i] = (float)(values[i] * scale);
    }
}
