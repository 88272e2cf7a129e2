// y: every head of x, then its tail, or the one of all heads.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

static_assert(head_width % vector == 0 && tail_width % vector == 0, "a vector lies in a head or in its tail");

KERNEL(threads_per_row *rows_per_block)
join_rows(const float *x, const float *tail, float *y, const struct step *step)
{
    for_each_vector<y_columns>(step, [=](int row, int column) {
        constexpr int width = head_width + tail_width;
        const int head = column / width, within = column % width;
        float values[vector];
        if (within < head_width)
            load_floats(x + (long long)row * x_columns + head * head_width + within, values);
        else
            load_floats(tail + (long long)row * tail_width * (shared ? 1 : heads) +
                            (shared ? 0 : head * tail_width) + within - head_width,
                        values);
        store_floats(y + (long long)row * y_columns + column, values);
    });
}
