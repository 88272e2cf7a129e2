// Slots sorted by expert, few of each: a block takes `rows_together` slots that follow each other, a run of one expert's
// slots at a time, and some outputs of that expert's weight.  A warp computes `outputs_per_warp` outputs of a run, its
// lanes share the columns; `column_warps` warps of a block share them once more.  The space also names `tracks` (two where
// the operator is gated), `outputs`, `block_outputs`, of a block's warps, and `output_blocks`, that it takes for all.
#pragma once
#include "codegen/cuda/activation.cuh"
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/warp.cuh"
#include "ops/grouped_linear/grouped_slots.cuh"

constexpr int block_threads = warps * warp_lanes;
constexpr int sum_count = outputs_per_warp * rows_together;
constexpr int columns = x_columns;
constexpr bool gated = gate_present;
constexpr int element = gated ? gate_element : weight_element;

constexpr long long weight_row_bytes = row_bytes(element, columns);

static_assert(!gated || up_element == gate_element, "gate and up have one type");
static_assert(warps % column_warps == 0, "warps share columns evenly");
static_assert(sum_count <= warp_lanes, "each sum has a lane that finishes it");

struct grouped_operands {
    const int *order, *offsets;
    const unsigned char *weight, *gate, *up;
    float *y;
};

// The parameters of kernels, behind x; `arguments: [x, ...]` of their spaces has the same order.
#define GROUPED_PARAMETERS                                                                                             \
    const int *order, const int *offsets, const unsigned char *weight, const unsigned char *gate,                      \
        const unsigned char *up, float *y, const struct step *step
#define GROUPED_OPERANDS                                                                                               \
    grouped_operands                                                                                                   \
    {                                                                                                                  \
        order, offsets, weight, gate, up, y                                                                            \
    }

// Where a warp works.
struct grouped_place {
    int first_output, column_warp, first_slot, end_slot;
};

DEVICE grouped_place grouped_place_of_warp(const struct step *step)
{
    grouped_place place;
    place.first_output = (int)(blockIdx.x % output_blocks) * block_outputs + warp_index() / column_warps * outputs_per_warp;
    place.column_warp = warp_index() % column_warps;
    place.first_slot = (int)(blockIdx.x / output_blocks) * rows_together;
    place.end_slot = minimum(place.first_slot + rows_together, step->rows * order_per_row);
    return place;
}

// Slots [first, end) of one expert; -1: of none.
struct grouped_run {
    int first, end, expert;
};

// The last expert that starts at or before the slot has it.  All lanes look at once.
DEVICE grouped_run grouped_run_from(const grouped_operands &o, int slot, const grouped_place &place)
{
    int before = 0;
    NO_UNROLL for (int e = 0; e < expert_count; e += warp_lanes) {
        const int own = e + lane_index();
        before += __popc(__ballot_sync(all_lanes, own < expert_count && o.offsets[minimum(own, expert_count)] <= slot));
    }
    if (slot >= o.offsets[expert_count]) return grouped_run{slot, place.end_slot, -1};
    return grouped_run{slot, minimum(place.end_slot, o.offsets[before]), before - 1};
}

// Slots behind the run's last repeat it and are not stored.
DEVICE int grouped_row(const grouped_operands &o, const grouped_run &run, int r)
{
    const int slot = minimum(run.first + r, run.end - 1);
    return slot_row(o.order, slot);
}

// Outputs behind the last repeat it and are not stored.
DEVICE const unsigned char *grouped_weight_row(const grouped_operands &o, const grouped_run &run, int track, int output)
{
    const unsigned char *weight = gated ? (track ? o.up : o.gate) : o.weight;
    return weight + ((long long)run.expert * outputs + minimum(output, outputs - 1)) * weight_row_bytes;
}

struct grouped_sums {
    float values[tracks][outputs_per_warp][rows_together];
};

DEVICE void grouped_store(const grouped_operands &o, const grouped_place &place, const grouped_run &run,
                          const float (&sums)[tracks])
{
    const int lane = lane_index(), output = place.first_output + lane / rows_together;
    const int slot = run.first + lane % rows_together;
    if (place.column_warp || lane >= sum_count || output >= outputs || slot >= run.end) return;
    float result = sums[0];
    if constexpr (gated) result = activate<activation>(result) * sums[tracks - 1];
    o.y[(long long)slot * outputs + output] = run.expert < 0 ? 0.0f : result;
}

// Adds up the lanes' and warps' parts; lane i * rows_together + r finishes output i of slot r.  All warps of the block
// come here with the same run.
DEVICE void grouped_finish(const grouped_operands &o, const grouped_place &place, const grouped_run &run,
                           const grouped_sums &sums)
{
    __shared__ float parts[warps][tracks][warp_lanes];
    float mine[tracks];
    const int lane = lane_index();
    UNROLL for (int t = 0; t < tracks; t++) {
        mine[t] = 0;
        UNROLL for (int i = 0; i < outputs_per_warp; i++)
            UNROLL for (int r = 0; r < rows_together; r++) {
                const float sum = warp_sum<warp_lanes>(sums.values[t][i][r]);
                if (lane == i * rows_together + r) mine[t] = sum;
            }
    }
    if constexpr (column_warps > 1) {
        __syncthreads(); // the parts of an earlier run have been added up
        UNROLL for (int t = 0; t < tracks; t++) parts[warp_index()][t][lane] = mine[t];
        __syncthreads();
        if (place.column_warp == 0) {
            UNROLL for (int t = 0; t < tracks; t++)
                UNROLL for (int w = 1; w < column_warps; w++) mine[t] += parts[warp_index() + w][t][lane];
        }
    }
    grouped_store(o, place, run, mine);
}
