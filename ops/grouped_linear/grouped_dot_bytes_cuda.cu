// Slots by expert, blocks of any kind against activations rounded to bytes: one instruction multiplies and adds
// four.
#include "ops/grouped_linear/grouped_dot.cuh"
#include "ops/linear/byte_pieces.cuh"
#include "ops/linear/linear_quantize.cuh"

constexpr int stride = warp_lanes * column_warps;

DEVICE void add_products(grouped_sums &sums, const raw_piece (&raw)[tracks][outputs_per_warp], const byte_rows &x,
                         const int (&rows)[rows_together], int piece)
{
    weight_piece weights[tracks][outputs_per_warp];
    unpack_pieces(raw, piece, weights);
    UNROLL for (int r = 0; r < rows_together; r++) {
        const input_piece inputs = load_inputs(x, rows[r], piece);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int i = 0; i < outputs_per_warp; i++) add_products(sums.values[t][i][r], weights[t][i], inputs);
    }
}

DEVICE void multiply_run(const grouped_operands &o, const byte_rows &x, const grouped_place &place,
                         const grouped_run &run, grouped_sums &sums)
{
    int inputs[rows_together];
    const unsigned char *rows[tracks][outputs_per_warp];
    UNROLL for (int r = 0; r < rows_together; r++) inputs[r] = grouped_row(o, run, r);
    UNROLL for (int t = 0; t < tracks; t++)
        UNROLL for (int i = 0; i < outputs_per_warp; i++) rows[t][i] = grouped_weight_row(o, run, t, place.first_output + i);
    // `depth` loads of weights are on their way before the first is used.
    for (int begin = place.column_warp * warp_lanes + lane_index(); begin < row_pieces; begin += stride * depth) {
        raw_piece weights[depth][tracks][outputs_per_warp];
        UNROLL for (int d = 0; d < depth; d++)
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int i = 0; i < outputs_per_warp; i++)
                    if (begin + d * stride < row_pieces) weights[d][t][i] = read_piece(rows[t][i], begin + d * stride);
        UNROLL for (int d = 0; d < depth; d++)
            if (begin + d * stride < row_pieces) add_products(sums, weights[d], x, inputs, begin + d * stride);
    }
}

KERNEL(quantize_threads)
quantize(const float *x, int *bytes, float *scales, const struct step *step)
{
    const struct step inputs = {step->rows * x_per_row, step->context, step->stride, step->sequences};
    quantize_rows(x, bytes, scales, nullptr, &inputs);
}

KERNEL(block_threads) grouped_dot_bytes(const int *bytes, const float *scales, GROUPED_PARAMETERS)
{
    const grouped_operands o = GROUPED_OPERANDS;
    const byte_rows x = {bytes, scales};
    const grouped_place place = grouped_place_of_warp(step);
    for (int slot = place.first_slot; slot < place.end_slot;) {
        const grouped_run run = grouped_run_from(o, slot, place);
        grouped_sums sums = {};
        if (run.expert >= 0) multiply_run(o, x, place, run, sums);
        grouped_finish(o, place, run, sums);
        slot = run.end;
    }
}
