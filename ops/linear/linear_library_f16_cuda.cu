// Many rows, f16 weights: activations rounded to f16 here, the product by cuBLASLt.
#include "ops/linear/linear_library.cuh"

KERNEL(round_threads)
round_activations(const float *x, void *narrow, const struct step *step)
{
    round_activations<false>(x, narrow, step);
}
