/* The reference of add_rmsnorm: the norm is taken of the sum as it was rounded to float, bit for
 * bit what add followed by rmsnorm gives. */
#include "ops/access.h"
#include "ops/add_rmsnorm/add_rmsnorm.h"
#include "ops/rmsnorm/rmsnorm.h"

void add_rmsnorm_reference(const struct problem *problem, const struct run *run,
                           void *const *operands, int64_t begin, int64_t end)
{
    (void)run;
    int64_t columns = fixed_dimension(problem, ADD_RMSNORM_X, 1);
    const float *x = operands[ADD_RMSNORM_X], *y = operands[ADD_RMSNORM_Y];
    float *sum = operands[ADD_RMSNORM_SUM], *norm = operands[ADD_RMSNORM_NORM];
    for (int64_t i = begin * columns; i < end * columns; i++) sum[i] = x[i] + y[i];
    for (int64_t r = begin; r < end; r++)
        rmsnorm_row(sum + r * columns, operands[ADD_RMSNORM_WEIGHT], columns,
                    problem->attributes[ADD_RMSNORM_EPSILON].real,
                    problem->attributes[ADD_RMSNORM_OFFSET].real, norm + r * columns);
}
