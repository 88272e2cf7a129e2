/* What cuda_cublaslt*.c share; the only header that includes cublasLt.h. */
#ifndef RUNTIME_CUDA_CUBLASLT_INTERNAL_H
#define RUNTIME_CUDA_CUBLASLT_INTERNAL_H

#include "runtime/cuda/cuda_cublaslt.h"

#if defined(__has_include)
#if __has_include(<cublasLt.h>)
#define HAVE_CUBLASLT_HEADER 1
#include <cublasLt.h>
#endif
#endif

#ifdef HAVE_CUBLASLT_HEADER

/* The library as a card uses it; in the card's arena. */
struct cublaslt {
    void *library;
    cublasLtHandle_t handle;
#define CUBLASLT_FUNCTION(name) __typeof__(&name) name;
#include "runtime/cuda/cublaslt_functions.def"
#undef CUBLASLT_FUNCTION
};

/* In columns, which is how the library thinks: y^T = weight x^T, where a row of ours is a column of its. */
struct cuda_matmul {
    const struct cublaslt *library;
    struct matmul_call call;
    bool bias, residual;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weight, x, y; /* y: of the residual as well */
    uint64_t scratch_bytes;
    int64_t bound_rows, rows;                /* rows: of x and y at present */
    cublasLtMatmulAlgo_t algorithm, current; /* for the bound, for the rows */
};

/* STATUS_OK, or the library's reason. */
CHECKED status cublaslt_check(const struct cuda_device *card, const struct cublaslt *library,
                              cublasStatus_t result, const char *what,
                              struct diagnostic *diagnostic);

/* cuda_cublaslt_choose.c: the algorithm of a rank for the rows that the layouts have now. */
CHECKED status cublaslt_choose(const struct cuda_device *card, const struct cuda_matmul *matmul,
                               int rank, cublasLtMatmulAlgo_t *algorithm,
                               struct diagnostic *diagnostic);
/* Whether the algorithm computes the product for these rows within the workspace. */
bool cublaslt_fits(const struct cuda_matmul *matmul, const cublasLtMatmulAlgo_t *algorithm);

#endif
#endif
