// The activations of gated layers (ops/activation.h) in f32.
#pragma once
#include "codegen/cuda/number.cuh"

DEVICE float sigmoid(float x)
{
    return 1.0f / (1.0f + exponential_2(-1.44269504088896341f * x));
}

DEVICE float silu(float x)
{
    return x * sigmoid(x);
}

// 0.5 (1 + tanh(t)) is sigmoid(2 t), which keeps its digits where tanh is near -1.
DEVICE float gelu_tanh(float x)
{
    const float inner = 0.79788456080286535588f * (x + 0.044715f * x * x * x);
    return x * sigmoid(2.0f * inner);
}

DEVICE float gelu(float x)
{
    return 0.5f * x * erfcf(-x * 0.70710678118654752440f);
}

// The order of activation_names.
template <int activation> DEVICE float activate(float x)
{
    if constexpr (activation == 0) return silu(x);
    if constexpr (activation == 1) return gelu_tanh(x);
    return gelu(x);
}
