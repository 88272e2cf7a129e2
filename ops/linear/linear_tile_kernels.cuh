// The kernels of the linears of many rows in 16-bit numbers.
#pragma once
#include "ops/linear/linear_tile.cuh"

KERNEL(round_threads) round_rows(const float *x, unsigned char *rounded, float *scales, const struct step *step)
{
    if (blockIdx.x < step->rows) round_row_of_block<columns, brain>(x, rounded, scales);
}

KERNEL(tile_threads)
linear_tile(const unsigned char *x, const float *scales, float *partial, LINEAR_PARAMETERS)
{
    const linear_operands o = LINEAR_OPERANDS;
    const auto copies_of = [&](const tile_place &place) {
        return tile_copies{row_source_of(x, place.first_row, step), weight_source_of(o, place.first_output)};
    };
    compute_block<rows_bytes + weights_bytes>(o, copies_of, brain ? nullptr : scales, partial, step);
}
