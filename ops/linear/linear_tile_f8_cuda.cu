// Many rows, weights of 8-bit floats in blocks of 128.
#include "ops/linear/linear_quantize_narrow.cuh"

constexpr bool scaled_rows = false, widened = false;
#include "ops/linear/linear_tile_wide.cuh"

KERNEL(narrow_threads) quantize(const float *x, unsigned *words, float *scales, const struct step *step)
{
    quantize_rows_f8(x, words, scales, step);
}
