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

#endif
