/* The reference of softcap. */
#include "ops/access.h"
#include "ops/softcap/softcap.h"

#include <math.h>

void softcap_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end)
{
    (void)run;
    int64_t columns = fixed_dimension(problem, SOFTCAP_X, 1);
    double limit = problem->attributes[SOFTCAP_LIMIT].real;
    const float *x = operands[SOFTCAP_X];
    float *y = operands[SOFTCAP_Y];
    for (int64_t i = begin * columns; i < end * columns; i++)
        y[i] = (float)(limit * tanh((double)x[i] / limit));
}
