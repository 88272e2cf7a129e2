// Activations rounded to bytes, per 32 neighbours or more with one scale: x is scale * byte, up to half a scale.
#pragma once
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/number.cuh"
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

constexpr int quantize_threads = 128;

// Threads for rows * x_columns / 4 groups of four elements.  `bytes` [rows][columns], `scales` and `byte_sums` (of the
// bytes of a block, for weights with an offset; null where nobody asks) [rows][columns / (4 * block_lanes)].
template <int block_lanes = 8> DEVICE void quantize_rows(const float *x, int *bytes, float *scales, int *byte_sums, const struct step *step)
{
    constexpr int row_groups = x_columns / 4;
    constexpr int row_parts = (row_groups + quantize_threads - 1) / quantize_threads;
    const int row = blockIdx.x / row_parts, group = blockIdx.x % row_parts * quantize_threads + threadIdx.x;
    if (row >= step->rows) return;
    const bool inside = group < row_groups; // rows are whole blocks, so the lanes of a block agree
    const long long at = (long long)row * row_groups + group;
    float values[4] = {};
    if (inside) load_floats(x + at * 4, values);
    float largest = fmaxf(fmaxf(fabsf(values[0]), fabsf(values[1])), fmaxf(fabsf(values[2]), fabsf(values[3])));
    largest = warp_maximum<block_lanes>(largest);
    const bool tiny = largest < 1e-30f;
    const float factor = tiny ? 0.0f : 127.0f / largest;
    const int word = pack_bytes(round_to_integer(values[0] * factor), round_to_integer(values[1] * factor),
                                round_to_integer(values[2] * factor), round_to_integer(values[3] * factor));
    int sum = dot_bytes(word, 0x01010101, 0);
    UNROLL for (int distance = block_lanes / 2; distance > 0; distance /= 2)
        sum += __shfl_xor_sync(all_lanes, sum, distance);
    if (!inside) return;
    bytes[at] = word;
    if (threadIdx.x % block_lanes) return;
    scales[at / block_lanes] = tiny ? 0.0f : largest / 127.0f;
    if (byte_sums) byte_sums[at / block_lanes] = sum;
}
