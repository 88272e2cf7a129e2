/* Decoding of the blocks that codes and scales from separate tensors are laid out in: 8-bit floats and integers with one
 * scale for a tensor, a row, or a tile of 128 by 128; 4-bit integers with a scale and a zero for each group of a row.
 *
 * Every code and every scale keeps its bits; a scale that many numbers share stands in each of their blocks, so that a
 * kernel needs nothing but the block.  All parts lie at multiples of 4 bytes.
 *
 *     f8_e4m3_128, f8_e5m2_128, i8_128   f32 scale, 128 codes                                 code * scale
 *     i4_128, i4_32                      f16 scale, zero (0 to 15), a byte 0, then for each 32
 *                                        numbers 16 bytes: number i in the low, 16 + i in the
 *                                        high half of byte i                                  (code - zero) * scale
 *
 * The same subset of C as in ir/element_decode.h. */
#ifndef IR_ELEMENT_DECODE_SCALED_H
#define IR_ELEMENT_DECODE_SCALED_H

#include "ir/element_decode.h"

/* The scale in front of 128 bytes. */
ELEMENT_FUNCTION float element_wide_scale(const void *block)
{
    float scale;
    memcpy(&scale, block, sizeof scale);
    return scale;
}

ELEMENT_FUNCTION void element_f8_e4m3_128_decode(const void *block, float *values)
{
    float scale = element_wide_scale(block);
    const uint8_t *codes = (const uint8_t *)block + 4;
    for (int i = 0; i < 128; i++) values[i] = element_float_of_e4m3(codes[i]) * scale;
}

ELEMENT_FUNCTION void element_f8_e5m2_128_decode(const void *block, float *values)
{
    float scale = element_wide_scale(block);
    const uint8_t *codes = (const uint8_t *)block + 4;
    for (int i = 0; i < 128; i++) values[i] = element_float_of_e5m2(codes[i]) * scale;
}

ELEMENT_FUNCTION void element_i8_128_decode(const void *block, float *values)
{
    float scale = element_wide_scale(block);
    const int8_t *codes = (const int8_t *)block + 4;
    for (int i = 0; i < 128; i++) values[i] = (float)codes[i] * scale;
}

/* 32 numbers at `pairs`; exact, as 5 bits times 11 are. */
ELEMENT_FUNCTION void element_i4_piece(const uint8_t *block, const uint8_t *pairs, float *values)
{
    float scale;
    element_f16_decode(block, &scale);
    for (int i = 0; i < 32; i++)
        values[i] = (float)((int)element_nibble(pairs, i) - (int)block[2]) * scale;
}

ELEMENT_FUNCTION void element_i4_128_decode(const void *block, float *values)
{
    const uint8_t *bytes = (const uint8_t *)block;
    for (int piece = 0; piece < 4; piece++)
        element_i4_piece(bytes, bytes + 4 + 16 * piece, values + 32 * piece);
}

ELEMENT_FUNCTION void element_i4_32_decode(const void *block, float *values)
{
    const uint8_t *bytes = (const uint8_t *)block;
    element_i4_piece(bytes, bytes + 4, values);
}

#endif
