// Many rows, weights in blocks of 128 codes of 8 bits with one scale in front, activations rounded to the like: each
// block of columns is summed by the tensor cores by itself, scaled in f32 and added up.  The includer says whether
// activations have one scale per block, or four that the tensor cores apply (`scaled_rows`), and whether they are f16
// and codes become that in registers (`widened`), for cards that do not multiply these.
//
// A step is a block.  A stage holds the codes of rows, their scales, the codes of weights and theirs, all copied
// asynchronously: weights begin at multiples of 4 bytes only, so a warp copies a row of them with a word per lane.
#pragma once
#include "codegen/cuda/narrow.cuh"
#include "ops/linear/linear_tile_parts.cuh"

constexpr bool whole_numbers = element == element_i8_128;
constexpr unsigned unscaled = 0x7f7f7f7fu; // exponents of four scales of 1
constexpr narrow weight_type = element == element_f8_e5m2_128 ? narrow::e5m2 : narrow::e4m3;
constexpr int number_bytes = widened ? 2 : 1;          // of an activation
constexpr int block_parts = number_bytes, groups = 4; // groups of a part are multiplied by one instruction each
constexpr int row_chunks = tile_columns / 16, x_chunks = row_chunks * number_bytes;
constexpr int block_bytes = 4 + tile_columns;
constexpr int tile_warps = tile_threads / warp_lanes, weight_tile_rows = tracks * tile_outputs;
constexpr int row_copies = tile_rows * x_chunks / tile_threads;
constexpr int weight_copies = ceil_divide(weight_tile_rows, tile_warps);
constexpr int scale_copies = ceil_divide(tile_rows + weight_tile_rows, tile_threads);
constexpr int row_scales_at = tile_rows * tile_columns * number_bytes, weights_at = row_scales_at + tile_rows * 4;
constexpr int weight_scales_at = weights_at + weight_tile_rows * tile_columns;
constexpr int stage_bytes = weight_scales_at + weight_tile_rows * 4;

static_assert(tile_columns == 128 && columns % tile_columns == 0, "a step is a block");
static_assert(whole_numbers || element == element_f8_e4m3_128 || element == element_f8_e5m2_128, "blocks of 8-bit codes");
static_assert(sm >= (scaled_rows ? 120 : whole_numbers || widened ? 80 : 89), "products that the card has");
static_assert(tile_rows * x_chunks % tile_threads == 0, "copies are spread evenly");

// Behind 0x4b400000, the f32 1.5 * 2^23, a whole number below 2^22 is added to it in its last digits; sums of 128
// products of bytes are below 2^21.
constexpr int whole_bits = 0x4b400000;
constexpr float whole_offset = 12582912.0f;

// A part of a block: 128 columns of codes, or 64 that are widened, whose 16 bytes each then meet the left columns of one
// instruction (in the order of quantize_rows_wide).  `exponents`: of the scales of left rows that have four.
struct part_fragments {
    unsigned words[widened ? groups / 2 : groups][4]; // of two fragments of outputs
};

DEVICE void multiply_part(const unsigned (&left)[groups][4], const part_fragments &right, int half, unsigned exponents,
                          float (&products)[4])
{
    int whole[4] = {whole_bits, whole_bits, whole_bits, whole_bits};
    UNROLL for (int e = 0; e < 4; e++) products[e] = 0;
    UNROLL for (int g = 0; g < groups; g++) {
        if constexpr (widened) {
            unsigned pairs[2];
            f8_to_half_pairs<weight_type>(right.words[g / 2][2 * half + g % 2], pairs);
            multiply_add_f16(products, left[g], pairs[0], pairs[1]);
        } else {
            const unsigned low = right.words[g][2 * half], high = right.words[g][2 * half + 1];
            if constexpr (scaled_rows) multiply_add_mxf8<weight_type>(products, left[g], low, high, exponents, unscaled, g);
            else if constexpr (whole_numbers) multiply_add_bytes(whole, left[g], low, high);
            else multiply_add_f8<weight_type>(products, left[g], low, high);
        }
    }
    UNROLL for (int e = 0; e < 4 && whole_numbers; e++) products[e] = __int_as_float(whole[e]) - whole_offset;
}

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    const int lane = lane_index(), first_row = warp_first_row(), first_output = warp_first_output();
    float row_scales[2 * row_fragments];
    unsigned exponents[row_fragments] = {};
    UNROLL for (int r = 0; r < row_fragments && scaled_rows; r++)
        exponents[r] = load_shared_4(stage + row_scales_at + (first_row + 16 * r + lane / 4 + lane % 2 * 8) * 4);
    UNROLL for (int r = 0; r < 2 * row_fragments; r++)
        row_scales[r] = scaled_rows ? 1.0f
                                    : load_shared_float(stage + row_scales_at + (first_row + 8 * r + lane / 4) * 4);
    NO_UNROLL for (int part = 0; part < block_parts; part++) { // one at a time, or registers run out
        unsigned left[row_fragments][groups][4];
        UNROLL for (int r = 0; r < row_fragments; r++)
            UNROLL for (int g = 0; g < groups; g++)
                load_left<x_chunks>(stage, first_row + 16 * r, 2 * (part * groups + g), left[r][g]);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int n = 0; n < output_fragments; n += 2) {
                const int output = t * tile_outputs + first_output + 8 * n;
                part_fragments right;
                UNROLL for (int g = 0; g < groups / number_bytes; g++)
                    load_right_pair<row_chunks>(stage + weights_at, output, 2 * (part * groups / number_bytes + g), right.words[g]);
                UNROLL for (int i = 0; i < 2; i++) {
                    const float2 scales =
                        load_shared_floats(stage + weight_scales_at + (output + 8 * i + lane % 4 * 2) * 4);
                    UNROLL for (int r = 0; r < row_fragments; r++) {
                        float products[4];
                        multiply_part(left[r], right, i, exponents[r], products);
                        UNROLL for (int e = 0; e < 4; e++)
                            sums.values[r][t][n + i][e] +=
                                products[e] * (row_scales[2 * r + e / 2] * (e % 2 ? scales.y : scales.x));
                    }
                }
            }
    }
}

// Where all tiles are full, the rows of weights that a warp copies lie at constant distances.
constexpr bool full_tiles = !grouped && outputs % tile_outputs == 0 && tile_outputs % tile_warps == 0;
constexpr int weight_starts = full_tiles ? tracks : weight_copies;

// What a thread copies; rows and outputs behind the last repeat it.
struct tile_copies {
    const unsigned char *x, *scales[scale_copies]; // of scales 4 bytes per row and block
    unsigned rows[row_copies];                     // from x
    const unsigned char *weights[weight_starts];

    struct held {};

    __device__ __forceinline__ tile_copies(const unsigned char *all_x, const unsigned char *x_scales,
                                           const linear_operands &o, const tile_place &place, const struct step *step)
    {
        const int last_row = step->rows - 1 - place.first_row;
        x = all_x + (long long)place.first_row * columns * number_bytes;
        UNROLL for (int i = 0; i < row_copies; i++)
            rows[i] = minimum((i * tile_threads + (int)threadIdx.x) / x_chunks, last_row) * columns * number_bytes +
                      threadIdx.x % x_chunks * 16;
        UNROLL for (int i = 0; i < weight_starts; i++) {
            const int row = full_tiles ? i * tile_outputs + warp_index() : i * tile_warps + warp_index();
            weights[i] = weight_row(o, place, minimum(row, weight_tile_rows - 1)) + 4 + lane_index() * 4;
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int at = i * tile_threads + threadIdx.x;
            const long long row = place.first_row + minimum(at, last_row);
            scales[i] = at < tile_rows ? x_scales + row * column_steps * 4
                                       : weight_row(o, place, minimum(at - tile_rows, weight_tile_rows - 1));
        }
    }

    static __device__ __forceinline__ const unsigned char *weight_row(const linear_operands &o, const tile_place &place,
                                                                      int row)
    {
        return linear_weight_row(o, row / tile_outputs, minimum(place.first_output + row % tile_outputs, outputs - 1));
    }

    // Row `i * tile_warps + warp_index()` of the tile.
    __device__ __forceinline__ const unsigned char *weight_at(int i) const
    {
        if constexpr (!full_tiles) return weights[i];
        constexpr int track_copies = tile_outputs / tile_warps;
        return weights[i / track_copies] + i % track_copies * tile_warps * weight_row_bytes;
    }

    __device__ __forceinline__ void begin(shared_address stage, int first_column, held &) const
    {
        const int chunk = threadIdx.x % x_chunks, block = first_column / tile_columns, lane = lane_index();
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / x_chunks;
            copy_async_16(stage + tile_offset<x_chunks>(row, chunk), x + rows[i] + first_column * number_bytes, true);
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = i * tile_warps + warp_index();
            if (weight_tile_rows % tile_warps && row >= weight_tile_rows) continue;
            copy_async_4(stage + weights_at + tile_offset<row_chunks>(row, lane / 4) + lane % 4 * 4,
                         weight_at(i) + block * block_bytes, true);
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int at = i * tile_threads + threadIdx.x;
            if (at >= tile_rows + weight_tile_rows) continue;
            copy_async_4(stage + (at < tile_rows ? row_scales_at + at * 4 : weight_scales_at + (at - tile_rows) * 4),
                         scales[i] + block * (at < tile_rows ? 4 : block_bytes), true);
        }
    }

    __device__ __forceinline__ void end(shared_address, const held &) const {}
};

KERNEL(tile_threads)
linear_tile(const unsigned char *x, const unsigned char *scales, float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const auto copies_of = [&](const tile_place &place) { return tile_copies(x, scales, o, place, step); };
    compute_block<stage_bytes>(o, copies_of, nullptr, partial, step);
}
