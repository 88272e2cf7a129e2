// Rows of weights of any element type: single numbers, and groups of neighbours, as floats.
#pragma once
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/number.cuh"
#include "config.cuh"

// The host's decoders, as device code.
#define ELEMENT_FUNCTION DEVICE
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned uint32_t;
#include "ir/element_decode_scaled.h"
#include "ir/element_decode_super.h"

// The scaled groups of most types; blocks of 256 have groups of 16 or 32.
constexpr int block_elements = 32;

// Numbers of a block; 1 for plain types.
DEVICE constexpr int element_width(int element)
{
#define ELEMENT(NAME, name, elements, bytes)                                                                           \
    if (element == element_##name) return elements;
#include "ir/element.def"
#undef ELEMENT
    return 1;
}

// Of one block, or of one number.
DEVICE constexpr int element_bytes(int element)
{
#define ELEMENT(NAME, name, elements, bytes)                                                                           \
    if (element == element_##name) return bytes;
#include "ir/element.def"
#undef ELEMENT
    return 0;
}

DEVICE constexpr bool element_is_block(int element)
{
    return element_width(element) > 1;
}

DEVICE constexpr long long row_bytes(int element, int columns)
{
    return (long long)(columns / element_width(element)) * element_bytes(element);
}

DEVICE float block_scale(const unsigned char *block)
{
    return to_float(half{*(const unsigned short *)block});
}

// `count` neighbours that share a scale, of any type.
template <int element, int count> DEVICE void decode_elements(const unsigned char *row, int column, float (&values)[count])
{
    constexpr int width = element_width(element);
    const unsigned char *block = row + (long long)(column / width) * element_bytes(element);
    if constexpr (width == 1) {
        UNROLL for (int i = 0; i < count; i++) {
            const unsigned char *number = block + i * element_bytes(element);
#define ELEMENT(NAME, name, elements, bytes)                                                                           \
    if constexpr (element == element_##name && elements == 1) element_##name##_decode(number, &values[i]);
#include "ir/element.def"
#undef ELEMENT
        }
    } else {
#define ELEMENT_PART_1(name)
#define ELEMENT_PART_32(name)                                                                                          \
    if constexpr (element == element_##name) element_##name##_part(block, column % width, count, values);
#define ELEMENT_PART_128(name) ELEMENT_PART_32(name)
#define ELEMENT_PART_256(name) ELEMENT_PART_32(name)
#define ELEMENT(NAME, name, elements, bytes) ELEMENT_PART_##elements(name)
#include "ir/element.def"
#undef ELEMENT
    }
}

// The quants of a block of q8_0 or q4_0 as words of four signed bytes: word 0 to 7 hold elements 4 w to 4 w + 3.
template <int element> DEVICE int block_word(const unsigned char *block, int w)
{
    if constexpr (element == element_q8_0) return (int)load_word_of_halves(block + 2 + 4 * w);
    const unsigned pairs = load_word_of_halves(block + 2 + 4 * (w % 4));
    const unsigned nibbles = (w < 4 ? pairs : pairs >> 4) & 0x0f0f0f0fu;
    return (int)__vsub4(nibbles, 0x08080808u);
}

// `count` neighbours from `column`, a multiple of `count`, of a row that begins at a multiple of 16 bytes, or of 2 for
// blocks.  8 neighbours of 16 bits, or 4 of 32, are one access.
template <int element, int count> DEVICE void load_elements(const unsigned char *row, int column, float (&values)[count])
{
    constexpr bool words_of_bytes = element == element_q8_0 || element == element_q4_0;
    constexpr bool halves = element == element_f16 || element == element_bf16;
    if constexpr (count == 1 || !(words_of_bytes || halves || element == element_f32)) {
        decode_elements<element>(row, column, values);
    } else if constexpr (element == element_f32) {
        load_floats((const float *)row + column, values);
    } else if constexpr (halves) {
        static_assert(count % 8 == 0 || count == 4 || count == 2, "whole accesses");
        constexpr int words = count / 2;
        unsigned pairs[words];
        const unsigned *from = (const unsigned *)((const unsigned short *)row + column);
        if constexpr (words == 1) {
            pairs[0] = *from;
        } else if constexpr (words == 2) {
            const uint2 two = *(const uint2 *)from;
            pairs[0] = two.x, pairs[1] = two.y;
        } else {
            UNROLL for (int w = 0; w < words; w += 4) {
                const uint4 four = *(const uint4 *)(from + w);
                pairs[w] = four.x, pairs[w + 1] = four.y, pairs[w + 2] = four.z, pairs[w + 3] = four.w;
            }
        }
        UNROLL for (int w = 0; w < words; w++) {
            if constexpr (element == element_f16) {
                values[2 * w] = to_float(low_half(pairs[w]));
                values[2 * w + 1] = to_float(high_half(pairs[w]));
            } else {
                values[2 * w] = to_float(low_bfloat(pairs[w]));
                values[2 * w + 1] = to_float(high_bfloat(pairs[w]));
            }
        }
    } else {
        static_assert(count % 4 == 0 && count <= block_elements, "words of one block");
        const unsigned char *block = row + column / block_elements * element_bytes(element);
        const float scale = block_scale(block);
        UNROLL for (int w = 0; w < count / 4; w++) {
            const int word = block_word<element>(block, column % block_elements / 4 + w);
            UNROLL for (int i = 0; i < 4; i++) values[4 * w + i] = scale * (signed char)(word >> 8 * i);
        }
    }
}

// One number of a plain type.
template <int element> DEVICE void store_element(unsigned char *row, int column, float value)
{
    static_assert(element == element_f32 || element == element_f16 || element == element_bf16, "a plain type");
    if constexpr (element == element_f32) ((float *)row)[column] = value;
    if constexpr (element == element_f16) ((half *)row)[column] = to_half(value);
    if constexpr (element == element_bf16) ((bfloat *)row)[column] = to_bfloat(value);
}
