/* The reference of combine. */
#include "ops/access.h"
#include "ops/combine/combine.h"

void combine_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end)
{
    (void)run;
    int64_t used = fixed_dimension(problem, COMBINE_WEIGHTS, 1);
    int64_t columns = fixed_dimension(problem, COMBINE_Y, 1);
    const float *y = operands[COMBINE_Y];
    for (int64_t t = begin; t < end; t++) {
        const float *weights = (const float *)operands[COMBINE_WEIGHTS] + t * used;
        const int32_t *places = (const int32_t *)operands[COMBINE_PLACES] + t * used;
        float *out = (float *)operands[COMBINE_OUT] + t * columns;
        for (int64_t c = 0; c < columns; c++) {
            double sum = 0;
            for (int64_t i = 0; i < used; i++)
                sum += (double)weights[i] * (double)y[places[i] * columns + c];
            out[c] = (float)sum;
        }
    }
}
