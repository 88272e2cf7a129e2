// Rows of weights of any element type: single numbers, and groups of neighbours, as floats.
#pragma once
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/number.cuh"
#include "config.cuh"

// Blocks of the GGUF types of the same names: a scale as f16, then 32 signed bytes, or 16 bytes that hold elements 0 to
// 15 in their low and 16 to 31 in their high halves, with 8 subtracted.
constexpr int block_elements = 32;

DEVICE constexpr bool element_is_block(int element)
{
    return element == element_q8_0 || element == element_q4_0;
}

// Of one block, or of one number.
DEVICE constexpr int element_bytes(int element)
{
    return element == element_f32    ? 4
           : element == element_q8_0 ? 34
           : element == element_q4_0 ? 18
           : element == element_i8   ? 1
                                     : 2;
}

DEVICE constexpr long long row_bytes(int element, int columns)
{
    return (long long)(element_is_block(element) ? columns / block_elements : columns) * element_bytes(element);
}

DEVICE float block_scale(const unsigned char *block)
{
    return to_float(half{*(const unsigned short *)block});
}

// One element of a row.
template <int element> DEVICE float load_element(const unsigned char *row, int column)
{
    if constexpr (element == element_f32) {
        return ((const float *)row)[column];
    } else if constexpr (element == element_f16) {
        return to_float(((const half *)row)[column]);
    } else if constexpr (element == element_bf16) {
        return to_float(((const bfloat *)row)[column]);
    } else {
        const unsigned char *block = row + column / block_elements * element_bytes(element);
        const int within = column % block_elements;
        if constexpr (element == element_q8_0) return block_scale(block) * (signed char)block[2 + within];
        const int pair = block[2 + within % 16];
        return block_scale(block) * ((within < 16 ? pair & 15 : pair >> 4) - 8);
    }
}

// The quants of a block as words of four signed bytes: word 0 to 7 hold elements 4 w to 4 w + 3.
template <int element> DEVICE int block_word(const unsigned char *block, int w)
{
    if constexpr (element == element_q8_0) return (int)load_word_of_halves(block + 2 + 4 * w);
    const unsigned pairs = load_word_of_halves(block + 2 + 4 * (w % 4));
    const unsigned nibbles = (w < 4 ? pairs : pairs >> 4) & 0x0f0f0f0fu;
    return (int)__vsub4(nibbles, 0x08080808u);
}

// Whether rows of this type and width can be read in groups of `count` with accesses of whole groups.
DEVICE constexpr bool group_is_aligned(int element, int columns, int count)
{
    return element_is_block(element) ? count <= block_elements : columns % count == 0;
}

// `count` neighbours from `column`, a multiple of `count`, of a row that begins at a multiple of 16 bytes, or of 2 for
// blocks.  8 neighbours of 16 bits, or 4 of 32, are one access.
template <int element, int count> DEVICE void load_elements(const unsigned char *row, int column, float (&values)[count])
{
    if constexpr (count == 1) {
        values[0] = load_element<element>(row, column);
    } else if constexpr (element == element_f32) {
        load_floats((const float *)row + column, values);
    } else if constexpr (element == element_f16 || element == element_bf16) {
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
