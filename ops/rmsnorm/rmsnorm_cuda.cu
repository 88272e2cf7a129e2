// rmsnorm and add_rmsnorm: a group of threads per row, which stays in registers between the sum of its squares and the
// scaling where it fits.
#include "codegen/cuda/memory.cuh"
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

constexpr int columns = weight_columns; // of a row, or of a head with a norm of its own
constexpr int stride = threads_per_row * vector;
constexpr bool adds = norm_present;

static_assert(columns % vector == 0, "rows are whole vectors");
static_assert(threads_per_row * rows_per_block >= warp_lanes, "a block has a warp at least");
static_assert(threads_per_row * rows_per_block <= 1024, "a block has 1024 threads at most");

// The values that the row's norm is taken of: x, or x + y, which is written as well.
DEVICE void load_terms(const float *x, const float *y, float *sum, long long at, float (&values)[vector])
{
    load_floats(x + at, values);
    if constexpr (adds) {
        float added[vector];
        load_floats(y + at, added);
        UNROLL for (int i = 0; i < vector; i++) values[i] += added[i];
        if (sum) store_floats(sum + at, values);
    }
}

DEVICE float squares(const float (&values)[vector])
{
    float sum = 0;
    UNROLL for (int i = 0; i < vector; i++) sum += values[i] * values[i];
    return sum;
}

DEVICE void store_scaled(const float (&values)[vector], float scale, const float *weight, int column, float *to)
{
    float weights[vector], results[vector];
    load_floats(weight + column, weights);
    UNROLL for (int i = 0; i < vector; i++) results[i] = values[i] * scale * (weights[i] + offset);
    store_floats(to, results);
}

// add_rmsnorm has y among its inputs, rmsnorm as its output.
KERNEL(threads_per_row *rows_per_block)
rmsnorm(const float *x, float *y, const float *weight, float *sum, float *norm, const struct step *step)
{
    const int first_row = blockIdx.x * rows_per_block;
    const int rows = step->rows * per_row;
    if (first_row >= rows) return;
    const int row = first_row + threadIdx.x / threads_per_row;
    const int begin = threadIdx.x % threads_per_row * vector;
    const bool active = row < rows;
    const long long base = (long long)row * columns;
    float *to = (adds ? norm : y) + base;
    float kept[in_registers ? per_thread : 1][vector], total = 0;
    UNROLL for (int i = 0; i < (in_registers ? per_thread : 1); i++)
        UNROLL for (int j = 0; j < vector; j++) kept[i][j] = 0;
    if constexpr (in_registers) {
        UNROLL for (int i = 0; i < per_thread; i++) {
            const int column = begin + i * stride;
            if (active && column < columns) load_terms(x, y, sum, base + column, kept[i]);
            total += squares(kept[i]);
        }
    } else {
        for (int column = begin; active && column < columns; column += stride) {
            load_terms(x, y, sum, base + column, kept[0]);
            total += squares(kept[0]);
        }
    }
    total = group_sum<threads_per_row, threads_per_row * rows_per_block>(total);
    const float scale = 1.0f / sqrtf(total / columns + epsilon);
    if (!active) return;
    if constexpr (in_registers) {
        UNROLL for (int i = 0; i < per_thread; i++) {
            const int column = begin + i * stride;
            if (column < columns) store_scaled(kept[i], scale, weight, column, to + column);
        }
    } else {
        for (int column = begin; column < columns; column += stride) {
            load_terms(x, y, nullptr, base + column, kept[0]);
            store_scaled(kept[0], scale, weight, column, to + column);
        }
    }
}
