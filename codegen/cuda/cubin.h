/* What a compiled kernel uses, read from its cubin (an ELF file) and from the compiler's log. */
#ifndef CODEGEN_CUDA_CUBIN_H
#define CODEGEN_CUDA_CUBIN_H

#include "ir/variant.h"

/* Fills in registers, local memory, static shared memory and instructions of the kernel `entry`.
 * The bytes may be anything: what cannot be read there is refused. */
CHECKED status cubin_read(const void *bytes, size_t byte_count, const char *entry,
                          struct kernel_resources *resources, struct diagnostic *diagnostic);

/* Spilled bytes of the kernel, from the lines that `--ptxas-options=-v` adds to the log; 0 where
 * there are none. */
int log_spilled_bytes(const char *log, const char *entry);

#endif
