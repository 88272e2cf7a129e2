/* config.cuh: what a CUDA kernel knows of its problem (codegen/kernel_constants.h), as constexpr lines in a namespace.  A
 * real number NAME is a float; NAME_exact is the same as a double. */
#ifndef CODEGEN_CUDA_KERNEL_CONFIG_H
#define CODEGEN_CUDA_KERNEL_CONFIG_H

#include "ir/variant.h"

/* The file's text. */
CHECKED status kernel_config_write(const struct bound_space *bound, const struct config *config,
                                   struct arena *arena, const char **text,
                                   struct diagnostic *diagnostic);

#endif
