/* Decoding of every element type: a block, or some neighbours of it.
 *
 * A small subset of C: static inline functions, fixed-width integers, memcpy and nothing else of
 * the library, so that the same text is host C and, in kernels (codegen/cuda/block.cuh), device
 * code.  The latter defines ELEMENT_FUNCTION and the integer types before it includes this file. */
#ifndef IR_ELEMENT_DECODE_H
#define IR_ELEMENT_DECODE_H

#ifndef ELEMENT_FUNCTION
#include <stdint.h>
#include <string.h>
#define ELEMENT_FUNCTION static inline
#endif

ELEMENT_FUNCTION float element_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

ELEMENT_FUNCTION uint32_t element_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Exact; a NaN keeps its sign and payload. */
ELEMENT_FUNCTION float element_float_of_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
    if (exponent == 31) return element_float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent) return element_float_of_bits(sign | (exponent + 112u) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return element_float_of_bits(sign | element_bits_of_float(magnitude));
}

ELEMENT_FUNCTION float element_float_of_bf16(uint16_t brain)
{
    return element_float_of_bits((uint32_t)brain << 16);
}

/* Sign, 4 bits of exponent, 3 of fraction; no infinities, and NaN where all other bits are ones
 * (OCP 8-bit floating point, E4M3).  The exponents of f16 reach as far on both sides. */
ELEMENT_FUNCTION float element_float_of_e4m3(uint8_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x80u) << 8, magnitude = bits & 0x7fu;
    if (magnitude == 0x7fu) return element_float_of_bits(sign << 16 | 0x7fc00000u);
    return element_float_of_f16((uint16_t)(sign | magnitude << 7)) * 256.0f;
}

/* The upper half of an f16. */
ELEMENT_FUNCTION float element_float_of_e5m2(uint8_t bits)
{
    return element_float_of_f16((uint16_t)((uint32_t)bits << 8));
}

/* Round to nearest, ties to even. */
ELEMENT_FUNCTION uint16_t element_f16_of_float(float value)
{
    uint32_t bits = element_bits_of_float(value);
    uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) /* NaN: made quiet, the upper payload stays */
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* from 65520 on: infinity */
    if (magnitude < 0x38800000u) { /* below 2^-14: adding 0.5 rounds to multiples of 2^-24 */
        float shifted = element_float_of_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (element_bits_of_float(shifted) - 0x3f000000u));
    }
    uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | ((rounded >> 13) - (112u << 10)));
}

ELEMENT_FUNCTION uint16_t element_bf16_of_float(float value)
{
    uint32_t bits = element_bits_of_float(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

ELEMENT_FUNCTION void element_f32_decode(const void *block, float *values)
{
    memcpy(values, block, sizeof *values);
}

ELEMENT_FUNCTION void element_f16_decode(const void *block, float *values)
{
    uint16_t half;
    memcpy(&half, block, sizeof half);
    *values = element_float_of_f16(half);
}

ELEMENT_FUNCTION void element_bf16_decode(const void *block, float *values)
{
    uint16_t brain;
    memcpy(&brain, block, sizeof brain);
    *values = element_float_of_bf16(brain);
}

ELEMENT_FUNCTION void element_f8_e4m3_decode(const void *block, float *values)
{
    *values = element_float_of_e4m3(*(const uint8_t *)block);
}

ELEMENT_FUNCTION void element_f8_e5m2_decode(const void *block, float *values)
{
    *values = element_float_of_e5m2(*(const uint8_t *)block);
}

ELEMENT_FUNCTION void element_i8_decode(const void *block, float *values)
{
    *values = (float)*(const int8_t *)block;
}

/* Rounds above 2^24, as a float must. */
ELEMENT_FUNCTION void element_i32_decode(const void *block, float *values)
{
    int32_t integer;
    memcpy(&integer, block, sizeof integer);
    *values = (float)integer;
}

/* ---- Blocks ----
 *
 * A type says what its codes are, and what the groups of neighbours that share a scale make of
 * them: scale * code + shift.  The shift of types that have none is -0, which changes no sum. */
struct element_group {
    float scale, shift;
};

ELEMENT_FUNCTION struct element_group element_group_of(float scale, float shift)
{
    struct element_group group;
    group.scale = scale;
    group.shift = shift;
    return group;
}

ELEMENT_FUNCTION float element_f16_at(const uint8_t *bytes)
{
    float value;
    element_f16_decode(bytes, &value);
    return value;
}

/* element_NAME_part, which decodes neighbours of one group, and element_NAME_decode from
 * element_NAME_group and element_NAME_code, for blocks of `elements` numbers in groups of `width`. */
#define ELEMENT_BLOCK(name, elements, width)                                                       \
    ELEMENT_FUNCTION void element_##name##_part(const uint8_t *block, int first, int count,        \
                                                float *values)                                     \
    {                                                                                              \
        struct element_group group = element_##name##_group(block, first / (width));               \
        for (int i = 0; i < count; i++)                                                            \
            values[i] =                                                                            \
                group.scale * (float)element_##name##_code(block, first + i) + group.shift;        \
    }                                                                                              \
    ELEMENT_FUNCTION void element_##name##_decode(const void *block, float *values)                \
    {                                                                                              \
        for (int first = 0; first < (elements); first += (width))                                  \
            element_##name##_part((const uint8_t *)block, first, width, values + first);           \
    }

/* Blocks that begin with an f16 scale and have no minimum. */
ELEMENT_FUNCTION struct element_group element_scale_group(const uint8_t *block)
{
    return element_group_of(element_f16_at(block), -0.0f);
}

/* Blocks that begin with two f16, scale and minimum. */
ELEMENT_FUNCTION struct element_group element_minimum_group(const uint8_t *block)
{
    return element_group_of(element_f16_at(block), element_f16_at(block + 2));
}

/* The 16 bytes of nibbles of a block of 32: element i in the low, 16 + i in the high half of byte
 * i. */
ELEMENT_FUNCTION uint32_t element_nibble(const uint8_t *pairs, int i)
{
    return (uint32_t)pairs[i % 16] >> i / 16 * 4 & 15u;
}

/* Bit i of 32, in four bytes. */
ELEMENT_FUNCTION uint32_t element_fifth_bit(const uint8_t *bits, int i)
{
    return (uint32_t)bits[i / 8] >> i % 8 & 1u;
}

/* An f16 scale, then 32 signed bytes. */
ELEMENT_FUNCTION int element_q8_0_code(const uint8_t *block, int i)
{
    return ((const int8_t *)block)[2 + i];
}
#define element_q8_0_group(block, group) element_scale_group(block)
ELEMENT_BLOCK(q8_0, 32, 32)

/* An f16 scale, then nibbles, plus 8. */
ELEMENT_FUNCTION int element_q4_0_code(const uint8_t *block, int i)
{
    return (int)element_nibble(block + 2, i) - 8;
}
#define element_q4_0_group(block, group) element_scale_group(block)
ELEMENT_BLOCK(q4_0, 32, 32)

/* Scale and minimum, then nibbles. */
ELEMENT_FUNCTION int element_q4_1_code(const uint8_t *block, int i)
{
    return (int)element_nibble(block + 4, i);
}
#define element_q4_1_group(block, group) element_minimum_group(block)
ELEMENT_BLOCK(q4_1, 32, 32)

/* An f16 scale, 32 fifth bits, then nibbles; codes are plus 16. */
ELEMENT_FUNCTION int element_q5_0_code(const uint8_t *block, int i)
{
    return (int)(element_nibble(block + 6, i) | element_fifth_bit(block + 2, i) << 4) - 16;
}
#define element_q5_0_group(block, group) element_scale_group(block)
ELEMENT_BLOCK(q5_0, 32, 32)

/* Scale and minimum, 32 fifth bits, then nibbles. */
ELEMENT_FUNCTION int element_q5_1_code(const uint8_t *block, int i)
{
    return (int)(element_nibble(block + 8, i) | element_fifth_bit(block + 4, i) << 4);
}
#define element_q5_1_group(block, group) element_minimum_group(block)
ELEMENT_BLOCK(q5_1, 32, 32)

/* What the codes of iq4_nl and iq4_xs stand for: finer near zero, where weights are dense. */
ELEMENT_FUNCTION int element_iq4_value(uint32_t code)
{
    const signed char of_code[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
    return of_code[code];
}

/* An f16 scale, then nibbles. */
ELEMENT_FUNCTION int element_iq4_nl_code(const uint8_t *block, int i)
{
    return element_iq4_value(element_nibble(block + 2, i));
}
#define element_iq4_nl_group(block, group) element_scale_group(block)
ELEMENT_BLOCK(iq4_nl, 32, 32)

/* Twice the value of a number of sign, 2 bits of exponent and 1 of fraction (OCP microscaling,
 * E2M1). */
ELEMENT_FUNCTION int element_e2m1_value(uint32_t code)
{
    const signed char of_magnitude[8] = {0, 1, 2, 3, 4, 6, 8, 12};
    int magnitude = of_magnitude[code & 7u];
    return code & 8u ? -magnitude : magnitude;
}

/* Half of the power of two that a byte of exponent stands for: 2^(exponent - 128). */
ELEMENT_FUNCTION float element_half_of_e8m0(uint8_t exponent)
{
    uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23;
    return element_float_of_bits(bits);
}

/* A byte of exponent, then nibbles. */
ELEMENT_FUNCTION int element_mxfp4_code(const uint8_t *block, int i)
{
    return element_e2m1_value(element_nibble(block + 1, i));
}
#define element_mxfp4_group(block, group) element_group_of(element_half_of_e8m0(*(block)), -0.0f)
ELEMENT_BLOCK(mxfp4, 32, 32)

#endif
