// Many rows, weights of mxfp4, activations rounded to mxfp4 as well.
#include "ops/linear/linear_quantize_narrow.cuh"

constexpr bool packed_products = true;
#include "ops/linear/linear_tile_mxfp4.cuh"

KERNEL(narrow_threads) quantize(const float *x, unsigned *words, unsigned char *scales, const struct step *step)
{
    quantize_rows_mxf4(x, words, scales, step);
}
