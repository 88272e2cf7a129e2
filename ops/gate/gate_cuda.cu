// y = activation(gate) * up; with a limit both are clamped before, a slope makes silu steeper, up may be shifted.  A gate
// of one column is for all columns of up.
#include "codegen/cuda/activation.cuh"
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

constexpr bool common = gate_columns != up_columns;

DEVICE float gate_value(float gate, float up)
{
    if constexpr (limit > 0) {
        gate = fminf(gate, limit);
        up = fmaxf(-limit, fminf(up, limit));
    }
    up += shift;
    if constexpr (activation == activation_sigmoid) return sigmoid(gate) * up;
    if constexpr (slope != 1.0f) return silu(slope * gate) / slope * up;
    return activate<activation>(gate) * up;
}

KERNEL(threads_per_row *rows_per_block)
gated(const float *gate, const float *up, float *y, const struct step *step)
{
    for_each_vector<up_columns>(step, [=](int row, int column) {
        const long long at = (long long)row * up_columns + column;
        float a[vector], b[vector];
        load_floats(up + at, b);
        if constexpr (common) {
            UNROLL for (int i = 0; i < vector; i++) a[i] = gate[row];
        } else {
            load_floats(gate + at, a);
        }
        UNROLL for (int i = 0; i < vector; i++) a[i] = gate_value(a[i], b[i]);
        store_floats(y + at, a);
    });
}
