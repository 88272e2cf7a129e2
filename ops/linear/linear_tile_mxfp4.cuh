// Many rows, weights of mxfp4, whose scales the tensor cores apply.  The includer says whether activations are e2m1 as
// well and both are multiplied packed (`packed_products`), or e4m3 and weights are laid out a byte each.
//
// A step is four blocks: 68 bytes of weights that begin at a multiple of 4, as rows are whole steps.  A thread takes a
// block: its scale is byte p of word 4 p, for block p, and its numbers are the 16 bytes behind that.
#pragma once
#include "codegen/cuda/narrow.cuh"
#include "ops/linear/linear_tile_parts.cuh"

constexpr int step_blocks = tile_columns / 32, step_bytes = step_blocks * 17;
constexpr int row_chunks = packed_products ? 4 : 8, stage_row_bytes = row_chunks * 16;
constexpr int products = row_chunks / 2; // instructions per step: two chunks of both sides each
constexpr int weight_tile_rows = tracks * tile_outputs;
constexpr int row_copies = ceil_divide(tile_rows * row_chunks, tile_threads);
constexpr int scale_copies = ceil_divide(tile_rows, tile_threads);
constexpr int weight_copies = ceil_divide(weight_tile_rows * step_blocks, tile_threads);
constexpr int row_scales_at = tile_rows * stage_row_bytes, weights_at = row_scales_at + tile_rows * 4;
constexpr int weight_scales_at = weights_at + weight_tile_rows * stage_row_bytes;
constexpr int stage_bytes = weight_scales_at + weight_tile_rows * 4;

static_assert(element == element_mxfp4 && sm >= 120, "blocks that the card multiplies");
static_assert(tile_columns == 128 && columns % tile_columns == 0, "rows are whole steps");
static_assert(step_blocks == 4, "a word has the scales of a step");

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    const int lane = lane_index(), first_row = warp_first_row(), first_output = warp_first_output();
    unsigned left[row_fragments][products][4], left_scales[row_fragments];
    UNROLL for (int r = 0; r < row_fragments; r++) {
        const int row = first_row + 16 * r + lane / 4 + lane % 2 * 8;
        left_scales[r] = load_shared_4(stage + row_scales_at + row * 4);
        UNROLL for (int p = 0; p < products; p++)
            load_left<row_chunks>(stage, first_row + 16 * r, 2 * p, left[r][p]);
    }
    UNROLL for (int t = 0; t < tracks; t++)
        UNROLL for (int n = 0; n < output_fragments; n += 2) {
            const int output = t * tile_outputs + first_output + 8 * n;
            unsigned right_scales[2];
            UNROLL for (int i = 0; i < 2; i++)
                right_scales[i] = load_shared_4(stage + weight_scales_at + (output + 8 * i + lane / 4) * 4);
            UNROLL for (int p = 0; p < products; p++) {
                unsigned right[4];
                load_right_pair<row_chunks>(stage + weights_at, output, 2 * p, right);
                UNROLL for (int r = 0; r < row_fragments; r++)
                    UNROLL for (int i = 0; i < 2; i++) {
                        float(&to)[4] = sums.values[r][t][n + i];
                        const unsigned low = right[2 * i], high = right[2 * i + 1];
                        if constexpr (packed_products)
                            multiply_add_mxf4(to, left[r][p], low, high, left_scales[r], right_scales[i], 2 * p);
                        else
                            multiply_add_mxf8<narrow::e2m1>(to, left[r][p], low, high, left_scales[r], right_scales[i], p);
                    }
            }
        }
}

// What a thread copies; rows and outputs behind the last repeat it.
struct tile_copies {
    const unsigned char *rows[row_copies], *scales[scale_copies], *weights[weight_copies];
    struct held {
        unsigned words[weight_copies][5];
    };

    __device__ __forceinline__ tile_copies(const unsigned char *x, const unsigned char *x_scales,
                                           const linear_operands &o, const tile_place &place, const struct step *step)
    {
        const int last_row = step->rows - 1;
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            rows[i] = x + (long long)minimum(place.first_row + row, last_row) * column_steps * stage_row_bytes;
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int row = i * tile_threads + threadIdx.x;
            scales[i] = x_scales + (long long)minimum(place.first_row + row, last_row) * column_steps * step_blocks;
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = minimum((i * tile_threads + (int)threadIdx.x) / step_blocks, weight_tile_rows - 1);
            const int output = minimum(place.first_output + row % tile_outputs, outputs - 1);
            weights[i] = linear_weight_row(o, row / tile_outputs, output) + threadIdx.x % step_blocks * 16;
        }
    }

    __device__ __forceinline__ void begin(shared_address stage, int first_column, held &held) const
    {
        const int at = first_column / tile_columns, chunk = threadIdx.x % row_chunks;
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            if (tile_rows * row_chunks % tile_threads && row >= tile_rows) continue;
            copy_async_16(stage + tile_offset<row_chunks>(row, chunk), rows[i] + at * stage_row_bytes + chunk * 16, true);
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int row = i * tile_threads + threadIdx.x;
            if (row < tile_rows) copy_async_4(stage + row_scales_at + row * 4, scales[i] + at * step_blocks, true);
        }
        UNROLL for (int i = 0; i < weight_copies; i++)
            UNROLL for (int w = 0; w < 5; w++)
                held.words[i][w] = *(const unsigned *)(weights[i] + at * step_bytes + 4 * w);
    }

    __device__ __forceinline__ void end(shared_address stage, const held &held) const
    {
        const int block = threadIdx.x % step_blocks;
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / step_blocks;
            if (weight_tile_rows * step_blocks % tile_threads && row >= weight_tile_rows) continue; // of a whole warp
            const shared_address tile = stage + weights_at;
            unsigned words[4], scales = held.words[i][0] & 0xffu << 8 * block;
            UNROLL for (int w = 0; w < 4; w++)
                words[w] = __byte_perm(held.words[i][w], held.words[i][w + 1], 0x3210u + 0x1111u * (block + 1));
            if constexpr (packed_products) {
                store_shared_16(tile + tile_offset<row_chunks>(row, block),
                                make_uint4(words[0], words[1], words[2], words[3]));
            } else {
                constexpr unsigned inner = 0x3c3c3c3cu; // where e2m1 lies in a byte
                store_shared_16(tile + tile_offset<row_chunks>(row, 2 * block),
                                make_uint4(words[0] << 2 & inner, words[1] << 2 & inner, words[2] << 2 & inner,
                                           words[3] << 2 & inner));
                store_shared_16(tile + tile_offset<row_chunks>(row, 2 * block + 1),
                                make_uint4(words[0] >> 2 & inner, words[1] >> 2 & inner, words[2] >> 2 & inner,
                                           words[3] >> 2 & inner));
            }
            scales |= __shfl_xor_sync(all_lanes, scales, 1);
            scales |= __shfl_xor_sync(all_lanes, scales, 2);
            if (block == 0) store_shared_4(stage + weight_scales_at + row * 4, scales);
        }
    }
};

KERNEL(tile_threads)
linear_tile(const unsigned char *x, const unsigned char *scales, float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const auto copies_of = [&](const tile_place &place) { return tile_copies(x, scales, o, place, step); };
    compute_block<stage_bytes>(o, copies_of, nullptr, partial, step);
}
