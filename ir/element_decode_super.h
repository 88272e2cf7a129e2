/* Decoding of the element types with blocks of 256: 16 groups of 16, or 8 of 32, with small whole
 * scales (and minima), whose units are f16 and belong to the block.
 *
 * The same small subset of C as ir/element_decode.h.  All products here are exact in float, so that
 * fused multiply-add gives the same bits as two operations. */
#ifndef IR_ELEMENT_DECODE_SUPER_H
#define IR_ELEMENT_DECODE_SUPER_H

#include "ir/element_decode.h"

/* Code of `width` bits (2 or 4) of element i of a plane: 32 neighbours share a place in 32 bytes,
 * the next 32 are the next bits of the same bytes, and so on until the bytes are full. */
ELEMENT_FUNCTION uint32_t element_plane_code(const uint8_t *plane, int width, int i)
{
    int per_byte = 8 / width, part = i / 32;
    uint32_t byte = plane[part / per_byte * 32 + i % 32];
    return byte >> part % per_byte * width & ((1u << width) - 1u);
}

/* 16 bytes, per group of 16 the scale in the low and the minimum in the high half; 64 bytes of
 * 2-bit codes; the units of scales and minima. */
ELEMENT_FUNCTION struct element_group element_q2_K_group(const uint8_t *block, int group)
{
    float unit = element_f16_at(block + 80), minimum_unit = element_f16_at(block + 82);
    return element_group_of(unit * (float)(block[group] & 15),
                            -(minimum_unit * (float)(block[group] >> 4)));
}

ELEMENT_FUNCTION int element_q2_K_code(const uint8_t *block, int i)
{
    return (int)element_plane_code(block + 16, 2, i);
}
ELEMENT_BLOCK(q2_K, 256, 16)

/* Number `group` of the 16 scales of 6 bits in 12 bytes: low halves of 0 to 7 and high halves of 8
 * to 15 in the first 8, above them two bits each in the last 4.  Plus 32. */
ELEMENT_FUNCTION int element_q3_K_scale(const uint8_t *scales, int group)
{
    uint32_t low = (uint32_t)scales[group % 8] >> group / 8 * 4 & 15u;
    uint32_t high = (uint32_t)scales[8 + group % 4] >> group / 4 * 2 & 3u;
    return (int)(low | high << 4) - 32;
}

/* 32 bytes of third bits (elements 32 k + i in bit k of byte i; 0 means minus 4), 64 bytes of 2-bit
 * codes, 12 bytes of scales, their unit. */
ELEMENT_FUNCTION struct element_group element_q3_K_group(const uint8_t *block, int group)
{
    float scale = element_f16_at(block + 108) * (float)element_q3_K_scale(block + 96, group);
    return element_group_of(scale, -0.0f);
}

ELEMENT_FUNCTION int element_q3_K_code(const uint8_t *block, int i)
{
    int third = block[i % 32] >> i / 32 & 1;
    return (int)element_plane_code(block + 32, 2, i) + 4 * third - 4;
}
ELEMENT_BLOCK(q3_K, 256, 16)

/* Scale (which 0) or minimum (which 1) of group `group` of 8 in 12 bytes: those of groups 0 to 3
 * are the low 6 bits of bytes 0 to 3 and 4 to 7, whose upper 2 bits are above the halves of bytes 8
 * to 11. */
ELEMENT_FUNCTION uint32_t element_q4_K_scale(const uint8_t *scales, int which, int group)
{
    uint32_t first = scales[4 * which + group % 4];
    if (group < 4) return first & 63u;
    return ((uint32_t)scales[8 + group % 4] >> 4 * which & 15u) | first >> 6 << 4;
}

/* Units of scales and minima, 12 bytes of both, 128 bytes of nibbles. */
ELEMENT_FUNCTION struct element_group element_q4_K_group(const uint8_t *block, int group)
{
    float unit = element_f16_at(block), minimum_unit = element_f16_at(block + 2);
    return element_group_of(unit * (float)element_q4_K_scale(block + 4, 0, group),
                            -(minimum_unit * (float)element_q4_K_scale(block + 4, 1, group)));
}

ELEMENT_FUNCTION int element_q4_K_code(const uint8_t *block, int i)
{
    return (int)element_plane_code(block + 16, 4, i);
}
ELEMENT_BLOCK(q4_K, 256, 32)

/* As q4_K, with 32 bytes of fifth bits (elements 32 k + i in bit k of byte i) before the nibbles.
 */
#define element_q5_K_group(block, group) element_q4_K_group(block, group)
ELEMENT_FUNCTION int element_q5_K_code(const uint8_t *block, int i)
{
    uint32_t fifth = (uint32_t)block[16 + i % 32] >> i / 32 & 1u;
    return (int)(element_plane_code(block + 48, 4, i) | fifth << 4);
}
ELEMENT_BLOCK(q5_K, 256, 32)

/* 128 bytes of nibbles, where 64 neighbours share a place in 64 bytes; 64 bytes of upper 2 bits; 16
 * signed bytes of scales; their unit.  Codes are plus 32. */
ELEMENT_FUNCTION struct element_group element_q6_K_group(const uint8_t *block, int group)
{
    float scale = element_f16_at(block + 208) * (float)((const signed char *)block)[192 + group];
    return element_group_of(scale, -0.0f);
}

ELEMENT_FUNCTION int element_q6_K_code(const uint8_t *block, int i)
{
    uint32_t low = (uint32_t)block[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15u;
    return (int)(low | element_plane_code(block + 128, 2, i) << 4) - 32;
}
ELEMENT_BLOCK(q6_K, 256, 16)

/* The unit; 2 upper bits of each group's scale, then 4 lower ones, plus 32; 8 times the nibbles of
 * iq4_nl. */
ELEMENT_FUNCTION struct element_group element_iq4_xs_group(const uint8_t *block, int group)
{
    uint32_t low = (uint32_t)block[4 + group / 2] >> group % 2 * 4 & 15u;
    uint32_t high = (uint32_t)block[2 + group / 4] >> group % 4 * 2 & 3u;
    float scale = element_f16_at(block) * (float)((int)(low | high << 4) - 32);
    return element_group_of(scale, -0.0f);
}

ELEMENT_FUNCTION int element_iq4_xs_code(const uint8_t *block, int i)
{
    return element_iq4_value(element_nibble(block + 8 + i / 32 * 16, i % 32));
}
ELEMENT_BLOCK(iq4_xs, 256, 32)

#endif
