/* The reference of add.  A float sum is exactly the double sum rounded to float. */
#include "ops/access.h"
#include "ops/add/add.h"

void add_reference(const struct problem *problem, const struct run *run, void *const *operands,
                   int64_t begin, int64_t end)
{
    (void)run;
    int64_t columns = fixed_dimension(problem, ADD_X, 1);
    const float *x = operands[ADD_X], *y = operands[ADD_Y];
    float *sum = operands[ADD_SUM];
    for (int64_t i = begin * columns; i < end * columns; i++) sum[i] = x[i] + y[i];
}
