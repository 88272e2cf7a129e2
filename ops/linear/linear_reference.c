/* The reference of linear, in tiles of rows and outputs.  The sum with the bias is rounded to float
 * before the residual is added: bit for bit what linear followed by add gives. */
#include "ops/access.h"
#include "ops/dot.h"
#include "ops/linear/linear.h"

int64_t linear_items(const struct problem *problem, const struct run *run)
{
    return tile_count(run_dimension(problem, run, LINEAR_X, 0),
                      fixed_dimension(problem, LINEAR_WEIGHT, 0));
}

static void add_residual(const struct tile *tile, const float *residual, float *y, int64_t columns)
{
    for (int64_t r = tile->first_row; r < tile->end_row; r++)
        for (int64_t n = tile->first_output; n < tile->end_output; n++)
            y[r * columns + n] += residual[r * columns + n];
}

void linear_reference(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end)
{
    struct weight_view weight = weight_view_of(problem, LINEAR_WEIGHT, operands, 0);
    int64_t rows = run_dimension(problem, run, LINEAR_X, 0);
    for (int64_t item = begin; item < end; item++) {
        struct tile tile = tile_of(item, rows, weight.rows);
        const float *x[DOT_ROWS];
        float *y[DOT_ROWS];
        int count =
            tile_inputs(operands[LINEAR_X], weight.columns, tile.first_row, tile.end_row, x);
        tile_outputs(operands[LINEAR_Y], weight.rows, tile.first_row, tile.end_row, y);
        dot_tile(&weight, operands[LINEAR_BIAS], tile.first_output, tile.end_output, x, count, y);
        if (operands[LINEAR_RESIDUAL])
            add_residual(&tile, operands[LINEAR_RESIDUAL], operands[LINEAR_Y], weight.rows);
    }
}
