// Conversions between number formats, without the toolkit's cuda_fp16.h.
#pragma once
#include "codegen/cuda/types.cuh"

DEVICE float to_float(float value)
{
    return value;
}

DEVICE float to_float(half value)
{
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
    return result;
}

DEVICE float to_float(bfloat value)
{
    return __uint_as_float((unsigned)value.bits << 16);
}

DEVICE half to_half(float value)
{
    half result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
}

// To the nearest, halves to even; NaN stays NaN.
DEVICE bfloat to_bfloat(float value)
{
    bfloat result;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
#else
    const unsigned bits = __float_as_uint(value);
    const unsigned rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    result.bits = value == value ? (unsigned short)rounded : (unsigned short)0x7fff;
#endif
    return result;
}

// The first number in the low half.
DEVICE unsigned pack_half(float low, float high)
{
    return (unsigned)to_half(low).bits | (unsigned)to_half(high).bits << 16;
}

DEVICE unsigned pack_bfloat(float low, float high)
{
#if __CUDA_ARCH__ >= 800
    unsigned result;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
#else
    return (unsigned)to_bfloat(low).bits | (unsigned)to_bfloat(high).bits << 16;
#endif
}

DEVICE half low_half(unsigned pair)
{
    return half{(unsigned short)pair};
}

DEVICE half high_half(unsigned pair)
{
    return half{(unsigned short)(pair >> 16)};
}

DEVICE bfloat low_bfloat(unsigned pair)
{
    return bfloat{(unsigned short)pair};
}

DEVICE bfloat high_bfloat(unsigned pair)
{
    return bfloat{(unsigned short)(pair >> 16)};
}

// Two f16 at once.
DEVICE unsigned subtract_half_pairs(unsigned a, unsigned b)
{
    unsigned result;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

DEVICE unsigned multiply_half_pairs(unsigned a, unsigned b)
{
    unsigned result;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

// Four bytes without sign, less `offset`, as two pairs of f16: behind 0x64 a byte b is the f16 1024 + b.
template <int offset> DEVICE void bytes_to_half_pairs(unsigned bytes, unsigned (&pairs)[2])
{
    constexpr unsigned away = 0x6400u + offset, both = away | away << 16;
    pairs[0] = subtract_half_pairs(__byte_perm(bytes, 0x64646464u, 0x5140), both);
    pairs[1] = subtract_half_pairs(__byte_perm(bytes, 0x64646464u, 0x5342), both);
}

// The nearest whole number, halves to even.
DEVICE int round_to_integer(float value)
{
    int result;
    asm("cvt.rni.s32.f32 %0, %1;" : "=r"(result) : "f"(value));
    return result;
}

// Four signed bytes, the first in the lowest.
DEVICE int pack_bytes(int a, int b, int c, int d)
{
    return (a & 0xff) | (b & 0xff) << 8 | (c & 0xff) << 16 | d << 24;
}

// sum += the products of four pairs of signed bytes.
DEVICE int dot_bytes(int a, int b, int sum)
{
    return __dp4a(a, b, sum);
}

// 2 to the power of `value`, right to two units in the last place; 0 below 2^-126, for minus infinity too.
DEVICE float exponential_2(float value)
{
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}
