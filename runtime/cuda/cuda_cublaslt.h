/* cuBLASLt as the maker of products (LAUNCH_MATMUL of ir/image.h), loaded at run time.  Nothing but cuda_cublaslt*.c knows the
 * library; where its header was not there when Hone was built, there is no library. */
#ifndef RUNTIME_CUDA_CUDA_CUBLASLT_H
#define RUNTIME_CUDA_CUDA_CUBLASLT_H

#include "runtime/cuda/cuda_device.h"

/* Whether the library is on this machine, by its file; nothing is loaded.  Cards of the stand-in driver have the library that
 * lies beside it and no other. */
bool cuda_cublaslt_is_here(const char *emulated_cards, struct arena *scratch);

/* The same with the file's path: HONE_CUBLASLT where it is set ("none": no library), a folder named in HONE_CUDA_PATH, the
 * toolkit's, LD_LIBRARY_PATH's and the system's folders, Python's packages. */
CHECKED status cuda_cublaslt_find(const char *emulated_cards, struct arena *arena,
                                  const char **path, struct diagnostic *diagnostic);

/* Prepares a launch of a kernel that is being loaded: in the kernel's arena, with its algorithm. */
CHECKED status cuda_matmul_create(struct cuda_device *card, const struct kernel *kernel, int launch,
                                  struct cuda_matmul **matmul, struct diagnostic *diagnostic);
void cuda_matmul_destroy(struct cuda_matmul *matmul); /* NULL is allowed */

/* Gives the product to the card's stream, or to the graph that it captures. */
CHECKED status cuda_matmul_run(struct cuda_device *card, struct cuda_matmul *matmul,
                               const CUdeviceptr addresses[MATMUL_ARGUMENTS], int64_t rows,
                               struct diagnostic *diagnostic);

void cuda_cublaslt_close(struct cuda_device *card);

#endif
