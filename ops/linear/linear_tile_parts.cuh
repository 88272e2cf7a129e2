// Many rows: a block computes `tile_rows` rows of `tile_outputs` outputs (of gate and of up where they are gated) with
// the tensor cores, and goes through the columns in steps of `tile_columns`.  Its warps share rows and outputs;
// `stages` steps are in shared memory or on their way there.  `split` blocks share the columns of a tile; their sums
// are added in order by a second kernel.  Blocks side by side take tiles of `raster` groups of rows in turn, so that
// they meet in the second-level cache.
//
// What the tiles hold and how they are multiplied is the kernel's own.
#pragma once
#include "codegen/cuda/matrix.cuh"
#include "codegen/cuda/warp.cuh"
#include "ops/linear/linear_outputs.cuh"

constexpr int tile_threads = row_warps * output_warps * warp_lanes;
constexpr int warp_rows = tile_rows / row_warps, warp_outputs = tile_outputs / output_warps;
constexpr int row_fragments = warp_rows / 16, output_fragments = warp_outputs / 8;
constexpr int merge_threads = 128;

static_assert(tile_rows % (16 * row_warps) == 0, "warps have whole fragments of rows");
static_assert(tile_outputs % (16 * output_warps) == 0, "warps have whole pairs of fragments of outputs");
static_assert(tile_threads >= 64 && tile_threads <= 512, "2 to 16 warps");
static_assert(warp_rows * warp_outputs * tracks <= 4096, "sums fit the registers");
static_assert(split == 1 || column_steps >= 2 * split, "parts are some steps at least");

struct tile_sums {
    float values[tracks][row_fragments][output_fragments][4];
};

struct tile_place {
    int first_row, first_output, part;
    bool inside; // the step has the tile
};

DEVICE tile_place tile_place_of_block(const struct step *step)
{
    const int row_tiles = ceil_divide(step->rows, tile_rows);
    const int tile = blockIdx.x / split, group = tile / (raster * output_tiles), within = tile % (raster * output_tiles);
    const int group_tiles = minimum(raster, row_tiles - group * raster);
    if (group_tiles <= 0 || within >= group_tiles * output_tiles) return tile_place{0, 0, 0, false};
    return tile_place{(group * raster + within % group_tiles) * tile_rows, within / group_tiles * tile_outputs,
                      (int)blockIdx.x % split, true};
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

// The steps of one part of the columns.  Stages are filled `stages - 1` steps ahead, into the one that all warps left
// before the last barrier: `copies.begin` sets out what can be copied and reads the rest into `copies.held`, which
// `copies.end` puts down when the products of the step are under way.
template <int stage_bytes, class Copies> DEVICE void multiply_steps(const Copies &copies, int part, tile_sums &sums)
{
    SHARED_MEMORY(stage_memory);
    constexpr int part_steps = ceil_divide(column_steps, split);
    const shared_address memory = shared_address_of(stage_memory);
    const int first = part * part_steps, count = minimum(part_steps, column_steps - first);
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

// Sums of a part: [split][rows][tracks][outputs].
DEVICE long long partial_index(int part, int row, int output, const struct step *step)
{
    return ((long long)part * step->rows + row) * tracks * outputs + output;
}

// `scales` [rows], of what the rows were divided by; null where they were not.
DEVICE void store_sums(const linear_operands &o, const tile_place &place, const tile_sums &sums, const float *scales,
                       float *partial, const struct step *step)
{
    const int lane = lane_index();
    const int first_row = place.first_row + warp_first_row() + lane / 4;
    const int first_output = place.first_output + warp_first_output() + lane % 4 * 2;
    UNROLL for (int r = 0; r < 2 * row_fragments; r++) {
        const int row = first_row + 8 * r;
        if (row >= step->rows) continue;
        const float scale = scales ? scales[row] : 1.0f;
        UNROLL for (int n = 0; n < 2 * output_fragments; n++) {
            const int output = first_output + n / 2 * 8 + n % 2;
            if (output >= outputs) continue;
            float finished[tracks];
            UNROLL for (int t = 0; t < tracks; t++)
                finished[t] = sums.values[t][r / 2][n / 2][r % 2 * 2 + n % 2] * scale;
            if constexpr (split == 1) {
                linear_store(o, output, row, finished);
            } else {
                UNROLL for (int t = 0; t < tracks; t++)
                    partial[partial_index(place.part, row, output, step) + t * outputs] = finished[t];
            }
        }
    }
}

KERNEL(merge_threads) linear_merge(const float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    constexpr int row_parts = ceil_divide(outputs, merge_threads);
    const int row = blockIdx.x / row_parts, output = blockIdx.x % row_parts * merge_threads + threadIdx.x;
    if (row >= step->rows || output >= outputs) return;
    float sums[tracks] = {};
    UNROLL for (int part = 0; part < split; part++)
        UNROLL for (int t = 0; t < tracks; t++)
            sums[t] += partial[partial_index(part, row, output, step) + t * outputs];
    linear_store(o, output, row, sums);
}
