// Many rows, bf16 weights: activations rounded to bf16 here, the product by cuBLASLt.
#include "ops/linear/linear_library.cuh"

KERNEL(round_threads)
round_activations(const float *x, void *narrow, const struct step *step)
{
    round_activations<true>(x, narrow, step);
}
