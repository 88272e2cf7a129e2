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
ELEMENT_FUNCTION void element_q2_K_decode(const void *block, float *values)
{
    float unit, minimum_unit;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes + 80, &unit);
    element_f16_decode(bytes + 82, &minimum_unit);
    for (int i = 0; i < 256; i++) {
        uint32_t both = bytes[i / 16];
        float scale = unit * (float)(both & 15u), minimum = minimum_unit * (float)(both >> 4);
        values[i] = scale * (float)element_plane_code(bytes + 16, 2, i) - minimum;
    }
}

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
ELEMENT_FUNCTION void element_q3_K_decode(const void *block, float *values)
{
    float unit;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes + 108, &unit);
    for (int i = 0; i < 256; i++) {
        float scale = unit * (float)element_q3_K_scale(bytes + 96, i / 16);
        int third = bytes[i % 32] >> i / 32 & 1;
        int code = (int)element_plane_code(bytes + 32, 2, i) + 4 * third - 4;
        values[i] = scale * (float)code;
    }
}

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
ELEMENT_FUNCTION void element_q4_K_decode(const void *block, float *values)
{
    float unit, minimum_unit;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &unit);
    element_f16_decode(bytes + 2, &minimum_unit);
    for (int group = 0; group < 8; group++) {
        float scale = unit * (float)element_q4_K_scale(bytes + 4, 0, group);
        float minimum = minimum_unit * (float)element_q4_K_scale(bytes + 4, 1, group);
        for (int i = 32 * group; i < 32 * group + 32; i++)
            values[i] = scale * (float)element_plane_code(bytes + 16, 4, i) - minimum;
    }
}

/* As q4_K, with 32 bytes of fifth bits (elements 32 k + i in bit k of byte i) before the nibbles.
 */
ELEMENT_FUNCTION void element_q5_K_decode(const void *block, float *values)
{
    float unit, minimum_unit;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &unit);
    element_f16_decode(bytes + 2, &minimum_unit);
    for (int group = 0; group < 8; group++) {
        float scale = unit * (float)element_q4_K_scale(bytes + 4, 0, group);
        float minimum = minimum_unit * (float)element_q4_K_scale(bytes + 4, 1, group);
        for (int i = 32 * group; i < 32 * group + 32; i++) {
            uint32_t fifth = (uint32_t)bytes[16 + i % 32] >> group & 1u;
            uint32_t code = element_plane_code(bytes + 48, 4, i) | fifth << 4;
            values[i] = scale * (float)code - minimum;
        }
    }
}

/* 128 bytes of nibbles, where 64 neighbours share a place in 64 bytes; 64 bytes of upper 2 bits; 16
 * signed bytes of scales; their unit.  Codes are plus 32. */
ELEMENT_FUNCTION void element_q6_K_decode(const void *block, float *values)
{
    float unit;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes + 208, &unit);
    for (int i = 0; i < 256; i++) {
        float scale = unit * (float)((const signed char *)bytes)[192 + i / 16];
        uint32_t low = (uint32_t)bytes[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15u;
        uint32_t code = low | element_plane_code(bytes + 128, 2, i) << 4;
        values[i] = scale * (float)((int)code - 32);
    }
}

/* The unit; 2 upper bits of each group's scale, then 4 lower ones, plus 32; 8 times the nibbles of
 * iq4_nl. */
ELEMENT_FUNCTION void element_iq4_xs_decode(const void *block, float *values)
{
    float unit;
    uint16_t upper;
    const uint8_t *bytes = (const uint8_t *)block;
    element_f16_decode(bytes, &unit);
    memcpy(&upper, bytes + 2, sizeof upper);
    for (int group = 0; group < 8; group++) {
        uint32_t low = (uint32_t)bytes[4 + group / 2] >> group % 2 * 4 & 15u;
        uint32_t high = (uint32_t)upper >> 2 * group & 3u;
        float scale = unit * (float)((int)(low | high << 4) - 32);
        for (int i = 0; i < 32; i++)
            values[32 * group + i] =
                scale * (float)element_iq4_value(element_nibble(bytes + 8 + 16 * group, i));
    }
}

#endif
