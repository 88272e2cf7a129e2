// grouped_bias: y[s] = x[s] + bias[e] for slot s of expert e; slots without an expert stay.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

constexpr int expert_count = bias_rows;

// The experts that end at or before the slot: the number of the one that has it, or of none.
DEVICE int expert_of_slot(const int *offsets, int slot)
{
    int low = 0, high = expert_count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (offsets[middle + 1] <= slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

KERNEL(threads_per_row *rows_per_block)
grouped_bias(const float *x, const int *offsets, const float *bias, float *y, const struct step *step)
{
    for_each_vector<x_columns>(step, [=](int slot, int column) {
        const long long at = (long long)slot * x_columns + column;
        const int expert = expert_of_slot(offsets, slot);
        float values[vector], added[vector] = {};
        load_floats(x + at, values);
        if (slot >= offsets[0] && expert < expert_count) load_floats(bias + (long long)expert * x_columns + column, added);
        UNROLL for (int v = 0; v < vector; v++) values[v] += added[v];
        store_floats(y + at, values);
    });
}
