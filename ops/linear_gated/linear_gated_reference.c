/* The reference of linear_gated: both products are rounded to float before the activation, bit for
 * bit what two linears followed by gate give. */
#include "ops/access.h"
#include "ops/gated_tile.h"
#include "ops/linear_gated/linear_gated.h"

int64_t linear_gated_items(const struct problem *problem, const struct run *run)
{
    return tile_count(run_dimension(problem, run, LINEAR_GATED_X, 0),
                      fixed_dimension(problem, LINEAR_GATED_GATE, 0));
}

void linear_gated_reference(const struct problem *problem, const struct run *run,
                            void *const *operands, int64_t begin, int64_t end)
{
    enum activation activation =
        (enum activation)problem->attributes[LINEAR_GATED_ACTIVATION].integer;
    struct weight_view gate = weight_view_of(problem, LINEAR_GATED_GATE, operands, 0);
    struct weight_view up = weight_view_of(problem, LINEAR_GATED_UP, operands, 0);
    int64_t rows = run_dimension(problem, run, LINEAR_GATED_X, 0);
    for (int64_t item = begin; item < end; item++) {
        struct tile tile = tile_of(item, rows, gate.rows);
        const float *x[DOT_ROWS];
        float *y[DOT_ROWS];
        int count =
            tile_inputs(operands[LINEAR_GATED_X], gate.columns, tile.first_row, tile.end_row, x);
        tile_outputs(operands[LINEAR_GATED_Y], gate.rows, tile.first_row, tile.end_row, y);
        gated_tile(activation, &gate, &up, &tile, x, count, y);
    }
}
