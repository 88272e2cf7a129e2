// Rows of activations rounded to 16 bits, for the tensor cores.  f16 has few exponents, so a row is divided by a power
// of two first, that of its largest magnitude.
#pragma once
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/warp.cuh"

constexpr int round_threads = 256;

// A power of two: its inverse is one too.
DEVICE float row_scale(float largest)
{
    const unsigned exponent = __float_as_uint(largest) & 0x7f800000u;
    return __uint_as_float(minimum(maximum(exponent, 1u << 23), 252u << 23));
}

DEVICE float inverse_scale(float scale)
{
    return __uint_as_float((254u << 23) - __float_as_uint(scale));
}

template <int columns> DEVICE float largest_of_row(const float *row)
{
    __shared__ float parts[round_threads / warp_lanes];
    float largest = 0;
    for (int column = threadIdx.x * 4; column < columns; column += round_threads * 4) {
        float values[4];
        load_floats(row + column, values);
        UNROLL for (int i = 0; i < 4; i++) largest = fmaxf(largest, fabsf(values[i]));
    }
    largest = warp_maximum<warp_lanes>(largest);
    if (lane_index() == 0) parts[warp_index()] = largest;
    __syncthreads();
    UNROLL for (int w = 0; w < round_threads / warp_lanes; w++) largest = fmaxf(largest, parts[w]);
    return largest;
}

// By one block; `row_scale_to` for f16 alone.
template <int columns, bool brain> DEVICE void round_row(const float *from, uint4 *to, float *row_scale_to)
{
    static_assert(columns % 8 == 0, "rows are whole chunks");
    float factor = 1;
    if constexpr (!brain) {
        const float scale = row_scale(largest_of_row<columns>(from));
        factor = inverse_scale(scale);
        if (threadIdx.x == 0) *row_scale_to = scale;
    }
    for (int chunk = threadIdx.x; chunk < columns / 8; chunk += round_threads) {
        float values[8];
        unsigned pairs[4];
        load_floats(from + chunk * 8, values);
        UNROLL for (int i = 0; i < 4; i++)
            pairs[i] = brain ? pack_bfloat(values[2 * i], values[2 * i + 1])
                             : pack_half(values[2 * i] * factor, values[2 * i + 1] * factor);
        to[chunk] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
    }
}

// One block per row; `rounded` [rows][columns], `scales` [rows] for f16 alone.
template <int columns, bool brain> DEVICE void round_row_of_block(const float *x, unsigned char *rounded, float *scales)
{
    const long long row = blockIdx.x;
    round_row<columns, brain>(x + row * columns, (uint4 *)(rounded + row * columns * 2), scales + row);
}
