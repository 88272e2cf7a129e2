// Which tile a block takes, and what happens to its sums: stored as outputs, or, where `split` blocks share the columns of
// a tile, kept apart and added in order by a second kernel.
//
// The space names `tile_outputs`, `output_tiles`, `split` and `raster`: that many tiles of rows take turns, so that
// blocks side by side meet in the second-level cache.
#pragma once
#include "codegen/cuda/limits.cuh"
#include "codegen/cuda/warp.cuh"
#include "ops/linear/linear_outputs.cuh"

constexpr int merge_threads = 128;
constexpr int stored_together = outputs_pair ? 2 : 1;

static_assert(split >= 1 && raster >= 1 && output_tiles >= 1, "there are tiles");
static_assert(split == 1 || column_steps >= 2 * split, "parts are some steps at least");

// Fragments of 16 rows by 8 outputs, as the tensor cores leave them to lanes (codegen/cuda/matrix.cuh).
template <int row_fragments, int output_fragments> struct fragment_sums {
    float values[row_fragments][tracks][output_fragments][4];
};

struct tile_turn {
    int row_tile, output_tile;
    bool inside; // the step has the tile
};

DEVICE tile_turn tile_turn_of(int tile, int row_tiles)
{
    const int group = tile / (raster * output_tiles), within = tile % (raster * output_tiles);
    const int group_tiles = minimum(raster, row_tiles - group * raster);
    if (group_tiles <= 0 || within >= group_tiles * output_tiles) return tile_turn{0, 0, false};
    return tile_turn{group * raster + within % group_tiles, within / group_tiles, true};
}

// Unfinished sums lie in memory from their first row and output on; null: sums are finished.
struct partial_place {
    float *sums;
    long long row_stride;
    int track_stride, first_row, first_output;
};

// Of a part of the columns: [split][rows][tracks][outputs].
DEVICE partial_place partial_place_of_part(float *partial, int part, const struct step *step)
{
    float *sums = split == 1 ? nullptr : partial + (long long)part * step->rows * tracks * outputs;
    return partial_place{sums, tracks * outputs, outputs, 0, 0};
}

// Where a warp's sums belong: its fragments of rows begin `distance` rows apart; outputs from `end_output` on are none.
struct sums_place {
    int first_row, first_output, end_output;
    partial_place partial;
};

// `scales` [rows], of what the rows were divided by; null where they were not.
template <int distance, int row_fragments, int output_fragments>
DEVICE void store_sums(const linear_operands &o, const sums_place &place,
                       const fragment_sums<row_fragments, output_fragments> &sums, const float *scales,
                       const struct step *step)
{
    const int lane = lane_index();
    const partial_place &unfinished = place.partial;
    UNROLL for (int r = 0; r < 2 * row_fragments; r++) {
        const int row = place.first_row + r / 2 * distance + r % 2 * 8 + lane / 4;
        if (row >= step->rows) continue;
        const float scale = scales ? scales[row] : 1.0f;
        UNROLL for (int n = 0; n < 2 * output_fragments; n += stored_together) {
            const int output = place.first_output + lane % 4 * 2 + n / 2 * 8 + n % 2;
            if (output >= place.end_output) continue;
            float finished[tracks][stored_together];
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int i = 0; i < stored_together; i++)
                    finished[t][i] = sums.values[r / 2][t][n / 2][r % 2 * 2 + n % 2 + i] * scale;
            if (!unfinished.sums) {
                linear_store(o, output, row, finished);
            } else {
                float *to = unfinished.sums + (row - unfinished.first_row) * unfinished.row_stride + output -
                            unfinished.first_output;
                UNROLL for (int t = 0; t < tracks; t++) store_floats(to + t * unfinished.track_stride, finished[t]);
            }
        }
    }
}

KERNEL(merge_threads) linear_merge(const float *partial, LINEAR_PARAMETERS)
{
    if constexpr (split == 1) return;
    const linear_operands o = LINEAR_OPERANDS;
    constexpr int row_parts = ceil_divide(outputs, merge_threads);
    const int row = blockIdx.x / row_parts, output = blockIdx.x % row_parts * merge_threads + threadIdx.x;
    if (row >= step->rows || output >= outputs) return;
    float sums[tracks] = {};
    UNROLL for (int part = 0; part < split; part++)
        UNROLL for (int t = 0; t < tracks; t++)
            sums[t] += partial[(((long long)part * step->rows + row) * tracks + t) * outputs + output];
    linear_store(o, output, row, sums);
}
