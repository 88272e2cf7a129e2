// Few rows, weights of any type widened to f32 in registers.
#include "ops/linear/linear_dot.cuh"

// Neighbours that a lane reads at once.
constexpr int vector = element_is_block(element)   ? 8
                       : element == element_f32    ? (columns % 4 == 0 ? 4 : 1)
                       : columns % 8 == 0          ? 8
                       : columns % 2 == 0          ? 2
                                                   : 1;
constexpr int stride = vector * warp_lanes * column_warps;

DEVICE void load_inputs(const float *row, int column, float (&values)[vector])
{
    if constexpr (vector == 8 && columns % 4 != 0) {
        UNROLL for (int i = 0; i < vector; i++) values[i] = row[column + i];
    } else {
        load_floats(row + column, values);
    }
}

DEVICE void add_products(dot_sums &sums, const float (&weights)[tracks][outputs_per_warp][vector], const float *x,
                         int column, const dot_place &place, const struct step *step)
{
    UNROLL for (int r = 0; r < rows_together; r++) {
        float inputs[vector];
        load_inputs(x + (long long)dot_row(place, r, step) * columns, column, inputs);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int i = 0; i < outputs_per_warp; i++)
                UNROLL for (int v = 0; v < vector; v++) sums.values[t][i][r] += weights[t][i][v] * inputs[v];
    }
}

KERNEL(block_threads) linear_dot(const float *x, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const dot_place place = dot_place_of_warp();
    if (place.first_row >= step->rows) return;
    const dot_rows rows = dot_weight_rows(o, place);
    dot_sums sums = {};
    // `depth` loads of weights are on their way before the first is used.
    for (int begin = (place.column_warp * warp_lanes + lane_index()) * vector; begin < columns; begin += stride * depth) {
        float weights[depth][tracks][outputs_per_warp][vector];
        UNROLL for (int d = 0; d < depth; d++)
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int i = 0; i < outputs_per_warp; i++)
                    if (begin + d * stride < columns)
                        load_elements<element>(rows.weights[t][i], begin + d * stride, weights[d][t][i]);
        UNROLL for (int d = 0; d < depth; d++)
            if (begin + d * stride < columns) add_products(sums, weights[d], x, begin + d * stride, place, step);
    }
    dot_finish(o, place, sums, step);
}
