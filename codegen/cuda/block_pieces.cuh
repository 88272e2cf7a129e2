// Blocks as whole numbers, for products with activations rounded to bytes.  A lane takes a piece of a block: `scales`
// times `runs` runs of `run_words` neighbouring words of four signed bytes, which share memory words in the block, so
// that nothing is read twice.  A number is scale * (byte - offset) + minimum.
//
// A type is one specialisation of block_pieces:
//     scales, runs, run_words   of a piece
//     offset                    of all bytes; the products' sum pays for it, once for all outputs
//     minima                    whether there are minima
//     place(piece, s, r)        which word of the block a run begins with
//     load(block, piece, to)    reads and unpacks one
#pragma once
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/block_words.cuh"

template <int scales_, int runs_, int run_words_, int offset_ = 0, bool minima_ = false> struct piece_form {
    static constexpr int scales = scales_, runs = runs_, run_words = run_words_, offset = offset_;
    static constexpr bool minima = minima_;
    static constexpr int elements = 4 * scales * runs * run_words;

    struct piece {
        float scales[scales_], minima[scales_];
        unsigned words[scales_][runs_][run_words_];
    };
};

template <int element> struct block_pieces;

template <> struct block_pieces<element_q8_0> : piece_form<1, 1, 2> {
    DEVICE unsigned place(unsigned piece, int, int) { return 2 * piece; }
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        to.scales[0] = block_scale(block);
        UNROLL for (int w = 0; w < 2; w++) to.words[0][0][w] = load_word_of_halves(block + 2 + 8 * index + 4 * w);
    }
};

// ---- Blocks of 32 nibbles: four bytes hold neighbours, and those 16 behind them ----

template <int offset, bool minima> struct nibble_pieces : piece_form<1, 2, 1, offset, minima> {
    using typename piece_form<1, 2, 1, offset, minima>::piece;
    DEVICE unsigned place(unsigned piece, int, int run) { return piece + 4 * run; }
    DEVICE void split(unsigned pairs, piece &to)
    {
        to.words[0][0][0] = pairs & 0x0f0f0f0fu;
        to.words[0][1][0] = pairs >> 4 & 0x0f0f0f0fu;
    }
    // The fifth bits of all 32 in order.
    DEVICE void add_fifths(unsigned bits, unsigned index, piece &to)
    {
        to.words[0][0][0] |= spread_bits(bits >> 4 * index) << 4;
        to.words[0][1][0] |= spread_bits(bits >> (4 * index + 16)) << 4;
    }
    DEVICE void read_scales(const unsigned char *block, piece &to)
    {
        const unsigned pair = *(const unsigned *)block;
        to.scales[0] = to_float(low_half(pair));
        to.minima[0] = to_float(high_half(pair));
    }
};

template <> struct block_pieces<element_q4_0> : nibble_pieces<8, false> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        to.scales[0] = block_scale(block);
        split(load_word_of_halves(block + 2 + 4 * index), to);
    }
};

template <> struct block_pieces<element_q4_1> : nibble_pieces<0, true> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        read_scales(block, to);
        split(((const unsigned *)block)[1 + index], to);
    }
};

template <> struct block_pieces<element_q5_0> : nibble_pieces<16, false> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        to.scales[0] = block_scale(block);
        split(load_word_of_halves(block + 6 + 4 * index), to);
        add_fifths(load_word_of_halves(block + 2), index, to);
    }
};

template <> struct block_pieces<element_q5_1> : nibble_pieces<0, true> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        read_scales(block, to);
        split(((const unsigned *)block)[2 + index], to);
        add_fifths(((const unsigned *)block)[1], index, to);
    }
};

template <> struct block_pieces<element_iq4_nl> : nibble_pieces<0, false> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        to.scales[0] = block_scale(block);
        iq4_table::nibbles(load_word_of_halves(block + 2 + 4 * index), to.words[0][0][0], to.words[0][1][0]);
    }
};

template <> struct block_pieces<element_mxfp4> : nibble_pieces<0, false> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        to.scales[0] = element_half_of_e8m0(block[0]);
        e2m1_table::nibbles(load_word_of_bytes(block + 1 + 4 * index), to.words[0][0][0], to.words[0][1][0]);
    }
};

// ---- Blocks of 256: parts of 128 numbers, in whose bytes those 32 or 64 behind share places ----

// 16 bytes of two groups of 32 in their halves; two pieces are two groups.
template <bool fifths> struct q4_K_pieces : piece_form<2, 1, 4, 0, true> {
    DEVICE unsigned place(unsigned piece, int s, int) { return piece / 2 * 16 + 8 * s + piece % 2 * 4; }
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        const uint4 header = *(const uint4 *)block;
        const unsigned pair = index / 2; // of groups
        const uint4 quants = ((const uint4 *)block)[(fifths ? 3 : 1) + index];
        const unsigned words[4] = {quants.x, quants.y, quants.z, quants.w};
        UNROLL for (int w = 0; w < 4; w++) {
            to.words[0][0][w] = words[w] & 0x0f0f0f0fu;
            to.words[1][0][w] = words[w] >> 4 & 0x0f0f0f0fu;
        }
        if constexpr (fifths) {
            const uint4 upper = ((const uint4 *)block)[1 + index % 2];
            const unsigned bits[4] = {upper.x, upper.y, upper.z, upper.w};
            UNROLL for (int w = 0; w < 4; w++)
                UNROLL for (int s = 0; s < 2; s++)
                    to.words[s][0][w] |= (bits[w] >> (2 * pair + s) & 0x01010101u) << 4;
        }
        const unsigned scales = pair_of_six_bits(header.y, header.w, pair);
        const unsigned minima = pair_of_six_bits(header.z, header.w >> 4, pair);
        const float unit = to_float(low_half(header.x)), minimum_unit = -to_float(high_half(header.x));
        UNROLL for (int s = 0; s < 2; s++) {
            to.scales[s] = unit * (float)(scales >> 8 * s & 255u);
            to.minima[s] = minimum_unit * (float)(minima >> 8 * s & 255u);
        }
    }
};

template <> struct block_pieces<element_q4_K> : q4_K_pieces<false> {};
template <> struct block_pieces<element_q5_K> : q4_K_pieces<true> {};

// 8 bytes of nibbles: 8 numbers and the 8 that are 64 behind them.
template <> struct block_pieces<element_q6_K> : piece_form<2, 1, 2, 32> {
    DEVICE unsigned place(unsigned piece, int s, int) { return piece / 8 * 32 + piece % 8 * 2 + 16 * s; }
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        unsigned low[2], high[2];
        load_words_of_halves(block + 8 * index, low);
        load_words_of_halves(block + 128 + index / 8 * 32 + index % 4 * 8, high);
        const unsigned shift = index % 8 / 4 * 2;
        const float unit = block_scale(block + 208);
        const signed char *scales = (const signed char *)block + 192 + place(index, 0, 0) / 4;
        UNROLL for (int s = 0; s < 2; s++) {
            UNROLL for (int w = 0; w < 2; w++)
                to.words[s][0][w] = (low[w] >> 4 * s & 0x0f0f0f0fu) | (high[w] >> (shift + 4 * s) & 0x03030303u) << 4;
            to.scales[s] = unit * (float)scales[4 * s];
        }
    }
};

// 8 bytes of 2-bit codes: 8 numbers, and those 32, 64 and 96 behind them.
template <int offset, bool minima> struct quarter_pieces : piece_form<4, 1, 2, offset, minima> {
    using typename piece_form<4, 1, 2, offset, minima>::piece;
    DEVICE unsigned place(unsigned piece, int s, int) { return piece / 4 * 32 + 8 * s + piece % 4 * 2; }
    DEVICE void split(const unsigned (&codes)[2], piece &to)
    {
        UNROLL for (int s = 0; s < 4; s++)
            UNROLL for (int w = 0; w < 2; w++) to.words[s][0][w] = codes[w] >> 2 * s & 0x03030303u;
    }
};

template <> struct block_pieces<element_q2_K> : quarter_pieces<0, true> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        const unsigned *words = (const unsigned *)block;
        const unsigned codes[2] = {words[4 + 2 * index], words[5 + 2 * index]};
        split(codes, to);
        const float unit = to_float(low_half(words[20])), minimum_unit = -to_float(high_half(words[20]));
        UNROLL for (int s = 0; s < 4; s++) { // group 8 * part + 2 * s + half
            const unsigned both = words[index / 4 * 2 + s / 2] >> (s % 2 * 16 + index % 4 / 2 * 8);
            to.scales[s] = unit * (float)(both & 15u);
            to.minima[s] = minimum_unit * (float)(both >> 4 & 15u);
        }
    }
};

template <> struct block_pieces<element_q3_K> : quarter_pieces<4, false> {
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        unsigned codes[2], thirds[2], scales[3];
        load_words_of_halves(block + 32 + 8 * index, codes);
        load_words_of_halves(block + index % 4 * 8, thirds);
        load_words_of_halves(block + 96, scales);
        split(codes, to);
        const unsigned part = index / 4, half = index % 4 / 2;
        const float unit = block_scale(block + 108);
        UNROLL for (int s = 0; s < 4; s++) { // group 8 * part + 2 * s + half
            UNROLL for (int w = 0; w < 2; w++) to.words[s][0][w] |= (thirds[w] >> (4 * part + s) & 0x01010101u) << 2;
            const unsigned low = scales[s / 2] >> (8 * half + s % 2 * 16 + 4 * part) & 15u;
            const unsigned high = scales[2] >> (8 * half + s % 2 * 16 + 4 * part + s / 2 * 2) & 3u;
            to.scales[s] = unit * (float)((int)(low | high << 4) - 32);
        }
    }
};

// A group of 32.
template <> struct block_pieces<element_iq4_xs> : piece_form<1, 2, 4> {
    DEVICE unsigned place(unsigned piece, int, int run) { return 8 * piece + 4 * run; }
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        const uint2 header = *(const uint2 *)block;
        const uint2 first = ((const uint2 *)block)[1 + 2 * index], second = ((const uint2 *)block)[2 + 2 * index];
        const unsigned words[4] = {first.x, first.y, second.x, second.y};
        UNROLL for (int w = 0; w < 4; w++)
            iq4_table::nibbles(words[w], to.words[0][0][w], to.words[0][1][w]);
        const unsigned scale = (header.y >> 4 * index & 15u) | (header.x >> (16 + 2 * index) & 3u) << 4;
        to.scales[0] = to_float(low_half(header.x)) * (float)((int)scale - 32);
    }
};

// ---- Codes whose scales lie in other tensors ----

template <> struct block_pieces<element_i8_128> : piece_form<1, 1, 4> {
    DEVICE unsigned place(unsigned piece, int, int) { return 4 * piece; }
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        to.scales[0] = *(const float *)block;
        UNROLL for (int w = 0; w < 4; w++) to.words[0][0][w] = ((const unsigned *)block)[1 + 4 * index + w];
    }
};

// Whole numbers of 4 bits less a zero, in groups of 32.
template <> struct block_pieces<element_i4_32> : nibble_pieces<0, true> {
    DEVICE unsigned place(unsigned piece, int, int run) { return piece / 4 * 8 + piece % 4 + 4 * run; }
    DEVICE void load(const unsigned char *block, unsigned index, piece &to)
    {
        const unsigned header = *(const unsigned *)block;
        to.scales[0] = to_float(low_half(header));
        to.minima[0] = -to.scales[0] * (float)(header >> 16 & 15u);
        split(((const unsigned *)block)[1 + index], to);
    }
};

template <> struct block_pieces<element_i4_128> : block_pieces<element_i4_32> {};
