// Many rows: a block computes `tile_rows` rows of `tile_outputs` outputs (of gate and of up where they are gated) with
// the tensor cores, and goes through the columns in steps of `tile_columns`.  Its warps share rows and outputs;
// `stages` steps are in shared memory or on their way there.  A block has one tile, or its part of the columns; with
// `stream` blocks per multiprocessor all blocks share the steps of all tiles (ops/linear/linear_tile_stream.cuh).
//
// What the tiles hold and how they are multiplied is the kernel's own.
#pragma once
#include "codegen/cuda/matrix.cuh"
#include "config.cuh"
constexpr int place_rows = tile_rows; // what blocks share, if they do, are tiles
#include "ops/linear/linear_tile_stream.cuh"

constexpr int tile_threads = row_warps * output_warps * warp_lanes;
constexpr int warp_rows = tile_rows / row_warps, warp_outputs = tile_outputs / output_warps;
constexpr int row_fragments = warp_rows / 16, output_fragments = warp_outputs / 8;

static_assert(tile_rows % (16 * row_warps) == 0, "warps have whole fragments of rows");
static_assert(tile_outputs % (16 * output_warps) == 0, "warps have whole pairs of fragments of outputs");
static_assert(tile_threads >= 64 && tile_threads <= 512, "2 to 16 warps");
static_assert(warp_rows * warp_outputs * tracks <= 4096, "sums fit the registers");
static_assert(tile_threads * (warp_rows * warp_outputs * tracks / warp_lanes + 48) <= registers_most,
              "a block has registers enough");
static_assert(tile_rows < 2 * problem_rows || tile_rows == 16, "most of the tile is not empty");
static_assert(tile_outputs < 2 * outputs || tile_outputs == 32, "most of the tile is not empty");
static_assert(stream == 0 || (long long)blocks * column_steps >= 2 * stream_blocks, "blocks have some steps");
static_assert(raster == 1 || raster * tile_rows < problem_rows * 2, "there are that many rows");

typedef fragment_sums<row_fragments, output_fragments> tile_sums;

// A tile, or some of its steps.
struct tile_place {
    int first_row, first_output, first_step, steps;
};

DEVICE output_range outputs_of_tile(int output_tile)
{
    return output_range{output_tile * tile_outputs, outputs};
}

// Where a warp works within the tile.
DEVICE int warp_first_row()
{
    return warp_index() / output_warps * warp_rows;
}

DEVICE int warp_first_output()
{
    return warp_index() % output_warps * warp_outputs;
}

DEVICE void multiply_stage(shared_address stage, tile_sums &sums);

// The steps of a place.  Stages are filled `stages - 1` steps ahead, into the one that all warps left
// before the last barrier: `copies.begin` sets out what can be copied and reads the rest into `copies.held`, which
// `copies.end` puts down when the products of the step are under way.
template <int stage_bytes, class Copies>
DEVICE void multiply_steps(const Copies &copies, const tile_place &place, tile_sums &sums)
{
    SHARED_MEMORY(stage_memory);
    static_assert(stages * stage_bytes <= shared_bytes_most(sm), "the stages fit the shared memory");
    const shared_address memory = shared_address_of(stage_memory);
    const int first = place.first_step, count = place.steps;
    typename Copies::held held;
    NO_UNROLL for (int s = 0; s < stages - 1; s++) {
        if (s < count) {
            copies.begin(memory + s * stage_bytes, (first + s) * tile_columns, held);
            copies.end(memory + s * stage_bytes, held);
        }
        copy_async_commit();
    }
    int filled = stages - 1, used = 0; // the stages to fill and to use next
    NO_UNROLL for (int k = 0; k < count; k++) {
        const bool more = k + stages - 1 < count;
        const shared_address stage = memory + filled * stage_bytes;
        copy_async_wait<stages - 2>();
        __syncthreads();
        if (more) copies.begin(stage, (first + k + stages - 1) * tile_columns, held);
        copy_async_commit();
        multiply_stage(memory + used * stage_bytes, sums);
        if (more) copies.end(stage, held);
        filled = filled + 1 == stages ? 0 : filled + 1;
        used = used + 1 == stages ? 0 : used + 1;
    }
}

DEVICE void store_tile(const linear_operands &o, const tile_place &place, const partial_place &partial,
                       const tile_sums &sums, const float *scales, const struct step *step)
{
    const sums_place warp_place = {place.first_row + warp_first_row(), place.first_output + warp_first_output(), outputs,
                                   partial};
    store_sums<16>(o, warp_place, sums, scales, step);
}

DEVICE tile_place tile_place_of(const tile_turn &turn, int first_step, int steps)
{
    return tile_place{turn.row_tile * tile_rows, turn.output_tile * tile_outputs, first_step, steps};
}

// What one block does; `copies_of` makes the copies of a place.
template <int stage_bytes, class CopiesOf>
DEVICE void compute_block(const linear_operands &o, const CopiesOf &copies_of, const float *scales, float *partial,
                          const struct step *step)
{
    const int row_tiles = ceil_divide(step->rows, tile_rows);
    stream_walk walk(blockIdx.x, row_tiles * output_tiles);
    tile_piece piece = part_piece(blockIdx.x);
    if (stream > 0 && !walk.next(piece)) return;
    do {
        const tile_turn turn = tile_turn_of(piece.tile, row_tiles);
        if (!turn.inside) return;
        const tile_place place = tile_place_of(turn, piece.first_step, piece.steps);
        tile_sums sums = {};
        multiply_steps<stage_bytes>(copies_of(place), place, sums);
        store_tile(o, place, partial_place_of(partial, blockIdx.x, piece, turn, step), sums, scales, step);
        if constexpr (stream > 0) __syncthreads(); // all warps have left the last stages
    } while (stream > 0 && walk.next(piece));
}
