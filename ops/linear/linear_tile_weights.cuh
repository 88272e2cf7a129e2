// Weights on their way into a stage of the tile, as 16-bit numbers: 16-bit ones are copied as they are, blocks are read
// into registers early and unpacked late: those of q8_0 and q4_0 by halves, all others by pieces.
#pragma once
#include "codegen/cuda/block_pieces.cuh"
#include "ops/linear/linear_tile_parts.cuh"

constexpr int row_chunks = tile_columns / 8;
constexpr bool packed = element_is_block(element);
constexpr bool blocks_as_brain = element == element_mxfp4 || element == element_nvfp4_128; // scales beyond those of f16
constexpr bool nibbles = element == element_q4_0;
constexpr bool in_pieces = packed && !nibbles && element != element_q8_0;
typedef block_pieces<in_pieces ? element : element_q4_0> pieces;

// What a thread takes at once: a chunk of eight numbers, the half of a block whose numbers fill two chunks, or a piece.
constexpr int row_pieces = in_pieces ? tile_columns / pieces::elements : packed ? tile_columns / 16 : row_chunks;
constexpr int weight_pieces = tracks * tile_outputs * row_pieces;
constexpr int weight_copies = ceil_divide(weight_pieces, tile_threads);
constexpr int row_blocks = columns / block_elements;

static_assert(tile_threads % row_pieces == 0, "a thread has the same piece of all its rows");
static_assert(packed || weight_pieces % tile_threads == 0, "copies are spread evenly");

#include "ops/linear/linear_tile_pieces.cuh"

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

// ---- Pieces ----

// Two pairs of 16-bit numbers from a word of four bytes.
DEVICE uint2 widen_word(unsigned word, float scale, float minimum)
{
    constexpr unsigned offset = pieces::bytes_signed ? 128 : pieces::offset;
    constexpr float away = 8388608.0f + offset; // behind 0x4b0000 a byte b is the f32 2^23 + b
    const unsigned bytes = pieces::bytes_signed ? word ^ 0x80808080u : word;
    float values[4];
    UNROLL for (unsigned i = 0; i < 4; i++) {
        const float code = __uint_as_float(__byte_perm(bytes, 0x4b000000u, 0x7440u | i)) - away;
        values[i] = pieces::minima ? scale * code + minimum : scale * code;
    }
    return blocks_as_brain ? make_uint2(pack_bfloat(values[0], values[1]), pack_bfloat(values[2], values[3]))
                 : make_uint2(pack_half(values[0], values[1]), pack_half(values[2], values[3]));
}

DEVICE void widen_run(const unsigned (&words)[pieces::run_words], float scale, float minimum, shared_address tile, int row,
                      int word)
{
    if constexpr (pieces::run_words == 1) {
        store_shared_8(tile + tile_offset<row_chunks>(row, word / 2) + word % 2 * 8,
                       widen_word(words[0], scale, minimum));
    } else {
        UNROLL for (int w = 0; w < pieces::run_words; w += 2) {
            const uint2 first = widen_word(words[w], scale, minimum), second = widen_word(words[w + 1], scale, minimum);
            store_shared_16(tile + tile_offset<row_chunks>(row, (word + w) / 2),
                            make_uint4(first.x, first.y, second.x, second.y));
        }
    }
}

DEVICE void unpack_pieces(const held_pieces &held, shared_address tile)
{
    put_pieces<tracks * tile_outputs>(held, [=](const pieces::piece &piece, int s, int r, int row, int word) {
        widen_run(piece.words[s][r], piece.scales[s], pieces::minima ? piece.minima[s] : 0.0f, tile, row, word);
    });
}
