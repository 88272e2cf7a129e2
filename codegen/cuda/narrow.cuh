// Floating numbers of 8 and 4 bits: rounding to them, and products of them by the tensor cores.
//
// Fragments lie as those of bytes in matrix.cuh: a register has four numbers of 8 bits, or eight of 4, of one row.
#pragma once
#include "codegen/cuda/number.cuh"

// What a number of the right matrix is.  e2m1 lies in bits 2 to 5 of a byte where others are of 8 bits.
enum class narrow { e4m3, e5m2, e2m1 };

// Four e4m3 in a word, the first in the lowest byte; what is above 448 becomes 448.  From sm_89 on.
DEVICE unsigned pack_e4m3(float a, float b, float c, float d)
{
#if __CUDA_ARCH__ >= 890
    unsigned short low, high;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(high) : "f"(d), "f"(c));
    return low | (unsigned)high << 16;
#else
    __trap();
    return 0;
#endif
}

// Four numbers as two pairs of f16; e4m3 become 2^-8 times what they are, and NaN, which no file should have, 480.
template <narrow type> DEVICE void f8_to_half_pairs(unsigned word, unsigned (&pairs)[2])
{
    static_assert(type != narrow::e2m1, "8 bits");
    pairs[0] = __byte_perm(word, 0, 0x1404); // to the upper half of 16 bits
    pairs[1] = __byte_perm(word, 0, 0x3424);
    UNROLL for (int p = 0; p < 2 && type == narrow::e4m3; p++) // one bit more of exponent
        pairs[p] = (pairs[p] & 0x80008000u) | (pairs[p] >> 1 & 0x3f803f80u);
}

// The e2m1 nearest to a number of magnitude 6 or less, halves to even: 0, 1/2, 1, 3/2, 2, 3, 4, 6 and a sign.
DEVICE unsigned to_e2m1(float value)
{
    const float size = fabsf(value);
    const int code = size < 2   ? round_to_integer(size * 2)
                     : size < 4 ? round_to_integer(size) + 2
                                : round_to_integer(size * 0.5f) + 4;
    return (unsigned)minimum(code, 7) | (value < 0 ? 8u : 0u);
}

// 2^(byte - 127), the scale of the block formats of OCP.
DEVICE float scale_of_exponent(unsigned byte)
{
    return __uint_as_float(byte << 23);
}

// sums += left * right, 32 columns, left e4m3.  From sm_89 on.
template <narrow right_type>
DEVICE void multiply_add_f8(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1)
{
    static_assert(right_type != narrow::e2m1, "8 bits on both sides");
#if __CUDA_ARCH__ >= 890
#define MULTIPLY_F8(type)                                                                                              \
    asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3." type                                                    \
                 ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])                                          \
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1))
    if constexpr (right_type == narrow::e4m3) MULTIPLY_F8("e4m3");
    else MULTIPLY_F8("e5m2");
#undef MULTIPLY_F8
#else
    __trap();
#endif
}

// ---- With scales per 32 columns, from sm_120 on ----
//
// A word of scales has those of 128 columns, as exponents, but for nvf4.  Lanes 4 r and 4 r + 1 give those of the left
// rows r and r + 8, lane 4 c those of column c of the right.

#define MULTIPLY_SCALED(form, byte)                                                                                    \
    asm volatile("mma.sync.aligned." form " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "                             \
                 "{%0, %1, %2, %3}, {%10}, {%12, %13}, {%11}, {%12, %13};"                                             \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])                                          \
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1),                 \
                   "r"(left_scales), "r"(right_scales), "h"((unsigned short)(byte)), "h"((unsigned short)0))

// sums += left * right, 32 columns, left e4m3; `group`, a constant once loops are unrolled: which of the words' scales.
template <narrow right_type>
DEVICE void multiply_add_mxf8(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1,
                              unsigned left_scales, unsigned right_scales, int group)
{
#if __CUDA_ARCH__ >= 1200
#define MXF8(type) "m16n8k32.row.col.kind::mxf8f6f4.block_scale.scale_vec::1X.f32.e4m3." type ".f32.ue8m0"
    if constexpr (right_type == narrow::e4m3) MULTIPLY_SCALED(MXF8("e4m3"), group);
    else if constexpr (right_type == narrow::e5m2) MULTIPLY_SCALED(MXF8("e5m2"), group);
    else MULTIPLY_SCALED(MXF8("e2m1"), group);
#undef MXF8
#else
    __trap();
#endif
}

// The same for 64 columns of e2m1 on both sides, packed; `group`: the first of the two scales, 0 or 2.
DEVICE void multiply_add_mxf4(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1,
                              unsigned left_scales, unsigned right_scales, int group)
{
#if __CUDA_ARCH__ >= 1200
    MULTIPLY_SCALED("m16n8k64.row.col.kind::mxf4.block_scale.scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0", group);
#else
    __trap();
#endif
}

// The same with an e4m3 scale per 16 columns, which a word has of all 64.
DEVICE void multiply_add_nvf4(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1,
                              unsigned left_scales, unsigned right_scales)
{
#if __CUDA_ARCH__ >= 1200
    MULTIPLY_SCALED("m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3", 0);
#else
    __trap();
#endif
}

#undef MULTIPLY_SCALED
