// Many rows, weights of nvfp4, activations rounded to nvfp4 as well: the tensor cores apply the scales of 16 numbers, and
// sums of 128 columns are multiplied with the two f32 scales.
//
// A step is a block: an f32 scale, two words of e4m3 scales, and four pieces of 32 numbers, whose halves have a scale
// each.  Scales are copied asynchronously; a thread takes a piece, and puts together the nibbles of each half.
#include "codegen/cuda/narrow.cuh"
#include "ops/linear/linear_quantize_narrow.cuh"
#include "ops/linear/linear_tile_parts.cuh"

constexpr int head_words = 3, step_pieces = 4, step_bytes = head_words * 4 + step_pieces * 16;
constexpr int row_chunks = 4, stage_row_bytes = row_chunks * 16; // of codes
constexpr int products = 2;                                      // instructions per step
constexpr int weight_tile_rows = tracks * tile_outputs;
constexpr int row_copies = ceil_divide(tile_rows * row_chunks, tile_threads);
constexpr int weight_copies = ceil_divide(weight_tile_rows * step_pieces, tile_threads);
// Word w of all heads lies behind word w - 1 of all.
constexpr int row_heads_at = tile_rows * stage_row_bytes, weights_at = row_heads_at + tile_rows * head_words * 4;
constexpr int weight_heads_at = weights_at + weight_tile_rows * stage_row_bytes;
constexpr int stage_bytes = weight_heads_at + weight_tile_rows * head_words * 4;

static_assert(element == element_nvfp4_128 && sm >= 120, "blocks that the card multiplies");
static_assert(tile_columns == 128 && columns % tile_columns == 0, "a step is a block");
static_assert(row_chunks == step_pieces, "chunks of rows and pieces of weights have 32 numbers");

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    const int lane = lane_index(), first_row = warp_first_row(), first_output = warp_first_output();
    const shared_address row_heads = stage + row_heads_at, weight_heads = stage + weight_heads_at;
    unsigned left[row_fragments][products][4], left_scales[row_fragments][products];
    float row_scales[2 * row_fragments];
    UNROLL for (int r = 0; r < row_fragments; r++) {
        const int row = first_row + 16 * r + lane / 4;
        UNROLL for (int i = 0; i < 2; i++) row_scales[2 * r + i] = load_shared_float(row_heads + (row + 8 * i) * 4);
        UNROLL for (int p = 0; p < products; p++) {
            left_scales[r][p] = load_shared_4(row_heads + ((1 + p) * tile_rows + row + lane % 2 * 8) * 4);
            load_left<row_chunks>(stage, first_row + 16 * r, 2 * p, left[r][p]);
        }
    }
    UNROLL for (int t = 0; t < tracks; t++)
        UNROLL for (int n = 0; n < output_fragments; n += 2) {
            const int output = t * tile_outputs + first_output + 8 * n;
            unsigned right[products][4];
            UNROLL for (int p = 0; p < products; p++)
                load_right_pair<row_chunks>(stage + weights_at, output, 2 * p, right[p]);
            UNROLL for (int i = 0; i < 2; i++) {
                const float2 scales = load_shared_floats(weight_heads + (output + 8 * i + lane % 4 * 2) * 4);
                unsigned right_scales[products];
                UNROLL for (int p = 0; p < products; p++)
                    right_scales[p] =
                        load_shared_4(weight_heads + ((1 + p) * weight_tile_rows + output + 8 * i + lane / 4) * 4);
                UNROLL for (int r = 0; r < row_fragments; r++) {
                    float step[4] = {};
                    UNROLL for (int p = 0; p < products; p++)
                        multiply_add_nvf4(step, left[r][p], right[p][2 * i], right[p][2 * i + 1], left_scales[r][p],
                                          right_scales[p]);
                    UNROLL for (int e = 0; e < 4; e++)
                        sums.values[r][t][n + i][e] += step[e] * (row_scales[2 * r + e / 2] * (e % 2 ? scales.y : scales.x));
                }
            }
        }
}

// Eight numbers from the low halves of two words, four from each, and eight from the high halves.
DEVICE unsigned low_halves(unsigned first, unsigned second)
{
    return (first & 0x0f0f0f0fu) | (second & 0x0f0f0f0fu) << 4;
}

DEVICE unsigned high_halves(unsigned first, unsigned second)
{
    return (first >> 4 & 0x0f0f0f0fu) | (second & 0xf0f0f0f0u);
}

// What a thread copies; rows and outputs behind the last repeat it.  Chunk c of a row brings word c of its head along.
struct tile_copies {
    const unsigned char *rows[row_copies], *heads[row_copies], *weights[weight_copies];
    struct held {
        unsigned words[weight_copies][4];
    };

    __device__ __forceinline__ tile_copies(const unsigned char *x, const unsigned char *x_heads,
                                           const linear_operands &o, const tile_place &place, const struct step *step)
    {
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = place.first_row + (i * tile_threads + (int)threadIdx.x) / row_chunks;
            const long long first_step = (long long)minimum(row, step->rows - 1) * column_steps;
            rows[i] = x + first_step * stage_row_bytes;
            heads[i] = x_heads + first_step * head_words * 4;
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = minimum((i * tile_threads + (int)threadIdx.x) / step_pieces, weight_tile_rows - 1);
            const int output = minimum(place.first_output + row % tile_outputs, outputs - 1);
            weights[i] = linear_weight_row(o, row / tile_outputs, output);
        }
    }

    __device__ __forceinline__ void begin(shared_address stage, int first_column, held &held) const
    {
        const int at = first_column / tile_columns, chunk = threadIdx.x % row_chunks;
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            if (tile_rows * row_chunks % tile_threads && row >= tile_rows) continue;
            copy_async_16(stage + tile_offset<row_chunks>(row, chunk), rows[i] + at * stage_row_bytes + chunk * 16, true);
            if (chunk < head_words)
                copy_async_4(stage + row_heads_at + (chunk * tile_rows + row) * 4,
                             heads[i] + (at * head_words + chunk) * 4, true);
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / step_pieces;
            const unsigned *block = (const unsigned *)(weights[i] + at * step_bytes);
            UNROLL for (int w = 0; w < 4; w++) held.words[i][w] = block[head_words + chunk * 4 + w];
            if (row < weight_tile_rows && chunk < head_words)
                copy_async_4(stage + weight_heads_at + (chunk * weight_tile_rows + row) * 4, block + chunk, true);
        }
    }

    __device__ __forceinline__ void end(shared_address stage, const held &held) const
    {
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / step_pieces;
            if (weight_tile_rows * step_pieces % tile_threads && row >= weight_tile_rows) continue;
            const unsigned(&words)[4] = held.words[i];
            store_shared_16(stage + weights_at + tile_offset<row_chunks>(row, threadIdx.x % step_pieces),
                            make_uint4(low_halves(words[0], words[2]), low_halves(words[1], words[3]),
                                       high_halves(words[0], words[2]), high_halves(words[1], words[3])));
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

KERNEL(narrow_threads) quantize(const float *x, unsigned *words, unsigned char *heads, const struct step *step)
{
    quantize_rows_nvf4(x, words, heads, step);
}
