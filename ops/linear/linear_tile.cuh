// Tiles of 16-bit numbers: activations are rounded by a first kernel, weights are copied or unpacked.
#pragma once
#include "ops/linear/linear_round.cuh"
#include "ops/linear/linear_tile_weights.cuh"

constexpr bool brain = element == element_bf16 || blocks_as_brain;
constexpr int row_copies = tile_rows * row_chunks / tile_threads;
constexpr int rows_bytes = tile_rows * tile_columns * 2, weights_bytes = tracks * tile_outputs * tile_columns * 2;

static_assert(tile_rows * row_chunks % tile_threads == 0, "copies are spread evenly");
static_assert(!half_sums || !brain, "the tensor cores have no sums of bf16");
static_assert(!half_sums || tile_threads * (warp_rows * warp_outputs * tracks * 3 / 64 + 48) <= registers_most,
              "a block has registers enough");
static_assert(sm >= 80 || (stages == 2 && !brain), "no asynchronous copies and no bf16 before sm_80");

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

// Sums of one step in f16, where `half_sums` says so: pairs of neighbouring outputs.
struct step_sums {
    unsigned pairs[row_fragments][tracks][output_fragments][2];
};

DEVICE void add_step(const step_sums &step, tile_sums &sums)
{
    UNROLL for (int r = 0; r < row_fragments; r++)
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int n = 0; n < output_fragments; n++)
                UNROLL for (int i = 0; i < 2; i++) {
                    sums.values[r][t][n][2 * i] += to_float(low_half(step.pairs[r][t][n][i]));
                    sums.values[r][t][n][2 * i + 1] += to_float(high_half(step.pairs[r][t][n][i]));
                }
}

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    step_sums halves = {};
    const int first_row = warp_first_row(), first_output = warp_first_output();
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
                        float(&to)[4] = sums.values[r][t][n + i];
                        if constexpr (half_sums)
                            multiply_add_half(halves.pairs[r][t][n + i], left[r], right[2 * i], right[2 * i + 1]);
                        else if constexpr (brain) multiply_add_bf16(to, left[r], right[2 * i], right[2 * i + 1]);
                        else multiply_add_f16(to, left[r], right[2 * i], right[2 * i + 1]);
                    }
            }
    }
    if constexpr (half_sums) add_step(halves, sums);
}

struct tile_copies {
    row_source rows;
    weight_source weights;
    struct held {
        half_blocks halves;
        held_pieces pieces;
    };

    __device__ __forceinline__ void begin(shared_address stage, int column, held &held) const
    {
        copy_rows(rows, stage, column);
        if constexpr (in_pieces) read_pieces(weights.rows, column, held.pieces);
        else if constexpr (packed) load_half_blocks(weights, column, held.halves);
        else copy_weights(weights, stage + rows_bytes, column);
    }
    __device__ __forceinline__ void end(shared_address stage, const held &held) const
    {
        if constexpr (in_pieces) unpack_pieces(held.pieces, stage + rows_bytes);
        else if constexpr (packed) unpack_half_blocks(held.halves, stage + rows_bytes);
    }
};
