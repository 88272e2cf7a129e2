/* The reference of select.  A row that x does not have gives NaN. */
#include "ops/access.h"
#include "ops/select/select.h"

#include <math.h>
#include <string.h>

void select_reference(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end)
{
    int64_t columns = fixed_dimension(problem, SELECT_X, 1);
    int64_t rows = run_dimension(problem, run, SELECT_X, 0);
    const int32_t *outputs = operands[SELECT_OUTPUTS];
    const float *x = operands[SELECT_X];
    float *y = operands[SELECT_Y];
    for (int64_t o = begin; o < end; o++) {
        if (outputs[o] >= 0 && outputs[o] < rows)
            memcpy(y + o * columns, x + outputs[o] * columns, (size_t)columns * sizeof *y);
        else
            for (int64_t c = 0; c < columns; c++) y[o * columns + c] = NAN;
    }
}
