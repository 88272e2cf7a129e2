// Activations rounded to e4m3, e2m1 or f16, per group of neighbours with one power of two as scale; or, as nvfp4, with
// an e4m3 scale per 16 beside it.
#pragma once
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/narrow.cuh"
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

constexpr int narrow_threads = 128;

// The exponent (with its bias of 127) of a scale that brings magnitudes up to `largest` below 2^top; at least 2^-126.
template <int top> DEVICE unsigned exponent_below(float largest)
{
    const int exponent = (int)(__float_as_uint(largest) >> 23) - (top - 1);
    return (unsigned)minimum(maximum(exponent, 1), 254);
}

DEVICE float inverse_of_exponent(unsigned exponent)
{
    return __uint_as_float(maximum(254u - exponent, 1u) << 23);
}

// Four neighbours of one row of x and their group's largest magnitude; zeros behind the row.
template <int group_lanes> struct narrow_group {
    float values[4];
    float largest;
    int row, quad; // of four
    bool inside;

    __device__ __forceinline__ narrow_group(const float *x, const struct step *step)
    {
        constexpr int row_quads = x_columns / 4, row_parts = ceil_divide(row_quads, narrow_threads);
        row = blockIdx.x / row_parts;
        quad = blockIdx.x % row_parts * narrow_threads + threadIdx.x;
        inside = row < step->rows && quad < row_quads; // rows are whole groups, so the lanes of a group agree
        UNROLL for (int i = 0; i < 4; i++) values[i] = 0;
        if (inside) load_floats(x + (long long)row * x_columns + quad * 4, values);
        largest = fmaxf(fmaxf(fabsf(values[0]), fabsf(values[1])), fmaxf(fabsf(values[2]), fabsf(values[3])));
        largest = warp_maximum<group_lanes>(largest);
    }
    __device__ __forceinline__ long long at() const { return (long long)row * (x_columns / 4) + quad; }
};

// e4m3: `words` [rows][columns / 4], `scales` [rows][columns / 128] as f32.
DEVICE void quantize_rows_f8(const float *x, unsigned *words, float *scales, const struct step *step)
{
    const narrow_group<32> group(x, step);
    if (!group.inside) return;
    const unsigned exponent = exponent_below<8>(group.largest);
    const float factor = inverse_of_exponent(exponent);
    const float(&v)[4] = group.values;
    words[group.at()] = pack_e4m3(v[0] * factor, v[1] * factor, v[2] * factor, v[3] * factor);
    if (lane_index() == 0) scales[group.at() / 32] = scale_of_exponent(exponent);
}

// f16 for weights that are widened to it and come out as 2^-`less` of themselves: `words` [rows][columns / 2], `scales`
// [rows][columns / 128].  Lane c of four has bytes 4 c to 4 c + 3 of 16 columns of weights, so its pairs of left columns
// 2 c and 8 + 2 c are those of 4 c and 4 c + 2.
template <int less> DEVICE void quantize_rows_wide(const float *x, unsigned *words, float *scales, const struct step *step)
{
    const narrow_group<32> group(x, step);
    if (!group.inside) return;
    const unsigned exponent = exponent_below<8>(group.largest);
    const float factor = inverse_of_exponent(exponent);
    const float(&v)[4] = group.values;
    const long long to = group.at() / 4 * 8 + group.at() % 4;
    words[to] = pack_half(v[0] * factor, v[1] * factor);
    words[to + 4] = pack_half(v[2] * factor, v[3] * factor);
    if (lane_index() == 0) scales[group.at() / 32] = scale_of_exponent(exponent) * (float)(1 << less);
}

// e4m3 with the exponents of its scales per 32: `exponents` [rows][columns / 32].
DEVICE void quantize_rows_mxf8(const float *x, unsigned *words, unsigned char *exponents, const struct step *step)
{
    const narrow_group<8> group(x, step);
    if (!group.inside) return;
    const unsigned exponent = exponent_below<8>(group.largest);
    const float factor = inverse_of_exponent(exponent);
    const float(&v)[4] = group.values;
    words[group.at()] = pack_e4m3(v[0] * factor, v[1] * factor, v[2] * factor, v[3] * factor);
    if (lane_index() % 8 == 0) exponents[group.at() / 8] = (unsigned char)exponent;
}

// e2m1 in blocks of 16 bytes as those of mxfp4: element j in the low and element j + 16 in the high half of byte j.
// A largest magnitude above 3/2 of a power of two gets the next scale, so that none is cut off at 6.
DEVICE void quantize_rows_mxf4(const float *x, unsigned *words, unsigned char *exponents, const struct step *step)
{
    const narrow_group<8> group(x, step);
    const unsigned half_above = __float_as_uint(group.largest) + 0x3fffffu; // carries into the exponent above 3/2
    const unsigned exponent = exponent_below<3>(__uint_as_float(half_above & 0x7f800000u));
    const float factor = inverse_of_exponent(exponent);
    unsigned word = 0;
    UNROLL for (int i = 0; i < 4; i++) word |= to_e2m1(group.values[i] * factor) << 8 * i;
    const unsigned behind = __shfl_down_sync(all_lanes, word, 4); // 16 elements on
    if (!group.inside) return;
    const int lane = lane_index() % 8;
    if (lane < 4) words[group.at() / 8 * 4 + lane] = word | behind << 4;
    if (lane == 0) exponents[group.at() / 8] = (unsigned char)exponent;
}

// e2m1 with an e4m3 scale for each 16 and a power of two for each 128, which lie in `heads` as they do in nvfp4_128, 12
// bytes per block: element j of 16 in the low and j + 8 in the high half of byte j of 8.
DEVICE void quantize_rows_nvf4(const float *x, unsigned *words, unsigned char *heads, const struct step *step)
{
    constexpr int head_bytes = 12;
    const narrow_group<4> group(x, step);
    const unsigned exponent = exponent_below<8>(warp_maximum<warp_lanes>(group.largest) / 6.0f);
    const unsigned code = pack_e4m3(group.largest / 6.0f * inverse_of_exponent(exponent), 0, 0, 0) & 0xffu;
    unsigned pairs[2];
    f8_to_half_pairs<narrow::e4m3>(code, pairs);
    const float scale = to_float(low_half(pairs[0])) * 256.0f * scale_of_exponent(exponent);
    const float factor = scale > 0 ? 1.0f / scale : 0.0f;
    unsigned word = 0;
    UNROLL for (int i = 0; i < 4; i++) word |= to_e2m1(group.values[i] * factor) << 8 * i;
    const unsigned behind = __shfl_down_sync(all_lanes, word, 2); // 8 elements on
    if (!group.inside) return;
    const int lane = lane_index() % 4;
    unsigned char *head = heads + group.at() / 32 * head_bytes;
    if (lane < 2) words[group.at() / 4 * 2 + lane] = word | behind << 4;
    if (lane == 0) head[4 + group.at() / 4 % 8] = (unsigned char)code;
    if (lane_index() == 0) *(float *)head = scale_of_exponent(exponent);
}
