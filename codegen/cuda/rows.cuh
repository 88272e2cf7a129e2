// Row-by-row kernels: blocks of `rows_per_block` rows, each with `threads_per_row` threads that take `vector` neighbours
// at a time, `steps` times.  The space names these four as tunables and launches, per group of rows_per_block rows of
// the step, `per_row` (rows of the operand per row of the step) times `parts` = ceil(columns / (threads_per_row *
// vector * steps)) blocks of threads_per_row * rows_per_block threads.
#pragma once
#include "codegen/cuda/types.cuh"
#include "config.cuh"

static_assert(threads_per_row * rows_per_block >= warp_lanes, "a block has a warp at least");
static_assert(threads_per_row * rows_per_block <= 1024, "a block has 1024 threads at most");

// body(row, column) for every vector of this thread.
template <int columns, class Body> DEVICE void for_each_vector(const struct step *step, Body body)
{
    static_assert(columns % vector == 0, "rows are whole vectors");
    constexpr int part_columns = threads_per_row * vector * steps;
    static_assert(parts * part_columns >= columns, "parts cover the columns");
    const int row = blockIdx.x / parts * rows_per_block + threadIdx.x / threads_per_row;
    if (row >= step->rows * per_row) return;
    const int begin = blockIdx.x % parts * part_columns + threadIdx.x % threads_per_row * vector;
    UNROLL for (int s = 0; s < steps; s++) {
        const int column = begin + s * threads_per_row * vector;
        if (column < columns) body(row, column);
    }
}
