// Stream-K: a fixed number of blocks shares the steps of all tiles evenly, so that no multiprocessor waits for the last
// round of tiles.  Steps are numbered tile by tile; a block takes neighbouring ones: the end of a tile, whole tiles, the
// beginning of one.  Sums of a tile that several blocks have had are added by a second kernel, in the order of the steps:
// the same in every run.
//
// The space names `stream` (blocks per multiprocessor; 0: each block has its tile) and `stream_blocks`, all of them.
#pragma once
#include "ops/linear/linear_tile_sums.cuh"

constexpr int stream_merge_threads = 256;
constexpr int tile_area = tracks * tile_rows * tile_outputs;

static_assert(stream == 0 || (split == 1 && stream_blocks >= stream), "blocks share steps in one of two ways");
static_assert(stream == 0 || (long long)blocks * column_steps >= 2 * stream_blocks, "blocks have some steps");

struct stream_range {
    long long begin, end;
};

DEVICE long long stream_begin(int block, int row_tiles)
{
    return (long long)row_tiles * output_tiles * column_steps * block / maximum(stream_blocks, 1);
}

DEVICE stream_range stream_range_of(int block, int row_tiles)
{
    return stream_range{stream_begin(block, row_tiles), stream_begin(block + 1, row_tiles)};
}

// The block that has a step: the last one that begins at it or before.
DEVICE int stream_block_of(long long unit, int row_tiles)
{
    return (int)(((unit + 1) * stream_blocks - 1) / ((long long)row_tiles * output_tiles * column_steps));
}

// Unfinished sums: [stream_blocks][2][tile_rows][tracks][tile_outputs], of the tile that a block goes on with first and of
// that which it begins last.
DEVICE float *stream_sums(float *partial, int block, bool begins)
{
    return partial + ((long long)block * 2 + begins) * tile_area;
}

DEVICE partial_place stream_partial_place(float *partial, int first_row, int first_output, int first_step, int steps)
{
    float *sums = steps == column_steps ? nullptr : stream_sums(partial, blockIdx.x, first_step == 0);
    return partial_place{sums, tracks * tile_outputs, tile_outputs, first_row, first_output};
}

// One sum of a tile, `at` in its area, of the steps of these blocks.
DEVICE float stream_total(float *partial, int first_block, int last_block, int row_tiles, int at)
{
    float total = stream_sums(partial, first_block, true)[at];
    NO_UNROLL for (int block = first_block + 1; block <= last_block; block++) {
        const stream_range range = stream_range_of(block, row_tiles);
        if (range.begin < range.end) total += stream_sums(partial, block, false)[at];
    }
    return total;
}

// One block per tile.
KERNEL(stream_merge_threads) linear_stream_merge(float *partial, LINEAR_PARAMETERS)
{
    if constexpr (stream == 0) return;
    const linear_operands o = LINEAR_OPERANDS;
    const int row_tiles = ceil_divide(step->rows, tile_rows);
    const tile_turn turn = tile_turn_of(blockIdx.x, row_tiles);
    if (!turn.inside) return;
    const long long first_unit = (long long)blockIdx.x * column_steps;
    const int first_block = stream_block_of(first_unit, row_tiles);
    const int last_block = stream_block_of(first_unit + column_steps - 1, row_tiles);
    if (first_block == last_block) return; // it had the whole tile
    for (int i = threadIdx.x; i < tile_rows * tile_outputs; i += stream_merge_threads) {
        const int row = turn.row_tile * tile_rows + i / tile_outputs;
        const int output = turn.output_tile * tile_outputs + i % tile_outputs;
        if (row >= step->rows || output >= outputs) continue;
        float sums[tracks];
        UNROLL for (int t = 0; t < tracks; t++)
            sums[t] = stream_total(partial, first_block, last_block, row_tiles,
                                   (i / tile_outputs * tracks + t) * tile_outputs + i % tile_outputs);
        linear_store(o, output, row, sums);
    }
}
