// Many rows on sm_90a: a block computes `tile_rows` rows of `tile_outputs` outputs (of gate and of up where they are
// gated) with products of warpgroups, and goes through the columns in steps of 64.  One thread of a producer warpgroup
// has the copy engine fill `stages` steps in shared memory; `consumers` warpgroups multiply.  `cluster` blocks with
// neighbouring rows share their weights: each fetches its part for all of them.
//
// A stage is full when its bytes have come, and empty when every warp of all consumers that read it has said so.
#pragma once
#include "codegen/cuda/transaction.cuh"
#include "codegen/cuda/warpgroup.cuh"
#include "ops/linear/linear_round.cuh"
#include "ops/linear/linear_tile_stream.cuh"

constexpr bool brain = element == element_bf16;
constexpr int tile_columns = swizzle_bytes / 2, product_columns = 16;
constexpr int tile_threads = (consumers + 1) * warpgroup_threads;
constexpr int row_fragments = tile_rows / (consumers * warpgroup_rows);
constexpr int fetched_rows = tile_outputs / cluster; // that a block fetches, of each track
constexpr int rows_bytes = tile_rows * swizzle_bytes, stage_bytes = rows_bytes + product_outputs * swizzle_bytes;
constexpr int consumer_warps = consumers * warpgroup_warps;
// Registers per thread: where `kept_blocks` blocks of a multiprocessor have fewer than 255, the producer leaves most of its
// own to the consumers.
constexpr bool moves_registers = kept_blocks * tile_threads > 256;
constexpr int producer_registers = 40, consumer_registers = consumers == 1 ? 216 : 232;

static_assert(sm == 90, "only sm_90a has products of warpgroups");
static_assert(element == element_bf16 || element == element_f16, "weights of 16 bits");
static_assert(columns % 8 == 0, "rows are whole chunks of 16 bytes");
static_assert(tile_rows % (consumers * warpgroup_rows) == 0, "consumers have whole products of rows");
static_assert(product_outputs == tracks * tile_outputs && product_outputs % 64 == 0 && product_outputs <= 256,
              "products have 64 to 256 outputs");
static_assert(tile_rows <= 256, "boxes have up to 256 rows");
static_assert(row_fragments * product_outputs <= 256, "sums fit the registers");
static_assert(tile_outputs % (8 * cluster) == 0, "blocks fetch whole patterns of weights");
static_assert(stages >= 2 && stages * (stage_bytes + 2 * transaction_bytes) <= shared_bytes_most(sm),
              "the stages fit the shared memory");
static_assert(tile_rows < 2 * problem_rows || tile_rows == 64, "most of the tile is not empty");
static_assert(tile_outputs < 2 * outputs || product_outputs == 64, "most of the tile is not empty");
static_assert(cluster == 1 || tile_rows < problem_rows, "there are neighbouring rows to share weights with");
static_assert(place_rows == tile_rows * cluster, "blocks of a cluster have neighbouring rows");
static_assert(stream == 0 || (long long)blocks / cluster * column_steps >= 2 * stream_blocks, "blocks have some steps");
static_assert(raster == 1 || raster * tile_rows * cluster < problem_rows * 2, "there are that many rows");
static_assert(!moves_registers ||
                  (producer_registers + consumers * consumer_registers) * warpgroup_threads * kept_blocks <= registers_most,
              "there are as many registers");
static_assert(kept_blocks == 1 || product_outputs <= 192, "a product's operands fit the registers before they move");

typedef fragment_sums<row_fragments, tile_outputs / 8> tile_sums;

// Tiles of outputs belong to one matrix: those of b follow those of a, those of c follow these.
DEVICE output_range outputs_of_tile(int output_tile)
{
    constexpr int a_tiles = ceil_divide(a_rows, tile_outputs), b_tiles = ceil_divide(b_rows, tile_outputs);
    if (!grouped) return output_range{output_tile * tile_outputs, outputs};
    if (output_tile < a_tiles) return output_range{output_tile * tile_outputs, a_rows};
    const int behind_a = (output_tile - a_tiles) * tile_outputs, behind_b = behind_a - b_tiles * tile_outputs;
    if (behind_b < 0) return output_range{a_rows + behind_a, a_rows + b_rows};
    return output_range{a_rows + b_rows + behind_b, outputs};
}

struct weight_maps {
    const tensor_map *weight, *gate, *up, *a, *b, *c;
};

// What a tile's weights are fetched from, by track, and the first row there.
struct tile_weights {
    const tensor_map *maps[2];
    int row;
};

DEVICE tile_weights tile_weights_of(const weight_maps &maps, int first_output)
{
    if (gated) return tile_weights{{maps.gate, maps.up}, first_output};
    if (!grouped) return tile_weights{{maps.weight, nullptr}, first_output};
    if (first_output < a_rows) return tile_weights{{maps.a, nullptr}, first_output};
    if (first_output < a_rows + b_rows) return tile_weights{{maps.b, nullptr}, first_output - a_rows};
    return tile_weights{{maps.c, nullptr}, first_output - a_rows - b_rows};
}

// The stages, round and round: `parity` is that of the round.
struct stage_turn {
    int stage, parity;

    __device__ __forceinline__ void advance()
    {
        stage++;
        if (stage < stages) return;
        stage = 0;
        parity ^= 1;
    }
};

DEVICE shared_address full_barrier(shared_address memory, int stage)
{
    return memory + stages * stage_bytes + stage * 2 * transaction_bytes;
}

DEVICE shared_address empty_barrier(shared_address memory, int stage)
{
    return full_barrier(memory, stage) + transaction_bytes;
}

DEVICE void synchronize_blocks()
{
    if constexpr (cluster > 1) cluster_synchronize();
    else __syncthreads();
}

DEVICE void start_barriers(shared_address memory)
{
    if (threadIdx.x == 0) {
        UNROLL for (int s = 0; s < stages; s++) {
            transaction_start(full_barrier(memory, s), 1);
            transaction_start(empty_barrier(memory, s), consumer_warps * cluster);
        }
        transaction_fence_starts();
    }
    synchronize_blocks();
}

DEVICE void prefetch_maps(const tensor_map *rows, const tile_weights &weights)
{
    if (threadIdx.x != 0) return;
    prefetch_tensor_map(rows);
    UNROLL for (int t = 0; t < tracks; t++) prefetch_tensor_map(weights.maps[t]);
}

// One thread's, for one piece: fills the stages, each when all blocks that its copies go to have left it.
DEVICE void produce(shared_address memory, const tensor_map *rows, const tile_weights &weights, int first_row,
                    const tile_piece &piece, stage_turn &turn)
{
    const int rank = cluster > 1 ? cluster_rank() : 0;
    NO_UNROLL for (int k = 0; k < piece.steps; k++) {
        const shared_address stage = memory + turn.stage * stage_bytes, full = full_barrier(memory, turn.stage);
        const int column = (piece.first_step + k) * tile_columns;
        transaction_wait(empty_barrier(memory, turn.stage), turn.parity ^ 1);
        transaction_arrive_expecting(full, stage_bytes);
        copy_box(stage, rows, full, column, first_row);
        UNROLL for (int t = 0; t < tracks; t++) {
            const int row = rank * fetched_rows;
            const shared_address to = stage + rows_bytes + (t * tile_outputs + row) * swizzle_bytes;
            if constexpr (cluster > 1)
                copy_box_to(to, weights.maps[t], full, column, weights.row + row, (1u << cluster) - 1);
            else
                copy_box(to, weights.maps[t], full, column, weights.row);
        }
        turn.advance();
    }
}

// One lane of the warp per block of the cluster.
DEVICE void release_stage(shared_address memory, int stage)
{
    const int lane = lane_index();
    if constexpr (cluster > 1) {
        if (lane < cluster) transaction_arrive_at(empty_barrier(memory, stage), lane);
    } else {
        if (lane == 0) transaction_arrive(empty_barrier(memory, stage));
    }
}

// The consumer's rows, and the weights.
struct stage_matrices {
    unsigned long long rows, weights;
};

DEVICE void multiply_stage(const stage_matrices &matrices, tile_sums &sums)
{
    UNROLL for (int column = 0; column < tile_columns; column += product_columns)
        UNROLL for (int r = 0; r < row_fragments; r++) {
            float(&to)[product_outputs / 2] = (float(&)[product_outputs / 2])sums.values[r];
            warpgroup_multiply_add<brain, product_outputs>(
                to, swizzled_matrix_behind(matrices.rows, r * warpgroup_rows * swizzle_bytes + column * 2),
                swizzled_matrix_behind(matrices.weights, column * 2));
        }
}

// The products of one step run while the next stage is waited for; then the stage before is left.
DEVICE void consume(shared_address memory, int consumer, int steps, stage_turn &turn, tile_sums &sums)
{
    const int own_bytes = consumer * row_fragments * warpgroup_rows * swizzle_bytes;
    const stage_matrices first = {swizzled_matrix(memory + own_bytes), swizzled_matrix(memory + rows_bytes)};
    int before = 0;
    NO_UNROLL for (int k = 0; k < steps; k++) {
        transaction_wait(full_barrier(memory, turn.stage), turn.parity);
        warpgroup_begin();
        const int at = turn.stage * stage_bytes;
        multiply_stage({swizzled_matrix_behind(first.rows, at), swizzled_matrix_behind(first.weights, at)}, sums);
        warpgroup_commit();
        warpgroup_wait<1>();
        if (k > 0) release_stage(memory, before);
        before = turn.stage;
        turn.advance();
    }
    warpgroup_wait<0>();
    if constexpr (stream > 0) release_stage(memory, before);
}

KERNEL(round_threads) round_rows(const float *x, unsigned char *rounded, float *scales, const struct step *step)
{
    if (blockIdx.x < step->rows) round_row_of_block<columns, brain>(x, rounded, scales);
}

// What the block's threads work through, in step with each other: one piece, or where blocks share steps several.
struct block_work {
    int row_tiles, block;
    stream_walk walk;
    tile_piece piece;

    __device__ __forceinline__ explicit block_work(const struct step *step)
        : row_tiles(ceil_divide(step->rows, place_rows)), block(blockIdx.x / cluster),
          walk(block, row_tiles * output_tiles), piece(part_piece(block))
    {
    }
    // All blocks of a cluster have the same.
    __device__ __forceinline__ bool begin()
    {
        return stream > 0 ? walk.next(piece) : tile_turn_of(piece.tile, row_tiles).inside;
    }
    __device__ __forceinline__ bool next()
    {
        return stream > 0 && walk.next(piece);
    }
    __device__ __forceinline__ tile_turn turn() const
    {
        return tile_turn_of(piece.tile, row_tiles);
    }
};

DEVICE int first_row_of(const tile_turn &turn)
{
    return turn.row_tile * place_rows + (int)blockIdx.x % cluster * tile_rows;
}

DEVICE void produce_all(shared_address memory, const tensor_map *rows, const weight_maps &maps, block_work &work)
{
    stage_turn stage = {0, 0};
    do {
        const tile_turn turn = work.turn();
        const tile_weights weights = tile_weights_of(maps, outputs_of_tile(turn.output_tile).first);
        produce(memory, rows, weights, first_row_of(turn), work.piece, stage);
    } while (work.next());
}

DEVICE void consume_all(shared_address memory, int consumer, const linear_operands &o, const float *scales, float *partial,
                        const struct step *step, block_work &work)
{
    const int own_row = consumer * row_fragments * warpgroup_rows + warp_index() % warpgroup_warps * 16;
    stage_turn stage = {0, 0};
    do {
        const tile_turn turn = work.turn();
        const output_range range = outputs_of_tile(turn.output_tile);
        tile_sums sums = {};
        consume(memory, consumer, work.piece.steps, stage, sums);
        const sums_place place = {first_row_of(turn) + own_row, range.first, range.end,
                                  partial_place_of(partial, work.block, work.piece, turn, step)};
        store_sums<warpgroup_rows>(o, place, sums, brain ? nullptr : scales, step);
    } while (work.next());
}

KERNEL_RESIDENT(tile_threads, kept_blocks)
linear_warpgroup(const __grid_constant__ tensor_map rounded_boxes, const __grid_constant__ tensor_map weight_boxes,
                 const __grid_constant__ tensor_map gate_boxes, const __grid_constant__ tensor_map up_boxes,
                 const __grid_constant__ tensor_map a_boxes, const __grid_constant__ tensor_map b_boxes,
                 const __grid_constant__ tensor_map c_boxes, const float *scales, float *partial, LINEAR_PARAMETERS)
{
    SWIZZLED_MEMORY(stage_memory);
    const shared_address memory = shared_address_of(stage_memory);
    const weight_maps maps = {&weight_boxes, &gate_boxes, &up_boxes, &a_boxes, &b_boxes, &c_boxes};
    const int group = warp_index() / warpgroup_warps;
    block_work work(step);
    if (!work.begin()) return;
    prefetch_maps(&rounded_boxes, tile_weights_of(maps, outputs_of_tile(work.turn().output_tile).first));
    start_barriers(memory);
    if (group == consumers) {
        if constexpr (moves_registers) warpgroup_lower_registers<producer_registers>();
        if (threadIdx.x == consumers * warpgroup_threads) produce_all(memory, &rounded_boxes, maps, work);
    } else {
        if constexpr (moves_registers) warpgroup_raise_registers<consumer_registers>();
        consume_all(memory, group, LINEAR_OPERANDS, scales, partial, step, work);
    }
    if constexpr (cluster > 1) cluster_synchronize(); // none of them leaves while others copy to it
}
