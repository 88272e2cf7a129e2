// Every head of x times its own matrix, or one x times all of them: a warp computes one output of `rows_together` rows,
// its lanes share the columns.
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/warp.cuh"

constexpr int element = weight_element, columns = weight_columns;
constexpr int head_outputs = outputs / weight_dimension_0;

// Neighbours that a lane reads at once.
constexpr int vector = element_is_block(element) ? 8 : columns % 4 ? 1 : element == element_f32 || columns % 8 ? 4 : 8;

KERNEL(warps * warp_lanes)
head_linear(const float *x, const unsigned char *weight, float *y, const struct step *step)
{
    const int output = blockIdx.x % output_blocks * warps + warp_index();
    const int first_row = blockIdx.x / output_blocks * rows_together;
    if (first_row >= step->rows || output >= outputs) return;
    const unsigned char *row_of_weights = weight + output * row_bytes(element, columns);
    const float *from = x + (shared ? 0 : output / head_outputs * columns);
    float sums[rows_together] = {};
    for (int column = lane_index() * vector; column < columns; column += warp_lanes * vector) {
        float weights[vector];
        load_elements<element>(row_of_weights, column, weights);
        UNROLL for (int r = 0; r < rows_together; r++) {
            float inputs[vector];
            load_floats(from + (long long)minimum(first_row + r, step->rows - 1) * x_columns + column, inputs);
            UNROLL for (int v = 0; v < vector; v++) sums[r] += weights[v] * inputs[v];
        }
    }
    UNROLL for (int r = 0; r < rows_together; r++) {
        const float sum = warp_sum<warp_lanes>(sums[r]);
        if (lane_index() == 0 && first_row + r < step->rows) y[(long long)(first_row + r) * outputs + output] = sum;
    }
}
