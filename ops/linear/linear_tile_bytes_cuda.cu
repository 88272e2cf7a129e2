// Many rows, blocks of whole numbers against activations rounded to bytes, on the tensor cores: each 32 columns are summed
// in whole numbers, which are scaled and added up in f32.
//
// A stage holds the bytes of rows and of weights, and behind each of them their scales, block by block; where weights have
// minima, these and the sums of the rows' bytes too.
#include "codegen/cuda/block_pieces.cuh"
#include "ops/linear/linear_quantize.cuh"
#include "ops/linear/linear_tile_parts.cuh"

constexpr int row_chunks = tile_columns / 16;             // of 16 bytes
constexpr int tile_blocks = tile_columns / block_elements; // of a step
constexpr int row_blocks = columns / block_elements;
constexpr int weight_tile_rows = tracks * tile_outputs;
constexpr int row_copies = tile_rows * row_chunks / tile_threads;
constexpr int scale_copies = ceil_divide(tile_rows * tile_blocks, tile_threads);

typedef block_pieces<element> pieces;
constexpr bool in_pieces = true;
constexpr int row_pieces = tile_columns / pieces::elements;
constexpr int weight_copies = ceil_divide(weight_tile_rows * row_pieces, tile_threads);
#include "ops/linear/linear_tile_pieces.cuh"

constexpr int row_scales_at = tile_rows * tile_columns, row_sums_at = row_scales_at + tile_rows * tile_blocks * 4;
constexpr int weights_at = row_sums_at + (minima ? tile_rows * tile_blocks * 4 : 0);
constexpr int weight_scales_at = weights_at + weight_tile_rows * tile_columns;
constexpr int weight_minima_at = weight_scales_at + weight_tile_rows * tile_blocks * 4;
constexpr int stage_bytes = weight_minima_at + (minima ? weight_tile_rows * tile_blocks * 4 : 0);

static_assert(minima == pieces::minima, "there is room for minima");
static_assert(sm >= 80, "no products of 32 bytes before sm_80");
static_assert(tile_rows * row_chunks % tile_threads == 0, "copies are spread evenly");
static_assert(tile_threads % row_chunks == 0 && tile_threads % row_pieces == 0, "a thread has the same chunk of all its rows");

// Behind 0x4b400000, the f32 1.5 * 2^23, a whole number below 2^22 is added to it in its last digits.
constexpr int whole_bits = 0x4b400000;
constexpr float whole_offset = 12582912.0f;

DEVICE void multiply_stage(shared_address stage, tile_sums &sums)
{
    const int lane = lane_index(), first_row = warp_first_row(), first_output = warp_first_output();
    UNROLL for (int block = 0; block < tile_blocks; block++) {
        unsigned left[row_fragments][4];
        float row_scales[2 * row_fragments], row_sums[2 * row_fragments];
        UNROLL for (int r = 0; r < row_fragments; r++)
            load_left<row_chunks>(stage, first_row + 16 * r, 2 * block, left[r]);
        UNROLL for (int r = 0; r < 2 * row_fragments; r++) {
            const int at = (block * tile_rows + first_row + 8 * r + lane / 4) * 4;
            row_scales[r] = load_shared_float(stage + row_scales_at + at);
            if constexpr (minima) row_sums[r] = row_scales[r] * (float)(int)load_shared_4(stage + row_sums_at + at);
        }
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int n = 0; n < output_fragments; n += 2) {
                const int output = t * tile_outputs + first_output + 8 * n;
                unsigned right[4];
                load_right_pair<row_chunks>(stage + weights_at, output, 2 * block, right);
                UNROLL for (int i = 0; i < 2; i++) {
                    const int at = (block * weight_tile_rows + output + 8 * i + lane % 4 * 2) * 4;
                    const float2 scales = load_shared_floats(stage + weight_scales_at + at);
                    float2 least = {};
                    if constexpr (minima) least = load_shared_floats(stage + weight_minima_at + at);
                    UNROLL for (int r = 0; r < row_fragments; r++) {
                        int whole[4] = {whole_bits, whole_bits, whole_bits, whole_bits};
                        multiply_add_bytes(whole, left[r], right[2 * i], right[2 * i + 1]);
                        UNROLL for (int e = 0; e < 4; e++) {
                            float &to = sums.values[r][t][n + i][e];
                            to += (__int_as_float(whole[e]) - whole_offset) *
                                  (row_scales[2 * r + e / 2] * (e % 2 ? scales.y : scales.x));
                            if constexpr (minima) to += row_sums[2 * r + e / 2] * (e % 2 ? least.y : least.x);
                        }
                    }
                }
            }
    }
}

// Words of signed bytes.
DEVICE void put_run(shared_address to, const unsigned (&words)[pieces::run_words])
{
    constexpr unsigned offset = pieces::offset * 0x01010101u;
    unsigned less[pieces::run_words];
    UNROLL for (int w = 0; w < pieces::run_words; w++) less[w] = offset ? __vsub4(words[w], offset) : words[w];
    if constexpr (pieces::run_words == 4) store_shared_16(to, make_uint4(less[0], less[1], less[2], less[3]));
    else if constexpr (pieces::run_words == 2) store_shared_8(to, make_uint2(less[0], less[1]));
    else store_shared_4(to, less[0]);
}

// What a thread copies; rows and outputs behind the last repeat it.
struct tile_copies {
    const unsigned char *rows[row_copies], *weights[weight_copies];
    const float *scales[scale_copies];
    const int *sums[minima ? scale_copies : 1];
    typedef held_pieces held;

    __device__ __forceinline__ tile_copies(const unsigned char *x, const float *x_scales, const int *x_sums,
                                           const linear_operands &o, const tile_place &place, const struct step *step)
    {
        UNROLL for (int i = 0; i < row_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) / row_chunks;
            rows[i] = x + (long long)minimum(place.first_row + row, step->rows - 1) * columns;
        }
        UNROLL for (int i = 0; i < scale_copies; i++) {
            const int row = (i * tile_threads + threadIdx.x) % tile_rows;
            const long long first = (long long)minimum(place.first_row + row, step->rows - 1) * row_blocks;
            scales[i] = x_scales + first;
            if constexpr (minima) sums[i] = x_sums + first;
        }
        UNROLL for (int i = 0; i < weight_copies; i++) {
            const int row = minimum((i * tile_threads + (int)threadIdx.x) / row_pieces, weight_tile_rows - 1);
            const int output = minimum(place.first_output + row % tile_outputs, outputs - 1);
            weights[i] = linear_weight_row(o, row / tile_outputs, output);
        }
    }

    __device__ __forceinline__ void begin(shared_address stage, int first_column, held &held) const
    {
        const int chunk = threadIdx.x % row_chunks, column = first_column + chunk * 16;
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
            if constexpr (minima) copy_async_4(stage + row_sums_at + place * 4, sums[i] + (wanted ? block : 0), wanted);
        }
        read_pieces(weights, first_column, held);
    }

    __device__ __forceinline__ void end(shared_address stage, const held &held) const
    {
        put_pieces<weight_tile_rows>(held, [=](const pieces::piece &piece, int s, int r, int row, int word) {
            const shared_address to = stage + weights_at + tile_offset<row_chunks>(row, word / 4) + word % 4 * 4;
            put_run(to, piece.words[s][r]);
            if (word % 8) return; // the first of its block has the block's scale
            const shared_address at = stage + (word / 8 * weight_tile_rows + row) * 4;
            store_shared_4(at + weight_scales_at, __float_as_uint(piece.scales[s]));
            if constexpr (minima) store_shared_4(at + weight_minima_at, __float_as_uint(piece.minima[s]));
        });
    }
};

// The sums of the rows' bytes, block by block, lie behind all scales.
DEVICE int *sums_behind(float *scales, const struct step *step)
{
    return (int *)(scales + (long long)step->rows * row_blocks);
}

KERNEL(quantize_threads) quantize(const float *x, int *bytes, float *scales, const struct step *step)
{
    quantize_rows(x, bytes, scales, minima ? sums_behind(scales, step) : nullptr, step);
}

KERNEL(tile_threads) linear_tile(const unsigned char *x, float *scales, float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const int *sums = sums_behind(scales, step);
    const auto copies_of = [&](const tile_place &place) { return tile_copies(x, scales, sums, o, place, step); };
    compute_block<stage_bytes>(o, copies_of, nullptr, partial, step);
}
