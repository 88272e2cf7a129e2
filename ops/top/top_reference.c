/* The reference of top: the winners so far are kept in order, and each number finds its place among them. */
#include "ops/access.h"
#include "ops/top/top.h"

#include <math.h>

/* Later columns come behind their equals; returns how many are kept now. */
static int64_t insert(float value, int32_t id, int64_t kept, int64_t most, float *values,
                      int32_t *ids)
{
    if (kept == most && !(value > values[most - 1])) return kept;
    int64_t at = kept < most ? kept++ : most - 1;
    for (; at > 0 && value > values[at - 1]; at--) {
        values[at] = values[at - 1];
        ids[at] = ids[at - 1];
    }
    values[at] = value;
    ids[at] = id;
    return kept;
}

void top_reference(const struct problem *problem, const struct run *run, void *const *operands,
                   int64_t begin, int64_t end)
{
    (void)run;
    int64_t columns = fixed_dimension(problem, TOP_X, 1),
            most = problem->attributes[TOP_COUNT].integer;
    for (int64_t r = begin; r < end; r++) {
        const float *x = (const float *)operands[TOP_X] + r * columns;
        float *values = (float *)operands[TOP_VALUES] + r * most;
        int32_t *ids = (int32_t *)operands[TOP_IDS] + r * most, not_numbers = 0;
        int64_t kept = 0;
        for (int64_t c = 0; c < columns; c++) {
            if (isnan(x[c]))
                not_numbers++;
            else
                kept = insert(x[c], (int32_t)c, kept, most, values, ids);
        }
        for (; kept < most; kept++) {
            values[kept] = NAN;
            ids[kept] = -1;
        }
        ((int32_t *)operands[TOP_NOT_NUMBERS])[r] = not_numbers;
    }
}
