/* Decoding of every element type, one block at a time.
 *
 * A small subset of C: static inline functions, fixed-width integers, memcpy and nothing else of
 * the library, so that the same text serves the host, generated code and a CUDA compiler.  The
 * latter defines ELEMENT_FUNCTION and the integer types before it includes this file. */
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

/* An f16 scale, then 32 signed bytes. */
ELEMENT_FUNCTION void element_q8_0_decode(const void *block, float *values)
{
    float scale;
    element_f16_decode(block, &scale);
    const int8_t *quants = (const int8_t *)block + 2;
    for (int i = 0; i < 32; i++) values[i] = (float)quants[i] * scale;
}

/* An f16 scale, then 16 bytes: byte i holds element i in its low and element 16 + i in its high
 * half, both plus 8. */
ELEMENT_FUNCTION void element_q4_0_decode(const void *block, float *values)
{
    float scale;
    element_f16_decode(block, &scale);
    const uint8_t *pairs = (const uint8_t *)block + 2;
    for (int i = 0; i < 16; i++) {
        values[i] = (float)((pairs[i] & 15) - 8) * scale;
        values[16 + i] = (float)((pairs[i] >> 4) - 8) * scale;
    }
}

/* The 16 bytes of nibbles of a block of 32: element i in the low, 16 + i in the high half of byte
 * i. */
ELEMENT_FUNCTION uint32_t element_nibble(const uint8_t *pairs, int i)
{
    return i < 16 ? pairs[i] & 15u : (uint32_t)pairs[i - 16] >> 4;
}

/* Two f16, scale and minimum, then nibbles. */
ELEMENT_FUNCTION void element_q4_1_decode(const void *block, float *values)
{
    float scale, minimum;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &scale);
    element_f16_decode(bytes + 2, &minimum);
    for (int i = 0; i < 32; i++) values[i] = (float)element_nibble(bytes + 4, i) * scale + minimum;
}

/* An f16 scale, 32 fifth bits (element i in bit i), then nibbles; codes are plus 16. */
ELEMENT_FUNCTION void element_q5_0_decode(const void *block, float *values)
{
    float scale;
    uint32_t fifth;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &scale);
    memcpy(&fifth, bytes + 2, sizeof fifth);
    for (int i = 0; i < 32; i++) {
        int code = (int)(element_nibble(bytes + 6, i) | (fifth >> i & 1u) << 4);
        values[i] = (float)(code - 16) * scale;
    }
}

/* Two f16, scale and minimum, 32 fifth bits, then nibbles. */
ELEMENT_FUNCTION void element_q5_1_decode(const void *block, float *values)
{
    float scale, minimum;
    uint32_t fifth;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &scale);
    element_f16_decode(bytes + 2, &minimum);
    memcpy(&fifth, bytes + 4, sizeof fifth);
    for (int i = 0; i < 32; i++) {
        uint32_t code = element_nibble(bytes + 8, i) | (fifth >> i & 1u) << 4;
        values[i] = (float)code * scale + minimum;
    }
}

/* What the codes of iq4_nl and iq4_xs stand for: finer near zero, where weights are dense. */
ELEMENT_FUNCTION int element_iq4_value(uint32_t code)
{
    const signed char of_code[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
    return of_code[code];
}

/* An f16 scale, then nibbles. */
ELEMENT_FUNCTION void element_iq4_nl_decode(const void *block, float *values)
{
    float scale;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &scale);
    for (int i = 0; i < 32; i++)
        values[i] = (float)element_iq4_value(element_nibble(bytes + 2, i)) * scale;
}

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
ELEMENT_FUNCTION void element_mxfp4_decode(const void *block, float *values)
{
    const uint8_t *bytes = (const uint8_t *)block;
    float half_scale = element_half_of_e8m0(bytes[0]);
    for (int i = 0; i < 32; i++)
        values[i] = (float)element_e2m1_value(element_nibble(bytes + 1, i)) * half_scale;
}

#endif
