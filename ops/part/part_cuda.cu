// y: elements first to first + size - 1 of every head of x.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/rows.cuh"

constexpr int head_columns = x_columns / heads;

static_assert(head_columns % vector == 0 && first % vector == 0 && size % vector == 0, "a vector lies in one head's part");

KERNEL(threads_per_row *rows_per_block)
part_rows(const float *x, float *y, const struct step *step)
{
    for_each_vector<y_columns>(step, [=](int row, int column) {
        float values[vector];
        load_floats(x + (long long)row * x_columns + column / size * head_columns + first + column % size, values);
        store_floats(y + (long long)row * y_columns + column, values);
    });
}
