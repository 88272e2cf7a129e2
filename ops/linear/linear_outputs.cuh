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

// Whether two neighbours from an even output on belong to one matrix, and lie at a multiple of 8 bytes.
constexpr bool outputs_pair = grouped ? a_rows % 2 == 0 && b_rows % 2 == 0 && c_rows % 2 == 0 : outputs % 2 == 0;

template <int count> DEVICE void linear_add(const float *from, float (&sums)[count])
{
    float more[count];
    load_floats(from, more);
    UNROLL for (int i = 0; i < count; i++) sums[i] += more[i];
}

template <int count>
DEVICE void linear_store_group(const float *biases, float *to, int width, int output, int row, float (&sums)[count])
{
    if (biases) linear_add(biases + output, sums);
    store_floats(to + (long long)row * width + output, sums);
}

// `count` neighbours: 1, or 2 where `outputs_pair`.  A sum is rounded to a float with its bias before the residual is added.
template <int count>
DEVICE void linear_store(const linear_operands &o, int output, int row, const float (&sums)[tracks][count])
{
    const long long at = (long long)row * outputs + output;
    float finished[count];
    UNROLL for (int i = 0; i < count; i++) {
        if constexpr (gated) finished[i] = activate<activation>(sums[0][i]) * sums[1][i];
        else finished[i] = sums[0][i];
    }
    if constexpr (grouped) {
        if (output < a_rows)
            linear_store_group(o.a_bias, o.y_a, a_rows, output, row, finished);
        else if (output < a_rows + b_rows)
            linear_store_group(o.b_bias, o.y_b, b_rows, output - a_rows, row, finished);
        else
            linear_store_group(o.c_bias, o.y_c, c_rows, output - a_rows - b_rows, row, finished);
    } else {
        if constexpr (bias_present) linear_add(o.bias + output, finished);
        if constexpr (residual_present) linear_add(o.residual + at, finished);
        store_floats(o.y + at, finished);
    }
}

DEVICE void linear_store(const linear_operands &o, int output, int row, const float (&sums)[tracks])
{
    float one[tracks][1];
    UNROLL for (int t = 0; t < tracks; t++) one[t][0] = sums[t];
    linear_store(o, output, row, one);
}
