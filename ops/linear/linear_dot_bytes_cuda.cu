// Few rows, blocks of bytes or nibbles against activations rounded to bytes: one instruction multiplies and adds four.
#include "ops/linear/linear_dot.cuh"
#include "ops/linear/byte_groups.cuh"
#include "ops/linear/linear_quantize.cuh"

constexpr int stride = warp_lanes * column_warps;

DEVICE void add_products(dot_sums &sums, const weight_group (&weights)[tracks][outputs_per_warp], const byte_rows &x,
                         int group, const dot_place &place, const struct step *step)
{
    UNROLL for (int r = 0; r < rows_together; r++) {
        const long long row = dot_row(place, r, step);
        const long long block = row * row_blocks + group / lanes_per_block;
        int words[2];
        load_inputs(x.bytes + row * (columns / 4), group, words);
        const float scale = x.scales[block];
        // Each of four lanes takes away a quarter of 8 * sum.
        const int offset = nibbles ? -2 * x.byte_sums[block] : 0;
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int i = 0; i < outputs_per_warp; i++) {
                const weight_group &weight = weights[t][i];
                const int sum = dot_bytes(weight.words[1], words[1], dot_bytes(weight.words[0], words[0], offset));
                sums.values[t][i][r] += weight.scale * scale * (float)sum;
            }
    }
}

KERNEL(quantize_threads)
quantize(const float *x, int *bytes, float *scales, int *byte_sums, const struct step *step)
{
    quantize_rows(x, bytes, scales, byte_sums, step);
}

KERNEL(block_threads) linear_dot_bytes(const int *bytes, const float *scales, const int *byte_sums, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const byte_rows x = {bytes, scales, byte_sums};
    const dot_place place = dot_place_of_warp();
    if (place.first_row >= step->rows) return;
    const dot_rows rows = dot_weight_rows(o, place);
    dot_sums sums = {};
    // `depth` loads of weights are on their way before the first is used.
    for (int begin = place.column_warp * warp_lanes + lane_index(); begin < row_groups; begin += stride * depth) {
        weight_group weights[depth][tracks][outputs_per_warp];
        UNROLL for (int d = 0; d < depth; d++)
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int i = 0; i < outputs_per_warp; i++)
                    if (begin + d * stride < row_groups)
                        weights[d][t][i] = load_group(rows.weights[t][i], begin + d * stride);
        UNROLL for (int d = 0; d < depth; d++)
            if (begin + d * stride < row_groups) add_products(sums, weights[d], x, begin + d * stride, place, step);
    }
    dot_finish(o, place, sums, step);
}
