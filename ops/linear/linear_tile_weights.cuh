// Weights on their way into a stage of the tile, as 16-bit numbers: 16-bit ones are copied as they are, blocks are read
// into registers early and unpacked to f16 late.
#pragma once
#include "ops/linear/linear_tile_parts.cuh"

constexpr int row_chunks = tile_columns / 8;
constexpr bool packed = element_is_block(element);
constexpr bool nibbles = element == element_q4_0;

// What a thread takes at once: a chunk of eight numbers, or the half of a block whose numbers fill two chunks.
constexpr int row_pieces = packed ? tile_columns / 16 : row_chunks;
constexpr int weight_pieces = tracks * tile_outputs * row_pieces;
constexpr int weight_copies = ceil_divide(weight_pieces, tile_threads);
constexpr int row_blocks = columns / block_elements;

static_assert(tile_threads % row_pieces == 0, "a thread has the same piece of all its rows");
static_assert(packed || weight_pieces % tile_threads == 0, "copies are spread evenly");

// The rows that a thread copies; outputs behind the last repeat it.
struct weight_source {
    const unsigned char *rows[weight_copies];
};

DEVICE weight_source weight_source_of(const linear_operands &o, int first_output)
{
    weight_source source;
    UNROLL for (int i = 0; i < weight_copies; i++) {
        const int row = minimum((i * tile_threads + (int)threadIdx.x) / row_pieces, tracks * tile_outputs - 1);
        const int output = minimum(first_output + row % tile_outputs, outputs - 1);
        source.rows[i] = linear_weight_row(o, row / tile_outputs, output);
    }
    return source;
}

DEVICE void copy_weights(const weight_source &source, shared_address tile, int first_column)
{
    const int piece = threadIdx.x % row_pieces, column = first_column + piece * 8;
    UNROLL for (int i = 0; i < weight_copies; i++) {
        const int row = (i * tile_threads + threadIdx.x) / row_pieces;
        const bool wanted = column < columns;
        copy_async_16(tile + tile_offset<row_chunks>(row, piece), source.rows[i] + (wanted ? column * 2 : 0), wanted);
    }
}

// Halves of blocks; scale 0 where there is none.
struct half_blocks {
    unsigned short scales[weight_copies];
    unsigned words[weight_copies][nibbles ? 2 : 4];
};

DEVICE void load_half_blocks(const weight_source &source, int first_column, half_blocks &halves)
{
    const int piece = threadIdx.x % row_pieces, at = first_column / block_elements + piece / 2;
    UNROLL for (int i = 0; i < weight_copies; i++) {
        const bool wanted = at < row_blocks;
        const unsigned char *block = source.rows[i] + (wanted ? at : 0) * element_bytes(element);
        halves.scales[i] = wanted ? *(const unsigned short *)block : (unsigned short)0;
        UNROLL for (int w = 0; w < (nibbles ? 2 : 4); w++)
            halves.words[i][w] = load_word_of_halves(block + 2 + piece % 2 * (nibbles ? 8 : 16) + 4 * w);
    }
}

// Eight numbers from two words of bytes.
template <int offset> DEVICE uint4 unpack_chunk(unsigned low, unsigned high, unsigned scale)
{
    unsigned first[2], second[2];
    bytes_to_half_pairs<offset>(low, first);
    bytes_to_half_pairs<offset>(high, second);
    return make_uint4(multiply_half_pairs(first[0], scale), multiply_half_pairs(first[1], scale),
                      multiply_half_pairs(second[0], scale), multiply_half_pairs(second[1], scale));
}

DEVICE void unpack_half_blocks(const half_blocks &halves, shared_address tile)
{
    const int piece = threadIdx.x % row_pieces, chunk = piece / 2 * 4, half = piece % 2;
    UNROLL for (int i = 0; i < weight_copies; i++) {
        const int row = (i * tile_threads + threadIdx.x) / row_pieces;
        if (weight_pieces % tile_threads && row >= tracks * tile_outputs) continue;
        const unsigned scale = halves.scales[i] | (unsigned)halves.scales[i] << 16;
        const unsigned(&words)[nibbles ? 2 : 4] = halves.words[i];
        if constexpr (nibbles) {
            constexpr unsigned low = 0x0f0f0f0fu;
            store_shared_16(tile + tile_offset<row_chunks>(row, chunk + half),
                            unpack_chunk<8>(words[0] & low, words[1] & low, scale));
            store_shared_16(tile + tile_offset<row_chunks>(row, chunk + half + 2),
                            unpack_chunk<8>(words[0] >> 4 & low, words[1] >> 4 & low, scale));
        } else {
            constexpr unsigned sign = 0x80808080u; // signed bytes become 128 more without sign
            store_shared_16(tile + tile_offset<row_chunks>(row, chunk + 2 * half),
                            unpack_chunk<128>(words[0] ^ sign, words[1] ^ sign, scale));
            store_shared_16(tile + tile_offset<row_chunks>(row, chunk + 2 * half + 1),
                            unpack_chunk<128>(words[2] ^ sign, words[3] ^ sign, scale));
        }
    }
}
