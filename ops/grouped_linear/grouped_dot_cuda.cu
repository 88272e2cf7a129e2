// Slots by expert, weights of any type widened to f32 in registers.
#include "ops/grouped_linear/grouped_dot.cuh"

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

DEVICE void add_products(grouped_sums &sums, const float (&weights)[tracks][outputs_per_warp][vector],
                         const float *const (&inputs)[rows_together], int column)
{
    UNROLL for (int r = 0; r < rows_together; r++) {
        float values[vector];
        load_inputs(inputs[r], column, values);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int i = 0; i < outputs_per_warp; i++)
                UNROLL for (int v = 0; v < vector; v++) sums.values[t][i][r] += weights[t][i][v] * values[v];
    }
}

DEVICE void multiply_run(const grouped_operands &o, const float *x, const grouped_place &place, const grouped_run &run,
                         grouped_sums &sums)
{
    const float *inputs[rows_together];
    const unsigned char *rows[tracks][outputs_per_warp];
    UNROLL for (int r = 0; r < rows_together; r++) inputs[r] = x + (long long)grouped_row(o, run, r) * columns;
    UNROLL for (int t = 0; t < tracks; t++)
        UNROLL for (int i = 0; i < outputs_per_warp; i++) rows[t][i] = grouped_weight_row(o, run, t, place.first_output + i);
    // `depth` loads of weights are on their way before the first is used.
    for (int begin = (place.column_warp * warp_lanes + lane_index()) * vector; begin < columns; begin += stride * depth) {
        float weights[depth][tracks][outputs_per_warp][vector];
        UNROLL for (int d = 0; d < depth; d++)
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int i = 0; i < outputs_per_warp; i++)
                    if (begin + d * stride < columns)
                        load_elements<element>(rows[t][i], begin + d * stride, weights[d][t][i]);
        UNROLL for (int d = 0; d < depth; d++)
            if (begin + d * stride < columns) add_products(sums, weights[d], inputs, begin + d * stride);
    }
}

KERNEL(block_threads) grouped_dot(const float *x, GROUPED_PARAMETERS)
{
    const grouped_operands o = GROUPED_OPERANDS;
    const grouped_place place = grouped_place_of_warp(step);
    for (int slot = place.first_slot; slot < place.end_slot;) {
        const grouped_run run = grouped_run_from(o, slot, place);
        grouped_sums sums = {};
        if (run.expert >= 0) multiply_run(o, x, place, run, sums);
        grouped_finish(o, place, run, sums);
        slot = run.end;
    }
}
