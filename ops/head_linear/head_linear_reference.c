/* The reference of head_linear: a piece is a few rows of one head. */
#include "ops/access.h"
#include "ops/dot.h"
#include "ops/head_linear/head_linear.h"

int64_t head_linear_items(const struct problem *problem, const struct run *run)
{
    int64_t rows = run_dimension(problem, run, HEAD_LINEAR_X, 0);
    return ceil_divide(rows, DOT_ROWS) * fixed_dimension(problem, HEAD_LINEAR_WEIGHT, 0);
}

void head_linear_reference(const struct problem *problem, const struct run *run,
                           void *const *operands, int64_t begin, int64_t end)
{
    int64_t rows = run_dimension(problem, run, HEAD_LINEAR_X, 0);
    int64_t heads = fixed_dimension(problem, HEAD_LINEAR_WEIGHT, 0);
    bool shared = problem->attributes[HEAD_LINEAR_SHARED].integer;
    for (int64_t item = begin; item < end; item++) {
        int64_t head = item % heads, first = item / heads * DOT_ROWS, count = 0;
        struct weight_view weight = weight_view_of(problem, HEAD_LINEAR_WEIGHT, operands, head);
        const float *x[DOT_ROWS];
        float *y[DOT_ROWS];
        for (int64_t r = first; r < smaller(first + DOT_ROWS, rows); r++, count++) {
            x[count] = (const float *)operands[HEAD_LINEAR_X] +
                       (shared ? r : r * heads + head) * weight.columns;
            y[count] = (float *)operands[HEAD_LINEAR_Y] + (r * heads + head) * weight.rows;
        }
        dot_tile(&weight, NULL, 0, weight.rows, x, (int)count, y);
    }
}
