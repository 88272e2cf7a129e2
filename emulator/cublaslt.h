/* The stand-in cuBLASLt: libcublasLt.so.13 beside the stand-in driver, for the calls that Hone makes.
 *
 * D = alpha op(A) op(B) + beta C, then the epilogue, over the memory of the stand-in driver's cards: column-major matrices of
 * f16, bf16 or f32, sums in f32.  What it does not know it refuses with CUBLAS_STATUS_NOT_SUPPORTED, never guesses.
 *
 * It has two algorithms: 1 takes any sizes, on any card, without workspace; 21 takes columns and addresses of whole 16 bytes and has tiles,
 * stages and splits of K, whose partial sums lie in the workspace.  The order in which the heuristic lists them ignores how the
 * tiles fill the card's multiprocessors; the modelled time does not, so that measuring finds better ones than the first. */
#ifndef EMULATOR_CUBLASLT_H
#define EMULATOR_CUBLASLT_H

#include "base/arena.h"
#include "emulator/library_work.h"

#include <cublasLt.h>

#include <stdbool.h>

struct cublasLtContext {
    struct arena *arena;
    void *driver; /* the stand-in, loaded by whoever uses the card */
    hone_emulator_library_submit_function *submit;
    hone_emulator_library_card_function *card;
};

struct matrix_layout {
    struct arena *arena;
    uint32_t type, order;
    uint64_t rows, columns;
    int64_t leading;
};

struct matmul_operation {
    struct arena *arena;
    int32_t compute, scale, pointer_mode, transposed[2], epilogue, bias_type;
    const void *bias;
};

struct matmul_preference {
    struct arena *arena;
    uint64_t workspace_bytes;
    uint32_t alignment_bytes[4]; /* of A to D; 256 at first */
};

/* What lies in the 64 bytes of a cublasLtMatmulAlgo_t. */
struct algorithm {
    uint32_t mark; /* of this version of the stand-in */
    int32_t id;
    uint32_t tile, stages, reduction, swizzle, option;
    int32_t splits;
};

/* A product in columns: D is m x n, the sums have k terms. */
struct product {
    const struct matmul_operation *operation;
    const struct matrix_layout *a, *b, *c, *d;
    uint64_t m, n, k;
};

enum { WIDE_BYTES = 16, DEFAULT_ALIGNMENT_BYTES = 256 };

static inline const struct matrix_layout *layout_of(cublasLtMatrixLayout_t handle)
{
    return (const struct matrix_layout *)(const void *)handle;
}

static inline const struct matmul_operation *operation_of(cublasLtMatmulDesc_t handle)
{
    return (const struct matmul_operation *)(const void *)handle;
}

/* 0 for types that the stand-in does not know. */
static inline uint64_t element_bytes(uint32_t type)
{
    if (type == CUDA_R_32F) return 4;
    return type == CUDA_R_16F || type == CUDA_R_16BF ? 2 : 0;
}

/* cublaslt_algorithm.c */
cublasStatus_t product_read(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                            cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                            cublasLtMatrixLayout_t d, struct product *product);

struct algorithm_traits {
    uint64_t workspace_bytes;
    double waves, seconds;
    double guess; /* what the heuristic takes the seconds for */
};
cublasStatus_t algorithm_check(const struct library_card *card, const struct product *product,
                               const struct algorithm *algorithm, struct algorithm_traits *traits);

/* The mark of this library's algorithms: another version does not take them. */
uint32_t algorithm_mark(void);

/* Whether it loads 16 bytes at once. */
bool algorithm_is_wide(const struct algorithm *algorithm);

/* cublaslt.c */
size_t library_version(void);

#define TRY_CUBLAS(expression)                                                                     \
    do {                                                                                           \
        cublasStatus_t try_result_ = (expression);                                                 \
        if (try_result_ != CUBLAS_STATUS_SUCCESS) return try_result_;                              \
    } while (0)

#endif
