// Many rows, weights of 8-bit floats in blocks of 128, activations with a scale per 32 that the tensor cores apply.
#include "ops/linear/linear_quantize_narrow.cuh"

constexpr bool scaled_rows = true, widened = false;
#include "ops/linear/linear_tile_wide.cuh"

KERNEL(narrow_threads) quantize(const float *x, unsigned *words, unsigned char *scales, const struct step *step)
{
    quantize_rows_mxf8(x, words, scales, step);
}
