// Many slots for each expert: slots lie sorted by expert, so those of one are a matrix.  Tiles never hold slots of two
// experts; the last one of each may be emptier.  A tile goes through the columns as in linear (ops/linear/linear_tile.cuh),
// with the expert's weights and a step that ends where its slots end.
#pragma once
#include "ops/grouped_linear/grouped_slots.cuh"

// What linears have beside this: no further matrices, no bias and no residual.
constexpr int a_present = 0, b_present = 0, c_present = 0, bias_present = 0, residual_present = 0;
constexpr int a_element = -1, b_element = -1, c_element = -1, a_rows = 0, b_rows = 0, c_rows = 0;
#include "ops/linear/linear_tile.cuh"

static_assert(split == 1 && stream == 0, "a block has its tile");

// Slots [first, end) of an expert; -1 and `expert_count`: of none, before and behind those of experts.
struct expert_tile {
    int expert, first, end;
    bool inside; // the step has the tile
};

// Number `tile` of all experts' tiles in order.  The lanes of a warp look at as many experts at once.
DEVICE expert_tile expert_tile_of(const int *offsets, int tile, int slots)
{
    const int lane = lane_index();
    int before = 0;
    NO_UNROLL for (int e = -1; e <= expert_count; e += warp_lanes) {
        const int own = e + lane;
        const int first = own < 0 ? 0 : own <= expert_count ? offsets[own] : slots;
        const int end = own < expert_count ? offsets[own + 1] : slots;
        const int count = ceil_divide(maximum(end - first, 0), tile_rows);
        int until = count;
        UNROLL for (int distance = 1; distance < warp_lanes; distance *= 2) {
            const int below = __shfl_up_sync(all_lanes, until, distance);
            if (lane >= distance) until += below;
        }
        const unsigned found = __ballot_sync(all_lanes, tile < before + until);
        if (found) {
            const int source = __ffs(found) - 1;
            const int begin = __shfl_sync(all_lanes, first + (tile - before - until + count) * tile_rows, source);
            return expert_tile{e + source, begin, minimum(begin + tile_rows, __shfl_sync(all_lanes, end, source)), true};
        }
        before += __shfl_sync(all_lanes, until, warp_lanes - 1);
    }
    return expert_tile{0, 0, 0, false};
}

// Each slot's row of x, rounded: `rounded` [slots][columns], `scales` [slots].
KERNEL(round_threads)
round_slots(const float *x, const int *order, const int *offsets, unsigned char *rounded, float *scales,
            const struct step *step)
{
    const long long slot = blockIdx.x;
    if (slot >= step->rows * order_per_row || slot >= offsets[expert_count]) return;
    round_row<columns, brain>(x + (long long)slot_row(order, slot) * columns, (uint4 *)(rounded + slot * columns * 2),
                              scales + slot);
}

KERNEL(tile_threads)
grouped_tile(const unsigned char *x, const float *scales, const int *offsets, const unsigned char *weight,
             const unsigned char *gate, const unsigned char *up, float *y, const struct step *step)
{
    const expert_tile tile = expert_tile_of(offsets, blockIdx.x / output_tiles, step->rows * order_per_row);
    if (!tile.inside) return;
    const bool used = tile.expert >= 0 && tile.expert < expert_count;
    const long long matrix = used ? tile.expert * (outputs * weight_row_bytes) : 0;
    linear_operands o = {};
    o.weight = weight + matrix, o.gate = gate + matrix, o.up = up + matrix, o.y = y;
    const struct step slots = {tile.end, step->context, step->stride, step->sequences};
    const tile_place place = {tile.first, (int)(blockIdx.x % output_tiles) * tile_outputs, 0, column_steps};
    tile_sums sums = {};
    if (used) {
        const tile_copies copies = {row_source_of(x, place.first_row, &slots), weight_source_of(o, place.first_output)};
        multiply_steps<rows_bytes + weights_bytes>(copies, place, sums);
    }
    store_tile(o, place, partial_place{}, sums, used && !brain ? scales : nullptr, &slots);
}
