// Pieces of blocks (codegen/cuda/block_pieces.cuh) on their way into a stage of a tile.  The includer names `in_pieces`,
// whether weights are taken so, `pieces`, `row_pieces`, those of a step in a row of weights, and `weight_copies`, those that a thread takes, of as many rows.
#pragma once
#include "codegen/cuda/block_pieces.cuh"

static_assert(!in_pieces || tile_columns % pieces::reach == 0, "pieces of a step fill it");

struct held_pieces {
    unsigned index; // within the block
    int first_word; // of the block, in the step
    bool inside;    // there are such columns
    pieces::raw words[weight_copies];
};

DEVICE void read_pieces(const unsigned char *const (&rows)[weight_copies], int first_column, held_pieces &held)
{
    constexpr int width = element_width(element), count = width / pieces::elements;
    const unsigned piece = first_column / pieces::elements + threadIdx.x % row_pieces;
    const unsigned block = piece / count;
    held.index = piece % count;
    held.first_word = (int)(block * width - first_column) / 4;
    held.inside = piece < columns / pieces::elements;
    UNROLL for (int i = 0; i < weight_copies; i++)
        pieces::read(rows[i] + (held.inside ? block : 0) * element_bytes(element), held.index, held.words[i]);
}

// Unpacks all and calls put(piece, s, r, row, word) for each run: the row of weights, and the word in the step that the
// run begins with.  Scales and minima are 0 where there are no columns.
template <int weight_rows, class Put> DEVICE void put_pieces(const held_pieces &held, const Put &put)
{
    UNROLL for (int i = 0; i < weight_copies; i++) {
        const int row = (i * tile_threads + threadIdx.x) / row_pieces;
        if (weight_rows * row_pieces % tile_threads && row >= weight_rows) continue;
        pieces::piece piece;
        pieces::unpack(held.words[i], held.index, piece);
        UNROLL for (int s = 0; s < pieces::scales; s++) {
            if (!held.inside) piece.scales[s] = piece.minima[s] = 0;
            UNROLL for (int r = 0; r < pieces::runs; r++)
                put(piece, s, r, row, held.first_word + (int)pieces::place(held.index, s, r));
        }
    }
}
