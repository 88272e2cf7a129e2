// Groups of eight elements of a weight's blocks as words of bytes, and the words of activations rounded to bytes
// (linear_quantize.cuh) that meet them: four lanes share a block.  The includer names `element` and `columns`.
#pragma once
#include "codegen/cuda/block.cuh"

static_assert(element_is_block(element), "weights are blocks");

constexpr int row_blocks = columns / block_elements;
constexpr int lanes_per_block = 4; // of eight elements each
constexpr int row_groups = row_blocks * lanes_per_block;
constexpr bool nibbles = element == element_q4_0;

// Eight elements of a weight's block: two words of bytes.  Lane `part` of a block has elements 8 part to 8 part + 7, of
// nibbles 4 part to 4 part + 3 and those 16 behind, without the offset of 8.
struct weight_group {
    float scale;
    int words[2];
};

DEVICE weight_group load_group(const unsigned char *row, int group)
{
    const unsigned char *block = row + group / lanes_per_block * element_bytes(element);
    const int part = group % lanes_per_block;
    weight_group result;
    result.scale = block_scale(block);
    if constexpr (nibbles) {
        const unsigned pairs = load_word_of_halves(block + 2 + 4 * part);
        result.words[0] = pairs & 0x0f0f0f0f;
        result.words[1] = pairs >> 4 & 0x0f0f0f0f;
    } else {
        result.words[0] = (int)load_word_of_halves(block + 2 + 8 * part);
        result.words[1] = (int)load_word_of_halves(block + 6 + 8 * part);
    }
    return result;
}

// The words of the activations that meet these.
DEVICE void load_inputs(const int *row, int group, int (&words)[2])
{
    if constexpr (nibbles) {
        const int *block = row + group / lanes_per_block * 8;
        words[0] = block[group % lanes_per_block];
        words[1] = block[group % lanes_per_block + 4];
    } else {
        const int2 pair = *(const int2 *)(row + 2 * group);
        words[0] = pair.x, words[1] = pair.y;
    }
}

// Activations as bytes: `columns` to a row.
struct byte_rows {
    const int *bytes;
    const float *scales;
    const int *byte_sums;
};
