// Few rows: a warp computes `outputs_per_warp` outputs of `rows_together` rows, its lanes share the columns;
// `column_warps` warps of a block share them once more.  The space also names `block_outputs`, of a block's warps, and
// `output_blocks`, that it takes for all.
#pragma once
#include "codegen/cuda/warp.cuh"
#include "ops/linear/linear_outputs.cuh"

constexpr int block_threads = warps * warp_lanes;
constexpr int sum_count = outputs_per_warp * rows_together;

static_assert(warps % column_warps == 0, "warps share columns evenly");
static_assert(sum_count <= warp_lanes, "each sum has a lane that finishes it");

// Where a warp works.
struct dot_place {
    int first_output, first_row, column_warp;
};

DEVICE dot_place dot_place_of_warp()
{
    const int output_warp = warp_index() / column_warps;
    return dot_place{(int)(blockIdx.x % output_blocks) * block_outputs + output_warp * outputs_per_warp,
                     (int)(blockIdx.x / output_blocks) * rows_together, warp_index() % column_warps};
}

struct dot_sums {
    float values[tracks][outputs_per_warp][rows_together];
};

struct dot_rows {
    const unsigned char *weights[tracks][outputs_per_warp];
};

// Outputs behind the last repeat it and are not stored.
DEVICE dot_rows dot_weight_rows(const linear_operands &o, const dot_place &place)
{
    dot_rows rows;
    UNROLL for (int t = 0; t < tracks; t++)
        UNROLL for (int i = 0; i < outputs_per_warp; i++)
            rows.weights[t][i] = linear_weight_row(o, t, minimum(place.first_output + i, outputs - 1));
    return rows;
}

// Rows behind the last repeat it and are not stored.
DEVICE int dot_row(const dot_place &place, int r, const struct step *step)
{
    return minimum(place.first_row + r, step->rows - 1);
}

// Adds up the lanes' and warps' parts; lane i * rows_together + r finishes output i of row r.
DEVICE void dot_finish(const linear_operands &o, const dot_place &place, dot_sums &sums, const struct step *step)
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
        UNROLL for (int t = 0; t < tracks; t++) parts[warp_index()][t][lane] = mine[t];
        __syncthreads();
        if (place.column_warp) return;
        UNROLL for (int t = 0; t < tracks; t++)
            UNROLL for (int w = 1; w < column_warps; w++) mine[t] += parts[warp_index() + w][t][lane];
    }
    const int output = place.first_output + lane / rows_together, row = place.first_row + lane % rows_together;
    if (lane < sum_count && output < outputs && row < step->rows) linear_store(o, output, row, mine);
}
