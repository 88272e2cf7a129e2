// Numbers rounded into blocks of 32, the bits that ir/element_encode_small.c writes.
#pragma once
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/warp.cuh"

DEVICE float inverse_or_zero(float scale)
{
    return scale != 0.0f ? 1.0f / scale : 0.0f;
}

// The nearest whole number, halves away from zero; 0 for what is no number.
DEVICE int round_away(float value)
{
    if (!(fabsf(value) < 1e9f)) return 0;
    const int whole = (int)value;
    const float rest = value - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

// A warp writes a block: lane l has number l.
template <int element> DEVICE void store_block(unsigned char *block, float number)
{
    static_assert(element == element_q8_0 || element == element_q4_0, "types of the KV cache");
    const int lane = lane_index();
    const float largest = warp_maximum<warp_lanes>(fabsf(number));
    if constexpr (element == element_q8_0) {
        const float scale = largest / 127.0f;
        if (lane == 0) *(half *)block = to_half(scale);
        block[2 + lane] = (unsigned char)round_away(number * inverse_or_zero(scale));
    } else {
        // The first number of the largest magnitude becomes -8.
        const unsigned places = __ballot_sync(all_lanes, fabsf(number) == largest);
        const float extreme = __shfl_sync(all_lanes, number, places ? __ffs((int)places) - 1 : 0);
        const float scale = extreme / -8.0f,
                    shifted = __fadd_rn(__fmul_rn(number, inverse_or_zero(scale)), 8.5f);
        const int code = fabsf(shifted) < 1e9f ? minimum(maximum((int)shifted, 0), 15) : 8;
        const int other = __shfl_down_sync(all_lanes, code, 16);
        if (lane == 0) *(half *)block = to_half(scale);
        if (lane < 16) block[2 + lane] = (unsigned char)(code | other << 4);
    }
}
