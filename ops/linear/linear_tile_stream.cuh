// Stream-K: a fixed number of blocks (or clusters) shares the steps of all tiles evenly, so that no multiprocessor waits for
// the last round of tiles.  As long as more than two rounds are left, each block takes one whole tile per round, so that
// blocks side by side meet in the second-level cache.  The steps of the rest are numbered tile by tile, and a block takes
// neighbouring ones: the end of a tile, maybe a whole one, the beginning of one.  Sums of a tile that several blocks have
// had are added by a second kernel, in the order of the steps: the same in every run.
//
// The space names `stream` (0: each block has its tile, or its part of one) and `stream_blocks`, all that share; it or the
// kernel `place_rows`, the rows of a tile, or of a cluster's tiles.
#pragma once
#include "ops/linear/linear_tile_sums.cuh"

constexpr int stream_merge_threads = 256;
constexpr int place_area = tracks * place_rows * tile_outputs;

static_assert(stream == 0 || (split == 1 && stream_blocks > 0), "blocks share steps in one of two ways");

// Some steps of a tile.
struct tile_piece {
    int tile, first_step, steps;
};

// The outputs of a tile: its kernel knows.
struct output_range {
    int first, end;
};
DEVICE output_range outputs_of_tile(int output_tile);

// How the tiles are shared: the first ones are taken whole.
struct stream_plan {
    int whole;
    long long shared_steps;

    __device__ __forceinline__ explicit stream_plan(int tiles)
    {
        const int rounds = tiles / maximum(stream_blocks, 1);
        whole = (tiles % maximum(stream_blocks, 1) ? maximum(rounds - 1, 0) : rounds) * stream_blocks;
        shared_steps = (long long)(tiles - whole) * column_steps;
    }

    __device__ __forceinline__ long long begin_of(int block) const
    {
        return shared_steps * block / maximum(stream_blocks, 1);
    }

    // The block that has a shared step: the last one that begins at it or before.
    __device__ __forceinline__ int block_of(long long step) const
    {
        return (int)(((step + 1) * stream_blocks - 1) / shared_steps);
    }
};

// The pieces of one block, in turn.
struct stream_walk {
    int next_tile, whole;
    long long at, end;

    __device__ __forceinline__ stream_walk(int block, int tiles)
    {
        const stream_plan plan(tiles);
        next_tile = block;
        whole = plan.whole;
        at = plan.begin_of(block);
        end = plan.begin_of(block + 1);
    }

    __device__ __forceinline__ bool next(tile_piece &piece)
    {
        if (next_tile < whole) {
            piece = tile_piece{next_tile, 0, column_steps};
            next_tile += stream_blocks;
            return true;
        }
        if (at >= end) return false;
        const int first = (int)(at % column_steps);
        piece = tile_piece{whole + (int)(at / column_steps), first, (int)minimum((long long)(column_steps - first), end - at)};
        at += piece.steps;
        return true;
    }
};

// What block `block` has where blocks do not share steps: a part of the columns, which may be none.
DEVICE tile_piece part_piece(int block)
{
    constexpr int part_steps = ceil_divide(column_steps, split);
    const int first = block % split * part_steps;
    return tile_piece{block / split, first, minimum(part_steps, column_steps - first)};
}

// Unfinished sums: [stream_blocks][2][place_rows][tracks][tile_outputs], of the tile that a block goes on with first and of
// that which it begins last.
DEVICE float *stream_sums(float *partial, int block, bool begins)
{
    return partial + ((long long)block * 2 + begins) * place_area;
}

// Where the sums of a piece go.
DEVICE partial_place partial_place_of(float *partial, int block, const tile_piece &piece, const tile_turn &turn,
                                      const struct step *step)
{
    if constexpr (stream == 0) return partial_place_of_part(partial, block % split, step);
    float *sums = piece.steps == column_steps ? nullptr : stream_sums(partial, block, piece.first_step == 0);
    return partial_place{sums, tracks * tile_outputs, tile_outputs, turn.row_tile * place_rows,
                         outputs_of_tile(turn.output_tile).first};
}

// One sum of a tile, `at` in its area, of the steps of these blocks.
DEVICE float stream_total(float *partial, const stream_plan &plan, int first_block, int last_block, int at)
{
    float total = stream_sums(partial, first_block, true)[at];
    NO_UNROLL for (int block = first_block + 1; block <= last_block; block++)
        if (plan.begin_of(block) < plan.begin_of(block + 1)) total += stream_sums(partial, block, false)[at];
    return total;
}

// One block per tile.
KERNEL(stream_merge_threads) linear_stream_merge(float *partial, LINEAR_PARAMETERS)
{
    if constexpr (stream == 0) return;
    const linear_operands o = LINEAR_OPERANDS;
    const int row_tiles = ceil_divide(step->rows, place_rows);
    const tile_turn turn = tile_turn_of(blockIdx.x, row_tiles);
    const stream_plan plan(row_tiles * output_tiles);
    if (!turn.inside || blockIdx.x < plan.whole) return;
    const long long first_step = (long long)(blockIdx.x - plan.whole) * column_steps;
    const int first_block = plan.block_of(first_step), last_block = plan.block_of(first_step + column_steps - 1);
    if (first_block == last_block) return; // it had the whole tile
    const output_range range = outputs_of_tile(turn.output_tile);
    for (int i = threadIdx.x; i < place_rows * tile_outputs; i += stream_merge_threads) {
        const int row = turn.row_tile * place_rows + i / tile_outputs, output = range.first + i % tile_outputs;
        if (row >= step->rows || output >= range.end) continue;
        float sums[tracks];
        UNROLL for (int t = 0; t < tracks; t++)
            sums[t] = stream_total(partial, plan, first_block, last_block,
                                   (i / tile_outputs * tracks + t) * tile_outputs + i % tile_outputs);
        linear_store(o, output, row, sums);
    }
}
