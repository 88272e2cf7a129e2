// Many rows, weights of 8-bit floats in blocks of 128, widened to f16 in registers.
#include "ops/linear/linear_quantize_narrow.cuh"

constexpr bool scaled_rows = false, widened = true;
#include "ops/linear/linear_tile_wide.cuh"

KERNEL(narrow_threads) quantize(const float *x, unsigned *words, float *scales, const struct step *step)
{
    quantize_rows_wide<weight_type == narrow::e4m3 ? 8 : 0>(x, words, scales, step);
}
