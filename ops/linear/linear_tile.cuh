// Many rows: a block computes `tile_rows` rows of `tile_outputs` outputs (of gate and of up where they are gated) with
// the tensor cores, and goes through the columns in steps of `tile_columns`.  Its warps share rows and outputs;
// `stages` steps are in shared memory or on their way there.  `split` blocks share the columns of a tile; their sums
// are added in order by a second kernel.  Blocks side by side take tiles of `raster` groups of rows in turn, so that
// they meet in the second-level cache.
#pragma once
#include "ops/linear/linear_round.cuh"
#include "ops/linear/linear_tile_weights.cuh"

constexpr bool brain = element == element_bf16;
constexpr int warp_rows = tile_rows / row_warps, warp_outputs = tile_outputs / output_warps;
constexpr int row_fragments = warp_rows / 16, output_fragments = warp_outputs / 8;
constexpr int row_copies = tile_rows * row_chunks / tile_threads;
constexpr int rows_bytes = tile_rows * tile_columns * 2, weights_bytes = tracks * tile_outputs * tile_columns * 2;
constexpr int stage_bytes = rows_bytes + weights_bytes;
constexpr int merge_threads = 128;

static_assert(tile_rows % (16 * row_warps) == 0, "warps have whole fragments of rows");
static_assert(tile_outputs % (16 * output_warps) == 0, "warps have whole pairs of fragments of outputs");
static_assert(tile_threads >= 64 && tile_threads <= 512, "2 to 16 warps");
static_assert(tile_rows * row_chunks % tile_threads == 0, "copies are spread evenly");
static_assert(warp_rows * warp_outputs * tracks <= 4096, "sums fit the registers");
static_assert(sm >= 80 || (stages == 2 && !brain), "no asynchronous copies and no bf16 before sm_80");
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

// The rows that a thread copies; those behind the last repeat it.
struct row_source {
    const unsigned char *rows[row_copies];
};

DEVICE row_source row_source_of(const unsigned char *x, int first_row, const struct step *step)
{
    row_source source;
    UNROLL for (int i = 0; i < row_copies; i++) {
        const int row = (i * tile_threads + threadIdx.x) / row_chunks;
        source.rows[i] = x + (long long)minimum(first_row + row, step->rows - 1) * columns * 2;
    }
    return source;
}

DEVICE void copy_rows(const row_source &source, shared_address tile, int first_column)
{
    const int chunk = threadIdx.x % row_chunks, column = first_column + chunk * 8;
    UNROLL for (int i = 0; i < row_copies; i++) {
        const int row = (i * tile_threads + threadIdx.x) / row_chunks;
        const bool wanted = column < columns;
        copy_async_16(tile + tile_offset<row_chunks>(row, chunk), source.rows[i] + (wanted ? column * 2 : 0), wanted);
    }
}

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    const int first_row = warp_index() / output_warps * warp_rows;
    const int first_output = warp_index() % output_warps * warp_outputs;
    UNROLL for (int chunk = 0; chunk < row_chunks; chunk += 2) {
        unsigned left[row_fragments][4];
        UNROLL for (int r = 0; r < row_fragments; r++)
            load_left<row_chunks>(stage, first_row + 16 * r, chunk, left[r]);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int n = 0; n < output_fragments; n += 2) {
                unsigned right[4];
                load_right_pair<row_chunks>(stage + rows_bytes, t * tile_outputs + first_output + 8 * n, chunk, right);
                UNROLL for (int r = 0; r < row_fragments; r++)
                    UNROLL for (int i = 0; i < 2; i++) {
                        float(&to)[4] = sums.values[t][r][n + i];
                        if constexpr (brain) multiply_add_bf16(to, left[r], right[2 * i], right[2 * i + 1]);
                        else multiply_add_f16(to, left[r], right[2 * i], right[2 * i + 1]);
                    }
            }
    }
}

// The steps [first, first + count) of the columns.  Stages are filled `stages - 1` steps ahead, into the one that all
// warps left before the last barrier.
DEVICE void multiply_steps(const row_source &rows, const weight_source &weights, int first, int count, tile_sums &sums)
{
    SHARED_MEMORY(stage_memory);
    const shared_address memory = shared_address_of(stage_memory);
    UNROLL for (int s = 0; s < stages - 1; s++) {
        const int column = (first + s) * tile_columns;
        const shared_address stage = memory + s * stage_bytes;
        if (s < count) {
            copy_rows(rows, stage, column);
            if constexpr (packed) {
                half_blocks halves;
                load_half_blocks(weights, column, halves);
                unpack_half_blocks(halves, stage + rows_bytes);
            } else {
                copy_weights(weights, stage + rows_bytes, column);
            }
        }
        copy_async_commit();
    }
    int filled = stages - 1, used = 0; // the stages to fill and to use next
    NO_UNROLL for (int k = 0; k < count; k++) {
        const bool more = k + stages - 1 < count;
        const int column = (first + k + stages - 1) * tile_columns;
        const shared_address stage = memory + filled * stage_bytes;
        half_blocks halves;
        copy_async_wait<stages - 2>();
        __syncthreads();
        if (more) {
            copy_rows(rows, stage, column);
            if constexpr (packed) load_half_blocks(weights, column, halves);
            else copy_weights(weights, stage + rows_bytes, column);
        }
        copy_async_commit();
        multiply_stage(memory + used * stage_bytes, sums);
        if constexpr (packed)
            if (more) unpack_half_blocks(halves, stage + rows_bytes);
        filled = filled + 1 == stages ? 0 : filled + 1;
        used = used + 1 == stages ? 0 : used + 1;
    }
}

// Sums of a part: [split][rows][tracks][outputs].
DEVICE long long partial_index(int part, int row, int output, const struct step *step)
{
    return ((long long)part * step->rows + row) * tracks * outputs + output;
}

DEVICE void store_sums(const linear_operands &o, const tile_place &place, const tile_sums &sums, const float *scales,
                       float *partial, const struct step *step)
{
    const int lane = lane_index();
    const int first_row = place.first_row + warp_index() / output_warps * warp_rows + lane / 4;
    const int first_output = place.first_output + warp_index() % output_warps * warp_outputs + lane % 4 * 2;
    UNROLL for (int r = 0; r < 2 * row_fragments; r++) {
        const int row = first_row + 8 * r;
        if (row >= step->rows) continue;
        const float scale = brain ? 1.0f : scales[row];
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

KERNEL(round_threads) round_rows(const float *x, unsigned char *rounded, float *scales, const struct step *step)
{
    if (blockIdx.x < step->rows) round_row<columns, brain>(x, rounded, scales);
}

KERNEL(tile_threads)
linear_tile(const unsigned char *x, const float *scales, float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const tile_place place = tile_place_of_block(step);
    if (!place.inside) return;
    constexpr int part_steps = ceil_divide(column_steps, split);
    const int first = place.part * part_steps, count = minimum(part_steps, column_steps - first);
    tile_sums sums = {};
    multiply_steps(row_source_of(x, place.first_row, step), weight_source_of(o, place.first_output), first, count, sums);
    store_sums(o, place, sums, scales, partial, step);
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
