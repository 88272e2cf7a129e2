// Rounds activations to the weight's type, for a library that multiplies matrices of one type.
#pragma once
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/number.cuh"
#include "config.cuh"

static_assert(x_columns % 4 == 0, "rows are whole vectors of four");

template <bool bfloats> DEVICE unsigned pack_pair(float low, float high)
{
    if constexpr (bfloats)
        return pack_bfloat(low, high);
    else
        return pack_half(low, high);
}

// A thread takes `steps` times four neighbours, `round_threads` vectors apart.
template <bool bfloats> DEVICE void round_activations(const float *x, void *narrow, const struct step *step)
{
    constexpr int row_vectors = x_columns / 4;
    const int row = blockIdx.x / round_parts;
    if (row >= step->rows) return;
    const int begin = blockIdx.x % round_parts * round_threads * round_steps + threadIdx.x;
    const float *from = x + (long long)row * x_columns;
    uint2 *to = (uint2 *)narrow + (long long)row * row_vectors;
    UNROLL for (int s = 0; s < round_steps; s++) {
        const int vector = begin + s * round_threads;
        if (vector >= row_vectors) return;
        float values[4];
        load_floats(from + vector * 4, values);
        to[vector] = make_uint2(pack_pair<bfloats>(values[0], values[1]), pack_pair<bfloats>(values[2], values[3]));
    }
}
