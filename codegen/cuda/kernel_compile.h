/* CUDA kernels: a variant's NAME.cu with the constants of its problem and config (kernel_config.h)
 * and the device vocabulary (codegen/cuda/NAME.cuh), compiled by NVRTC from memory. */
#ifndef CODEGEN_CUDA_KERNEL_COMPILE_H
#define CODEGEN_CUDA_KERNEL_COMPILE_H

#include "ir/variant.h"

/* What decides, beside the sources, what a kernel is compiled to. */
struct kernel_inputs {
    struct image image;      /* launches and workspaces, no code */
    const char *config_text; /* config.cuh */
};

CHECKED status kernel_inputs_create(const struct generation *generation, struct arena *arena,
                                    struct kernel_inputs *inputs, struct diagnostic *diagnostic);

/* Contents of all that the kernel's source includes, directly or not, config.cuh excepted. */
struct hash kernel_sources_hash(const struct space *space);

/* Whether there is an NVRTC that compiles for cards of this architecture. */
CHECKED status kernel_check_architecture(int sm, struct diagnostic *diagnostic);

/* A generate_function. */
status kernel_compile(const struct generation *generation, struct arena *arena, struct image *image,
                      struct listing *listing, struct diagnostic *diagnostic);

#endif
