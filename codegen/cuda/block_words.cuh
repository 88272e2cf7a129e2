// Words of four small numbers out of blocks: loads at odd addresses, bits spread over bytes, tables of 16.
#pragma once
#include "codegen/cuda/memory.cuh"

// Neighbouring words at an address that is a multiple of 2 only: one aligned load more than words.  Nothing is read
// beyond the aligned words that hold some of these bytes.
template <int count> DEVICE void load_words_of_halves(const void *from, unsigned *words)
{
    const unsigned long long address = (unsigned long long)from;
    const unsigned *aligned = (const unsigned *)(address & ~3ull);
    const unsigned *last = (const unsigned *)((address + 4 * count - 1) & ~3ull);
    const unsigned shift = (unsigned)(address & 3u) * 8;
    unsigned low = *aligned;
    UNROLL for (int w = 0; w < count; w++) {
        const unsigned high = w + 1 < count ? aligned[w + 1] : *last;
        words[w] = __funnelshift_r(low, high, shift);
        low = high;
    }
}

// A word at any address.
DEVICE unsigned load_word_of_bytes(const void *from)
{
    unsigned word;
    load_words_of_halves<1>(from, &word);
    return word;
}

// Bits 0 to 3 in four bytes.
DEVICE unsigned spread_bits(unsigned bits)
{
    return (bits & 15u) * 0x00204081u & 0x01010101u;
}

// Two neighbouring numbers of 6 bits, in two bytes, of the 8 that q4_K packs: pairs 0 and 1 are the low bits of `first`,
// 2 and 3 have 4 bits in `second` and 2 above those of `first`.
DEVICE unsigned pair_of_six_bits(unsigned first, unsigned second, unsigned pair)
{
    const unsigned own = first >> pair % 2 * 16, upper = second >> pair % 2 * 16;
    return pair < 2 ? own & 0x3f3fu : (upper & 0x0f0fu) | (own & 0xc0c0u) >> 2;
}

// A table of 16 signed bytes, the first in the lowest of word `a`.
template <unsigned a, unsigned b, unsigned c, unsigned d> struct byte_table {
    // Those of four codes in the low bits of a word: three bits choose within either half, the fourth between them.
    DEVICE unsigned four(unsigned codes)
    {
        const unsigned within = codes & 0x7777u;
        return __byte_perm(__byte_perm(a, b, within), __byte_perm(c, d, within), 0x3210u | (codes & 0x8888u) >> 1);
    }

    // Those of the low halves of four bytes, and of the high ones.
    DEVICE void nibbles(unsigned pairs, unsigned &low, unsigned &high)
    {
        const unsigned first = four(pairs), second = four(pairs >> 16);
        low = __byte_perm(first, second, 0x6420);
        high = __byte_perm(first, second, 0x7531);
    }
};

// What ir/element_decode.h calls element_iq4_value and element_e2m1_value.
typedef byte_table<0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u> iq4_table;
typedef byte_table<0x03020100u, 0x0c080604u, 0xfdfeff00u, 0xf4f8fafcu> e2m1_table;
