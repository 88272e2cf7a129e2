/* The reference of grouped_bias. */
#include "ops/access.h"
#include "ops/grouped_bias/grouped_bias.h"

void grouped_bias_reference(const struct problem *problem, const struct run *run,
                            void *const *operands, int64_t begin, int64_t end)
{
    (void)run;
    int64_t columns = fixed_dimension(problem, GROUPED_BIAS_X, 1), expert = 0;
    int64_t experts = fixed_dimension(problem, GROUPED_BIAS_BIAS, 0);
    const int32_t *offsets = operands[GROUPED_BIAS_OFFSETS];
    const float *x = operands[GROUPED_BIAS_X], *bias = operands[GROUPED_BIAS_BIAS];
    float *y = operands[GROUPED_BIAS_Y];
    for (int64_t s = begin; s < end; s++) {
        while (expert < experts && s >= offsets[expert + 1]) expert++;
        for (int64_t c = 0; c < columns; c++)
            y[s * columns + c] =
                x[s * columns + c] +
                (s >= offsets[0] && expert < experts ? bias[expert * columns + c] : 0);
    }
}
