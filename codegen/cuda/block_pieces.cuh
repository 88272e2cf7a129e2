// Blocks as whole numbers.  A thread takes a piece of a block: `scales` times `runs` runs of `run_words` neighbouring
// words of four bytes, which share memory words in the block, so that nothing is read twice.  A number is
// scale * (byte - offset) + minimum.  Pieces are read early, as they lie in memory, and unpacked late.
//
// A type is one specialisation of block_pieces:
//     scales, runs, run_words   of a piece
//     reach                     columns that some pieces in a row fill without gaps
//     offset                    of all bytes; sums of products pay for it, once for all outputs
//     minima                    whether there are minima
//     bytes_signed              whether bytes have a sign (offset 0)
//     place(piece, s, r)        which word of the block a run begins with
//     raw_words                 words that a piece is read into
//     read(block, piece, raw), unpack(raw, piece, to)
#pragma once
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/block_words.cuh"

template <int scales_, int runs_, int run_words_, int reach_, int raw_words_, int offset_ = 0, bool minima_ = false,
          bool bytes_signed_ = false>
struct piece_form {
    static constexpr int scales = scales_, runs = runs_, run_words = run_words_, reach = reach_;
    static constexpr int raw_words = raw_words_, offset = offset_;
    static constexpr bool minima = minima_, bytes_signed = bytes_signed_;
    static constexpr int elements = 4 * scales * runs * run_words;

    typedef unsigned raw[raw_words_];
    struct piece {
        float scales[scales_], minima[scales_];
        unsigned words[scales_][runs_][run_words_];
    };
};

template <int element> struct block_pieces;

DEVICE unsigned load_half_bits(const unsigned char *from)
{
    return *(const unsigned short *)from;
}

template <> struct block_pieces<element_q8_0> : piece_form<1, 1, 2, 8, 3, 0, false, true> {
    DEVICE unsigned place(unsigned piece, int, int) { return 2 * piece; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = load_half_bits(block);
        UNROLL for (int w = 0; w < 2; w++) to[1 + w] = load_word_of_halves(block + 2 + 8 * index + 4 * w);
    }
    DEVICE void unpack(const raw &from, unsigned, piece &to)
    {
        to.scales[0] = to_float(low_half(from[0]));
        UNROLL for (int w = 0; w < 2; w++) to.words[0][0][w] = from[1 + w];
    }
};

// ---- Blocks of 32 nibbles: four bytes hold neighbours, and those 16 behind them.  Word 0 has scale and minimum ----

template <int offset, bool minima, bool fifths = false, bool bytes_signed = false>
struct nibble_pieces : piece_form<1, 2, 1, 32, fifths ? 3 : 2, offset, minima, bytes_signed> {
    typedef piece_form<1, 2, 1, 32, fifths ? 3 : 2, offset, minima, bytes_signed> form;
    typedef typename form::raw raw;
    typedef typename form::piece piece;

    DEVICE unsigned place(unsigned piece, int, int run) { return piece + 4 * run; }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        to.scales[0] = to_float(low_half(from[0]));
        if constexpr (minima) to.minima[0] = to_float(high_half(from[0]));
        to.words[0][0][0] = from[1] & 0x0f0f0f0fu;
        to.words[0][1][0] = from[1] >> 4 & 0x0f0f0f0fu;
        if constexpr (fifths) { // of all 32 numbers in order
            to.words[0][0][0] |= spread_bits(from[form::raw_words - 1] >> 4 * index) << 4;
            to.words[0][1][0] |= spread_bits(from[form::raw_words - 1] >> (4 * index + 16)) << 4;
        }
    }
};

template <> struct block_pieces<element_q4_0> : nibble_pieces<8, false> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = load_half_bits(block);
        to[1] = load_word_of_halves(block + 2 + 4 * index);
    }
};

template <> struct block_pieces<element_q4_1> : nibble_pieces<0, true> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = ((const unsigned *)block)[0];
        to[1] = ((const unsigned *)block)[1 + index];
    }
};

template <> struct block_pieces<element_q5_0> : nibble_pieces<16, false, true> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = load_half_bits(block);
        to[1] = load_word_of_halves(block + 6 + 4 * index);
        to[2] = load_word_of_halves(block + 2);
    }
};

template <> struct block_pieces<element_q5_1> : nibble_pieces<0, true, true> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = ((const unsigned *)block)[0];
        to[1] = ((const unsigned *)block)[2 + index];
        to[2] = ((const unsigned *)block)[1];
    }
};

template <> struct block_pieces<element_iq4_nl> : nibble_pieces<0, false, false, true> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        block_pieces<element_q4_0>::read(block, index, to);
    }
    DEVICE void unpack(const raw &from, unsigned, piece &to)
    {
        to.scales[0] = to_float(low_half(from[0]));
        iq4_table::nibbles(from[1], to.words[0][0][0], to.words[0][1][0]);
    }
};

template <> struct block_pieces<element_mxfp4> : nibble_pieces<0, false, false, true> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = block[0];
        to[1] = load_word_of_bytes(block + 1 + 4 * index);
    }
    DEVICE void unpack(const raw &from, unsigned, piece &to)
    {
        to.scales[0] = element_half_of_e8m0((unsigned char)from[0]);
        e2m1_table::nibbles(from[1], to.words[0][0][0], to.words[0][1][0]);
    }
};

// ---- Blocks of 256: parts of 64 or 128 numbers, in whose bytes those 32 or 64 behind share places ----

// 16 bytes of two groups of 32 in their halves; two pieces are two groups.
template <bool fifths> struct q4_K_pieces : piece_form<2, 1, 4, 64, fifths ? 12 : 8, 0, true> {
    typedef piece_form<2, 1, 4, 64, fifths ? 12 : 8, 0, true> form;
    typedef typename form::raw raw;
    typedef typename form::piece piece;

    DEVICE unsigned place(unsigned piece, int s, int) { return piece / 2 * 16 + 8 * s + piece % 2 * 4; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        const uint4 *chunks = (const uint4 *)block;
        put_four(chunks[0], to, 0);
        put_four(chunks[(fifths ? 3 : 1) + index], to, 4);
        if constexpr (fifths) put_four(chunks[1 + index % 2], to, 8);
    }
    DEVICE void put_four(uint4 four, raw &to, int at)
    {
        to[at] = four.x, to[at + 1] = four.y, to[at + 2] = four.z, to[at + 3] = four.w;
    }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        const unsigned pair = index / 2; // of groups
        UNROLL for (int w = 0; w < 4; w++)
            UNROLL for (int s = 0; s < 2; s++) {
                to.words[s][0][w] = from[4 + w] >> 4 * s & 0x0f0f0f0fu;
                if constexpr (fifths)
                    to.words[s][0][w] |= (from[form::raw_words - 4 + w] >> (2 * pair + s) & 0x01010101u) << 4;
            }
        const unsigned scales = pair_of_six_bits(from[1], from[3], pair);
        const unsigned minima = pair_of_six_bits(from[2], from[3] >> 4, pair);
        const float unit = to_float(low_half(from[0])), minimum_unit = -to_float(high_half(from[0]));
        UNROLL for (int s = 0; s < 2; s++) {
            to.scales[s] = unit * (float)(scales >> 8 * s & 255u);
            to.minima[s] = minimum_unit * (float)(minima >> 8 * s & 255u);
        }
    }
};

template <> struct block_pieces<element_q4_K> : q4_K_pieces<false> {};
template <> struct block_pieces<element_q5_K> : q4_K_pieces<true> {};

// 8 bytes of nibbles: 8 numbers and the 8 that are 64 behind them.
template <> struct block_pieces<element_q6_K> : piece_form<2, 1, 2, 128, 6, 32> {
    DEVICE unsigned place(unsigned piece, int s, int) { return piece / 8 * 32 + piece % 8 * 2 + 16 * s; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        const unsigned char *scales = block + 192 + place(index, 0, 0) / 4;
        load_words_of_halves<2>(block + 8 * index, &to[0]);
        load_words_of_halves<2>(block + 128 + index / 8 * 32 + index % 4 * 8, &to[2]);
        to[4] = load_half_bits(block + 208);
        to[5] = scales[0] | (unsigned)scales[4] << 8;
    }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        const unsigned shift = index % 8 / 4 * 2;
        UNROLL for (int s = 0; s < 2; s++) {
            UNROLL for (int w = 0; w < 2; w++)
                to.words[s][0][w] =
                    (from[w] >> 4 * s & 0x0f0f0f0fu) | (from[2 + w] >> (shift + 4 * s) & 0x03030303u) << 4;
            to.scales[s] = to_float(low_half(from[4])) * (float)(signed char)(from[5] >> 8 * s);
        }
    }
};

// 8 bytes of 2-bit codes: 8 numbers, and those 32, 64 and 96 behind them.  Words 0 and 1 have the codes.
template <int raw_words, int offset, bool minima>
struct quarter_pieces : piece_form<4, 1, 2, 128, raw_words, offset, minima> {
    typedef typename piece_form<4, 1, 2, 128, raw_words, offset, minima>::raw raw;
    typedef typename piece_form<4, 1, 2, 128, raw_words, offset, minima>::piece piece;

    DEVICE unsigned place(unsigned piece, int s, int) { return piece / 4 * 32 + 8 * s + piece % 4 * 2; }
    DEVICE void split(const raw &from, piece &to)
    {
        UNROLL for (int s = 0; s < 4; s++)
            UNROLL for (int w = 0; w < 2; w++) to.words[s][0][w] = from[w] >> 2 * s & 0x03030303u;
    }
};

// Its groups are numbers 8 * part + 2 * s + half.
template <> struct block_pieces<element_q2_K> : quarter_pieces<5, 0, true> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        const unsigned *words = (const unsigned *)block;
        UNROLL for (int w = 0; w < 2; w++) {
            to[w] = words[4 + 2 * index + w];
            to[2 + w] = words[index / 4 * 2 + w];
        }
        to[4] = words[20];
    }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        split(from, to);
        const float unit = to_float(low_half(from[4])), minimum_unit = -to_float(high_half(from[4]));
        UNROLL for (int s = 0; s < 4; s++) {
            const unsigned both = from[2 + s / 2] >> (s % 2 * 16 + index % 4 / 2 * 8);
            to.scales[s] = unit * (float)(both & 15u);
            to.minima[s] = minimum_unit * (float)(both >> 4 & 15u);
        }
    }
};

// As in q2_K.
template <> struct block_pieces<element_q3_K> : quarter_pieces<8, 4, false> {
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        load_words_of_halves<2>(block + 32 + 8 * index, &to[0]);
        load_words_of_halves<2>(block + index % 4 * 8, &to[2]);
        load_words_of_halves<3>(block + 96, &to[4]);
        to[7] = load_half_bits(block + 108);
    }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        const unsigned part = index / 4, half = index % 4 / 2;
        split(from, to);
        UNROLL for (int s = 0; s < 4; s++) {
            UNROLL for (int w = 0; w < 2; w++) to.words[s][0][w] |= (from[2 + w] >> (4 * part + s) & 0x01010101u) << 2;
            const unsigned at = 8 * half + s % 2 * 16 + 4 * part;
            const unsigned scale = (from[4 + s / 2] >> at & 15u) | (from[6] >> (at + s / 2 * 2) & 3u) << 4;
            to.scales[s] = to_float(low_half(from[7])) * (float)((int)scale - 32);
        }
    }
};

// A group of 32.
template <> struct block_pieces<element_iq4_xs> : piece_form<1, 2, 4, 32, 6, 0, false, true> {
    DEVICE unsigned place(unsigned piece, int, int run) { return 8 * piece + 4 * run; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        const uint2 *pairs = (const uint2 *)block;
        const uint2 header = pairs[0], first = pairs[1 + 2 * index], second = pairs[2 + 2 * index];
        to[0] = header.x, to[1] = header.y, to[2] = first.x, to[3] = first.y, to[4] = second.x, to[5] = second.y;
    }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        UNROLL for (int w = 0; w < 4; w++) iq4_table::nibbles(from[2 + w], to.words[0][0][w], to.words[0][1][w]);
        const unsigned scale = (from[1] >> 4 * index & 15u) | (from[0] >> (16 + 2 * index) & 3u) << 4;
        to.scales[0] = to_float(low_half(from[0])) * (float)((int)scale - 32);
    }
};

// ---- Codes whose scales lie in other tensors ----

template <> struct block_pieces<element_i8_128> : piece_form<1, 1, 4, 16, 5, 0, false, true> {
    DEVICE unsigned place(unsigned piece, int, int) { return 4 * piece; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = *(const unsigned *)block;
        UNROLL for (int w = 0; w < 4; w++) to[1 + w] = ((const unsigned *)block)[1 + 4 * index + w];
    }
    DEVICE void unpack(const raw &from, unsigned, piece &to)
    {
        to.scales[0] = __uint_as_float(from[0]);
        UNROLL for (int w = 0; w < 4; w++) to.words[0][0][w] = from[1 + w];
    }
};

// Whole numbers of 4 bits less a zero, in groups of 32.
template <> struct block_pieces<element_i4_32> : nibble_pieces<0, true> {
    DEVICE unsigned place(unsigned piece, int, int run) { return piece / 4 * 8 + piece % 4 + 4 * run; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        block_pieces<element_q4_1>::read(block, index, to);
    }
    DEVICE void unpack(const raw &from, unsigned index, piece &to)
    {
        nibble_pieces::unpack(from, index, to);
        to.minima[0] = -to.scales[0] * (float)(from[0] >> 16 & 15u);
    }
};

template <> struct block_pieces<element_i4_128> : block_pieces<element_i4_32> {};

// Four numbers of each of two neighbouring groups of 16, which have scales of their own.
template <> struct block_pieces<element_nvfp4_128> : piece_form<2, 1, 1, 32, 3, 0, false, true> {
    DEVICE unsigned place(unsigned piece, int scale, int) { return piece / 4 * 8 + piece % 4 + 4 * scale; }
    DEVICE void read(const unsigned char *block, unsigned index, raw &to)
    {
        to[0] = ((const unsigned *)block)[0];
        to[1] = ((const unsigned short *)block)[2 + index / 4];
        to[2] = ((const unsigned *)block)[3 + index];
    }
    DEVICE void unpack(const raw &from, unsigned, piece &to)
    {
        UNROLL for (int s = 0; s < 2; s++)
            to.scales[s] = __uint_as_float(from[0]) * (element_float_of_e4m3((unsigned char)(from[1] >> 8 * s)) * 0.5f);
        e2m1_table::nibbles(from[2], to.words[0][0][0], to.words[1][0][0]);
    }
};
