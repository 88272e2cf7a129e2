// Many rows, weights of bytes in blocks of 128.
#include "ops/linear/linear_quantize.cuh"

constexpr bool scaled_rows = false, widened = false;
#include "ops/linear/linear_tile_wide.cuh"

KERNEL(quantize_threads) quantize(const float *x, int *bytes, float *scales, const struct step *step)
{
    quantize_rows<warp_lanes>(x, bytes, scales, nullptr, step);
}
