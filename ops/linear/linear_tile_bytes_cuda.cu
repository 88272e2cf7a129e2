// Many rows, blocks of bytes or nibbles against activations rounded to bytes, on the tensor cores: each block of 32 columns
// is summed in whole numbers, which are scaled and added up in f32.
//
// A stage holds the bytes of rows and of weights, and behind each of them their scales, block by block.
#include "ops/linear/linear_quantize.cuh"
#include "ops/linear/linear_tile_parts.cuh"

constexpr bool nibbles = element == element_q4_0;
constexpr int row_chunks = tile_columns / 16;             // of 16 bytes; half-blocks of weights
constexpr int tile_blocks = tile_columns / block_elements; // of a step
constexpr int row_blocks = columns / block_elements;
constexpr int weight_tile_rows = tracks * tile_outputs;
constexpr int row_copies = tile_rows * row_chunks / tile_threads;
constexpr int scale_copies = ceil_divide(tile_rows * tile_blocks, tile_threads);
constexpr int weight_copies = ceil_divide(weight_tile_rows * row_chunks, tile_threads);
constexpr int row_scales_at = tile_rows * tile_columns, weights_at = row_scales_at + tile_rows * tile_blocks * 4;
constexpr int weight_scales_at = weights_at + weight_tile_rows * tile_columns;
constexpr int stage_bytes = weight_scales_at + weight_tile_rows * tile_blocks * 4;

static_assert(element_is_block(element), "weights are blocks");
static_assert(sm >= 80, "no products of 32 bytes before sm_80");
static_assert(tile_rows * row_chunks % tile_threads == 0, "copies are spread evenly");
static_assert(tile_threads % row_chunks == 0, "a thread has the same chunk of all its rows");

// Behind 0x4b400000, the f32 1.5 * 2^23, a whole number below 2^22 is added to it in its last digits.
constexpr int whole_bits = 0x4b400000;
constexpr float whole_offset = 12582912.0f;

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    const int lane = lane_index(), first_row = warp_first_row(), first_output = warp_first_output();
    UNROLL for (int block = 0; block < tile_blocks; block++) {
        unsigned left[row_fragments][4];
        float row_scales[2 * row_fragments];
        UNROLL for (int r = 0; r < row_fragments; r++)
            load_left<row_chunks>(stage, first_row + 16 * r, 2 * block, left[r]);
        UNROLL for (int r = 0; r < 2 * row_fragments; r++)
            row_scales[r] = load_shared_float(stage + row_scales_at +
                                              (block * tile_rows + first_row + 8 * r + lane / 4) * 4);
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int n = 0; n < output_fragments; n += 2) {
                const int output = t * tile_outputs + first_output + 8 * n;
                unsigned right[4];
                load_right_pair<row_chunks>(stage + weights_at, output, 2 * block, right);
                UNROLL for (int i = 0; i < 2; i++) {
                    const float2 scales = load_shared_floats(
                        stage + weight_scales_at + (block * weight_tile_rows + output + 8 * i + lane % 4 * 2) * 4);
                    UNROLL for (int r = 0; r < row_fragments; r++) {
                        int whole[4] = {whole_bits, whole_bits, whole_bits, whole_bits};
                        multiply_add_bytes(whole, left[r], right[2 * i], right[2 * i + 1]);
                        UNROLL for (int e = 0; e < 4; e++)
                            sums.values[r][t][n + i][e] += (__int_as_float(whole[e]) - whole_offset) *
                                                           (row_scales[2 * r + e / 2] * (e % 2 ? scales.y : scales.x));
                    }
                }
            }
    }
}

// What a thread copies; rows and outputs behind the last repeat it.
struct tile_copies {
    const unsigned char *rows[row_copies], *weights[weight_copies];
    const float *scales[scale_copies];
    struct held {
        unsigned short scales[weight_copies];
        unsigned words[weight_copies][nibbles ? 2 : 4];
    };

    __device__ __forceinline__ tile_copies(const unsigned char *x, const float *x_scales, const linear_operands &o,
                                           const tile_place &place, const struct step *step)
    {
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            rows[i] = x + (long long)minimum(place.first_row + row, step->rows - 1) * columns;
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) % tile_rows;
            scales[i] = x_scales + (long long)minimum(place.first_row + row, step->rows - 1) * row_blocks;
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = minimum((i * tile_threads + (int)threadIdx.x) / row_chunks, weight_tile_rows - 1);
            const int output = minimum(place.first_output + row % tile_outputs, outputs - 1);
            weights[i] = linear_weight_row(o, row / tile_outputs, output);
        }
    }

    __device__ __forceinline__ void begin(shared_address stage, int first_column, held &held) const
    {
        const int chunk = threadIdx.x % row_chunks, column = first_column + chunk * 16;
        const int at = column / block_elements;
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            const bool wanted = column < columns;
            copy_async_16(stage + tile_offset<row_chunks>(row, chunk), rows[i] + (wanted ? column : 0), wanted);
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int place = i * tile_threads + threadIdx.x, block = first_column / block_elements + place / tile_rows;
            if (tile_rows * tile_blocks % tile_threads && place >= tile_rows * tile_blocks) continue;
            const bool wanted = block < row_blocks;
            copy_async_4(stage + row_scales_at + place * 4, scales[i] + (wanted ? block : 0), wanted);
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const bool wanted = at < row_blocks;
            const unsigned char *block = weights[i] + (wanted ? at : 0) * element_bytes(element);
            held.scales[i] = wanted ? *(const unsigned short *)block : (unsigned short)0;
            UNROLL for (int w = 0; w < (nibbles ? 2 : 4); w++)
                held.words[i][w] = load_word_of_halves(block + 2 + chunk % 2 * (nibbles ? 8 : 16) + 4 * w);
        }
    }

    __device__ __forceinline__ void end(shared_address stage, const held &held) const
    {
        const int chunk = threadIdx.x % row_chunks, second = chunk % 2, first_chunk = chunk - second;
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            if (weight_tile_rows * row_chunks % tile_threads && row >= weight_tile_rows) continue;
            const shared_address tile = stage + weights_at;
            const unsigned(&words)[nibbles ? 2 : 4] = held.words[i];
            if constexpr (nibbles) {
                // Eight of each half of the block: the first or last eight bytes of its chunks.
                UNROLL for (int w = 0; w < 2; w++) {
                    const int within = second * 8 + w * 4;
                    store_shared_4(tile + tile_offset<row_chunks>(row, first_chunk) + within,
                                   __vsub4(words[w] & 0x0f0f0f0fu, 0x08080808u));
                    store_shared_4(tile + tile_offset<row_chunks>(row, first_chunk + 1) + within,
                                   __vsub4(words[w] >> 4 & 0x0f0f0f0fu, 0x08080808u));
                }
            } else {
                store_shared_16(tile + tile_offset<row_chunks>(row, chunk),
                                make_uint4(words[0], words[1], words[2], words[3]));
            }
            if (!second)
                store_shared_4(stage + weight_scales_at + (chunk / 2 * weight_tile_rows + row) * 4,
                               __float_as_uint(to_float(half{held.scales[i]})));
        }
    }
};

KERNEL(quantize_threads) quantize(const float *x, int *bytes, float *scales, const struct step *step)
{
    quantize_rows(x, bytes, scales, nullptr, step);
}

KERNEL(tile_threads)
linear_tile(const unsigned char *x, const float *scales, float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const auto copies_of = [&](const tile_place &place) { return tile_copies(x, scales, o, place, step); };
    compute_block<stage_bytes>(o, copies_of, nullptr, partial, step);
}
