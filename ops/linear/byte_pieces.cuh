// Pieces of a weight's blocks as words of bytes, and the words of activations rounded to bytes (linear_quantize.cuh)
// that meet them.  The includer names `element` and `columns`.
#pragma once
#include "codegen/cuda/block_pieces.cuh"

static_assert(element_is_block(element), "weights are blocks");

typedef block_pieces<element> pieces;
typedef pieces::piece weight_piece;

constexpr unsigned block_pieces_count = element_width(element) / pieces::elements;
constexpr int row_pieces = columns / pieces::elements;
constexpr int scale_elements = 32; // of activations

// As it lies in memory.
struct raw_piece {
    pieces::raw words;
};

DEVICE raw_piece read_piece(const unsigned char *row, unsigned piece)
{
    raw_piece result;
    pieces::read(row + piece / block_pieces_count * element_bytes(element), piece % block_pieces_count, result.words);
    return result;
}

template <int tracks, int outputs>
DEVICE void unpack_pieces(const raw_piece (&from)[tracks][outputs], unsigned piece, weight_piece (&to)[tracks][outputs])
{
    UNROLL for (int t = 0; t < tracks; t++)
        UNROLL for (int i = 0; i < outputs; i++)
            pieces::unpack(from[t][i].words, piece % block_pieces_count, to[t][i]);
}

// Activations as bytes: `columns` to a row.
struct byte_rows {
    const int *bytes;
    const float *scales;
};

// The activations that meet a piece; `sums` of the bytes that meet each scale, for minima, or of what the offset takes
// away.
struct input_piece {
    int words[pieces::scales][pieces::runs][pieces::run_words], sums[pieces::scales];
    float scales[pieces::scales];
};

DEVICE void load_run(const int *from, int (&words)[pieces::run_words])
{
    if constexpr (pieces::run_words == 4) {
        const int4 four = *(const int4 *)from;
        words[0] = four.x, words[1] = four.y, words[2] = four.z, words[3] = four.w;
    } else if constexpr (pieces::run_words == 2) {
        const int2 pair = *(const int2 *)from;
        words[0] = pair.x, words[1] = pair.y;
    } else {
        words[0] = *from;
    }
}

DEVICE input_piece load_inputs(const byte_rows &x, long long row, unsigned piece)
{
    constexpr int factor = pieces::minima ? 1 : -pieces::offset, factors = (factor & 255) * 0x01010101;
    const unsigned within = piece % block_pieces_count, first = piece / block_pieces_count * (element_width(element) / 4);
    const int *bytes = x.bytes + row * (columns / 4);
    const float *scales = x.scales + row * (columns / scale_elements);
    input_piece result;
    UNROLL for (int s = 0; s < pieces::scales; s++) {
        result.sums[s] = 0;
        result.scales[s] = scales[(first + pieces::place(within, s, 0)) / (scale_elements / 4)];
        UNROLL for (int r = 0; r < pieces::runs; r++) {
            load_run(bytes + first + pieces::place(within, s, r), result.words[s][r]);
            UNROLL for (int w = 0; w < pieces::run_words && factor; w++)
                result.sums[s] = dot_bytes(result.words[s][r][w], factors, result.sums[s]);
        }
    }
    return result;
}

DEVICE void add_products(float &to, const weight_piece &weight, const input_piece &x)
{
    UNROLL for (int s = 0; s < pieces::scales; s++) {
        int sum = pieces::minima ? 0 : x.sums[s];
        UNROLL for (int r = 0; r < pieces::runs; r++)
            UNROLL for (int w = 0; w < pieces::run_words; w++)
                sum = dot_bytes(weight.words[s][r][w], x.words[s][r][w], sum);
        float part = weight.scales[s] * (float)sum;
        if constexpr (pieces::minima) part += weight.minima[s] * (float)x.sums[s];
        to += x.scales[s] * part;
    }
}
