// Sums and maxima over the lanes of a warp and the warps of a block.
#pragma once
#include "codegen/cuda/types.cuh"

DEVICE int lane_index()
{
    return threadIdx.x % warp_lanes;
}

DEVICE int warp_index()
{
    return threadIdx.x / warp_lanes;
}

// Over groups of `lanes` neighbours, a power of two up to 32; every lane gets the result.
template <int lanes> DEVICE float warp_sum(float value)
{
    UNROLL for (int distance = lanes / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(all_lanes, value, distance);
    return value;
}

template <int lanes> DEVICE float warp_maximum(float value)
{
    UNROLL for (int distance = lanes / 2; distance > 0; distance /= 2)
        value = fmaxf(value, __shfl_xor_sync(all_lanes, value, distance));
    return value;
}

// Over groups of `threads` neighbours of a block of `block_threads`: a power of two, up to 32 or a multiple of it.
// Every thread of the block must come here; every thread gets its group's result.
template <int threads, int block_threads> DEVICE float group_sum(float value)
{
    if constexpr (threads <= warp_lanes) {
        return warp_sum<threads>(value);
    } else {
        constexpr int warps = threads / warp_lanes;
        __shared__ float sums[block_threads / warp_lanes];
        value = warp_sum<warp_lanes>(value);
        __syncthreads(); // an earlier use of `sums` is over
        if (lane_index() == 0) sums[warp_index()] = value;
        __syncthreads();
        const int first = warp_index() / warps * warps;
        value = 0;
        UNROLL for (int w = 0; w < warps; w++) value += sums[first + w];
        return value;
    }
}
