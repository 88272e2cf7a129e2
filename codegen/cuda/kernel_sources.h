/* The files that a CUDA kernel may include: the device vocabulary, and what the space's operators
 * share. */
#ifndef CODEGEN_CUDA_KERNEL_SOURCES_H
#define CODEGEN_CUDA_KERNEL_SOURCES_H

#include "ir/space.h"

/* The generated one is not among them. */
#define KERNEL_CONFIG_NAME "config.cuh"

int kernel_source_count(const struct space *space);
struct kernel_source kernel_source_at(const struct space *space, int index);

#endif
