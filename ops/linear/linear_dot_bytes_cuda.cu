// Few rows, blocks of any kind against activations rounded to bytes: one instruction multiplies and adds four.
#include "ops/linear/linear_dot.cuh"
#include "ops/linear/byte_pieces.cuh"
#include "ops/linear/linear_quantize.cuh"

constexpr int stride = warp_lanes * column_warps;

DEVICE void add_products(dot_sums &sums, const raw_piece (&raw)[tracks][outputs_per_warp], const byte_rows &x,
                         int piece, const dot_place &place, const struct step *step)
{
    weight_piece weights[tracks][outputs_per_warp];
    unpack_pieces(raw, piece, weights);
    UNROLL for (int r = 0; r < rows_together; r++) {
        const input_piece inputs = load_inputs(x, dot_row(place, r, step), piece);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int i = 0; i < outputs_per_warp; i++) add_products(sums.values[t][i][r], weights[t][i], inputs);
    }
}

KERNEL(quantize_threads) quantize(const float *x, int *bytes, float *scales, const struct step *step)
{
    quantize_rows(x, bytes, scales, nullptr, step);
}

KERNEL(block_threads) linear_dot_bytes(const int *bytes, const float *scales, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const byte_rows x = {bytes, scales};
    const dot_place place = dot_place_of_warp();
    if (place.first_row >= step->rows) return;
    const dot_rows rows = dot_weight_rows(o, place);
    dot_sums sums = {};
    // `depth` loads of weights are on their way before the first is used.
    for (int begin = place.column_warp * warp_lanes + lane_index(); begin < row_pieces; begin += stride * depth) {
        raw_piece weights[depth][tracks][outputs_per_warp];
        UNROLL for (int d = 0; d < depth; d++)
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int i = 0; i < outputs_per_warp; i++)
                    if (begin + d * stride < row_pieces)
                        weights[d][t][i] = read_piece(rows.weights[t][i], begin + d * stride);
        UNROLL for (int d = 0; d < depth; d++)
            if (begin + d * stride < row_pieces) add_products(sums, weights[d], x, begin + d * stride, place, step);
    }
    dot_finish(o, place, sums, step);
}
