// y = activation(gate) * up.
#include "codegen/cuda/activation.cuh"
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

KERNEL(threads_per_row *rows_per_block)
gated(const float *gate, const float *up, float *y, const struct step *step)
{
    for_each_vector<gate_columns>(step, [=](int row, int column) {
        const long long at = (long long)row * gate_columns + column;
        float a[vector], b[vector];
        load_floats(gate + at, a);
        load_floats(up + at, b);
        UNROLL for (int i = 0; i < vector; i++) a[i] = activate<activation>(a[i]) * b[i];
        store_floats(y + at, a);
    });
}
