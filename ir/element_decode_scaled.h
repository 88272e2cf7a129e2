/* Decoding of the blocks that codes and scales from separate tensors are laid out in: 8-bit floats and integers with one
 * scale for a tensor, a row, or a tile of 128 by 128; 4-bit integers with a scale and a zero for each group of a row; 4-bit
 * floats with an 8-bit float for each 16 and a scale for a tensor.
 *
 * Every code and every scale keeps its bits; a scale that many numbers share stands in each of their blocks, so that a
 * kernel needs nothing but the block.  All parts lie at multiples of 4 bytes.
 *
 *     f8_e4m3_128, f8_e5m2_128, i8_128   f32 scale, 128 codes                                 code * scale
 *     i4_128, i4_32                      f16 scale, zero (0 to 15), a byte 0, then for each 32
 *                                        numbers 16 bytes: number i in the low, 16 + i in the
 *                                        high half of byte i                                  (code - zero) * scale
 *     nvfp4_128                          f32 scale, 8 e4m3 scales of 16 numbers each, E2M1 codes
 *                                        in nibbles as above                             code * (scale of 16 * scale)
 *
 * The same subset of C as in ir/element_decode.h. */
#ifndef IR_ELEMENT_DECODE_SCALED_H
#define IR_ELEMENT_DECODE_SCALED_H

#include "ir/element_decode.h"

/* The scale in front of 128 bytes. */
ELEMENT_FUNCTION struct element_group element_wide_group(const uint8_t *block)
{
    float scale;
    memcpy(&scale, block, sizeof scale);
    return element_group_of(scale, -0.0f);
}

#define element_f8_e4m3_128_code(block, i)      element_float_of_e4m3((block)[4 + (i)])
#define element_f8_e4m3_128_group(block, group) element_wide_group(block)
ELEMENT_BLOCK(f8_e4m3_128, 128, 128)

#define element_f8_e5m2_128_code(block, i)      element_float_of_e5m2((block)[4 + (i)])
#define element_f8_e5m2_128_group(block, group) element_wide_group(block)
ELEMENT_BLOCK(f8_e5m2_128, 128, 128)

#define element_i8_128_code(block, i)      ((const int8_t *)(block))[4 + (i)]
#define element_i8_128_group(block, group) element_wide_group(block)
ELEMENT_BLOCK(i8_128, 128, 128)

/* Products are exact, as 5 bits times 11 are. */
ELEMENT_FUNCTION int element_i4_128_code(const uint8_t *block, int i)
{
    return (int)element_nibble(block + 4 + i / 32 * 16, i % 32) - (int)block[2];
}
#define element_i4_128_group(block, group) element_scale_group(block)
ELEMENT_BLOCK(i4_128, 128, 128)

#define element_i4_32_code(block, i)      element_i4_128_code(block, i)
#define element_i4_32_group(block, group) element_scale_group(block)
ELEMENT_BLOCK(i4_32, 32, 32)

/* Codes are twice what they stand for, so that scales are halved, which is exact. */
ELEMENT_FUNCTION struct element_group element_nvfp4_128_group(const uint8_t *block, int group)
{
    float half = element_float_of_e4m3(block[4 + group]) * 0.5f;
    return element_group_of(element_wide_group(block).scale * half, -0.0f);
}
ELEMENT_FUNCTION int element_nvfp4_128_code(const uint8_t *block, int i)
{
    return element_e2m1_value(element_nibble(block + 12 + i / 32 * 16, i % 32));
}
ELEMENT_BLOCK(nvfp4_128, 128, 16)

#endif
