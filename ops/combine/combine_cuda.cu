// combine: the weighted sum of each token's slots.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

constexpr int used = weights_columns;

KERNEL(threads_per_row *rows_per_block)
combine(const float *weights, const float *y, const int *places, float *out, const struct step *step)
{
    for_each_vector<y_columns>(step, [=](int row, int column) {
        float sums[vector] = {};
        NO_UNROLL for (int i = 0; i < used; i++) {
            const long long slot = places[(long long)row * used + i];
            const float weight = weights[(long long)row * used + i];
            float values[vector];
            load_floats(y + slot * y_columns + column, values);
            UNROLL for (int v = 0; v < vector; v++) sums[v] += weight * values[v];
        }
        store_floats(out + (long long)row * y_columns + column, sums);
    });
}
