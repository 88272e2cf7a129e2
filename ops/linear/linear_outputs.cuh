// What linear, linear_group and linear_gated have in common: which weight an output belongs to, and what happens to a
// finished sum.  The space names `tracks`, the sums per output (two where it is gated), and `outputs`, all of them.
#pragma once
#include "codegen/cuda/activation.cuh"
#include "codegen/cuda/block.cuh"

constexpr bool gated = gate_present, grouped = a_present;
constexpr int columns = x_columns;
constexpr int element = gated ? gate_element : grouped ? a_element : weight_element;

static_assert(!gated || up_element == gate_element, "gate and up have one type");
static_assert(!grouped || (b_element == a_element && (!c_present || c_element == a_element)), "a, b and c have one type");

constexpr long long weight_row_bytes = row_bytes(element, columns);

// The parameters of kernels, behind x; `arguments: [x, ...]` of their spaces has the same order.
#define LINEAR_PARAMETERS                                                                                              \
    const unsigned char *weight, const unsigned char *gate, const unsigned char *up, const unsigned char *a,           \
        const unsigned char *b, const unsigned char *c, const float *bias, const float *residual,                      \
        const float *a_bias, const float *b_bias, const float *c_bias, float *y, float *y_a, float *y_b, float *y_c,   \
        const struct step *step
#define LINEAR_OPERANDS                                                                                                \
    linear_operands                                                                                                    \
    {                                                                                                                  \
        weight, gate, up, a, b, c, bias, residual, a_bias, b_bias, c_bias, y, y_a, y_b, y_c                            \
    }

struct linear_operands {
    const unsigned char *weight, *gate, *up, *a, *b, *c;
    const float *bias, *residual, *a_bias, *b_bias, *c_bias;
    float *y, *y_a, *y_b, *y_c;
};

// The weight's row of an output; `track` 1 is up's.
DEVICE const unsigned char *linear_weight_row(const linear_operands &o, int track, int output)
{
    if constexpr (gated) return (track ? o.up : o.gate) + output * weight_row_bytes;
    if constexpr (grouped) {
        if (output < a_rows) return o.a + output * weight_row_bytes;
        if (output < a_rows + b_rows) return o.b + (output - a_rows) * weight_row_bytes;
        return o.c + (output - a_rows - b_rows) * weight_row_bytes;
    }
    return o.weight + output * weight_row_bytes;
}

DEVICE void linear_store_group(const float *biases, float *to, int width, int output, int row, float sum)
{
    if (biases) sum += biases[output];
    to[(long long)row * width + output] = sum;
}

// The sum is rounded to a float with its bias before the residual is added.
DEVICE void linear_store(const linear_operands &o, int output, int row, const float (&sums)[tracks])
{
    if constexpr (gated) {
        o.y[(long long)row * outputs + output] = activate<activation>(sums[0]) * sums[1];
    } else if constexpr (grouped) {
        if (output < a_rows)
            linear_store_group(o.a_bias, o.y_a, a_rows, output, row, sums[0]);
        else if (output < a_rows + b_rows)
            linear_store_group(o.b_bias, o.y_b, b_rows, output - a_rows, row, sums[0]);
        else
            linear_store_group(o.c_bias, o.y_c, c_rows, output - a_rows - b_rows, row, sums[0]);
    } else {
        const long long at = (long long)row * outputs + output;
        float sum = sums[0];
        if constexpr (bias_present) sum += o.bias[output];
        if constexpr (residual_present) sum += o.residual[at];
        o.y[at] = sum;
    }
}
