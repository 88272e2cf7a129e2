/* The stand-in cuBLASLt's product. */
#include "emulator/cublaslt.h"
#include "emulator/number.h"

#include <string.h>

enum matmul_area { AREA_A, AREA_B, AREA_C, AREA_D, AREA_BIAS, AREA_WORKSPACE, AREA_COUNT };

/* What is left of a product when it is the stream's turn. */
struct matmul {
    uint64_t m, n, k;
    uint64_t leading[4]; /* of A to D */
    uint32_t type, result_type;
    bool transposed[2];
    int32_t splits;
    float alpha, beta;
};

_Static_assert((int)AREA_COUNT <= (int)LIBRARY_AREAS_MAX &&
                   sizeof(struct matmul) <= LIBRARY_ARGUMENT_BYTES,
               "a product fits the work of a library");

static float load_element(const unsigned char *base, uint32_t type, uint64_t index)
{
    uint16_t code;
    float value;
    if (type == CUDA_R_32F) {
        memcpy(&value, base + index * sizeof value, sizeof value);
        return value;
    }
    memcpy(&code, base + index * sizeof code, sizeof code);
    return type == CUDA_R_16BF ? bf16_decode(code) : f16_decode(code);
}

static void store_element(unsigned char *base, uint32_t type, uint64_t index, float value)
{
    if (type == CUDA_R_32F) {
        memcpy(base + index * sizeof value, &value, sizeof value);
        return;
    }
    uint16_t code = type == CUDA_R_16BF ? bf16_encode(value) : f16_encode(value);
    memcpy(base + index * sizeof code, &code, sizeof code);
}

/* Column `column` of op(B), or row `column` of op(A): k numbers, `along` apart. */
static void load_line(const unsigned char *base, uint32_t type, uint64_t line, uint64_t leading,
                      bool together, uint64_t k, float *values)
{
    uint64_t start = together ? line * leading : line, along = together ? 1 : leading;
    for (uint64_t i = 0; i < k; i++) values[i] = load_element(base, type, start + i * along);
}

/* Sixteen sums side by side, as a vector register holds them. */
static float dot(const float *a, const float *b, uint64_t count)
{
    enum { LANES = 16 };
    float sums[LANES] = {0}, sum = 0;
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int l = 0; l < LANES; l++) sums[l] += a[i + (uint64_t)l] * b[i + (uint64_t)l];
    for (; i < count; i++) sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++) sum += sums[l];
    return sum;
}

/* The sums of the parts go through the workspace, as on a card. */
static float sum_terms(const struct matmul *matmul, unsigned char *workspace, uint64_t index,
                       const float *a, const float *b)
{
    float sum = 0, part;
    if (matmul->splits == 1) return dot(a, b, matmul->k);
    for (uint64_t s = 0; s < (uint64_t)matmul->splits; s++) {
        uint64_t begin = matmul->k * s / (uint64_t)matmul->splits;
        uint64_t end = matmul->k * (s + 1) / (uint64_t)matmul->splits;
        uint64_t place = (s * matmul->m * matmul->n + index) * sizeof part;
        part = dot(a + begin, b + begin, end - begin);
        memcpy(workspace + place, &part, sizeof part);
        sum += part;
    }
    return sum;
}

static void finish_element(const struct matmul *matmul, unsigned char *const *memory, uint64_t row,
                           uint64_t column, float sum)
{
    float value = matmul->alpha * sum;
    if (memory[AREA_C])
        value += matmul->beta * load_element(memory[AREA_C], matmul->result_type,
                                             column * matmul->leading[2] + row);
    if (memory[AREA_BIAS]) value += load_element(memory[AREA_BIAS], matmul->result_type, row);
    store_element(memory[AREA_D], matmul->result_type, column * matmul->leading[3] + row, value);
}

/* All of op(A)'s rows are read once; lines of op(B) one after the other. */
static void multiply(const struct matmul *matmul, unsigned char *const *memory, float *a, float *b)
{
    for (uint64_t row = 0; row < matmul->m; row++)
        load_line(memory[AREA_A], matmul->type, row, matmul->leading[0], matmul->transposed[0],
                  matmul->k, a + row * matmul->k);
    for (uint64_t column = 0; column < matmul->n; column++) {
        load_line(memory[AREA_B], matmul->type, column, matmul->leading[1], !matmul->transposed[1],
                  matmul->k, b);
        for (uint64_t row = 0; row < matmul->m; row++)
            finish_element(matmul, memory, row, column,
                           sum_terms(matmul, memory[AREA_WORKSPACE], column * matmul->m + row,
                                     a + row * matmul->k, b));
    }
}

static bool run_matmul(const void *argument, unsigned char *const *memory)
{
    const struct matmul *matmul = argument;
    struct arena *arena = arena_create(0);
    float *a = arena ? arena_allocate(arena, matmul->m * matmul->k, sizeof *a) : NULL;
    float *b = arena ? arena_allocate(arena, matmul->k, sizeof *b) : NULL;
    if (a && b) multiply(matmul, memory, a, b);
    arena_destroy(arena);
    return a && b;
}

/* ---- The call ---- */

static struct library_area area_of(const void *address, const struct matrix_layout *layout)
{
    uint64_t elements = (layout->columns - 1) * (uint64_t)layout->leading + layout->rows;
    return (struct library_area){(uint64_t)(uintptr_t)address,
                                 elements * element_bytes(layout->type)};
}

static void describe(const struct product *product, const struct algorithm *algorithm, float alpha,
                     float beta, struct matmul *matmul)
{
    const struct matrix_layout *const layouts[] = {product->a, product->b, product->c, product->d};
    *matmul = (struct matmul){.m = product->m,
                              .n = product->n,
                              .k = product->k,
                              .type = product->a->type,
                              .result_type = product->d->type,
                              .splits = algorithm->splits,
                              .alpha = alpha,
                              .beta = beta};
    for (int l = 0; l < 4; l++) matmul->leading[l] = (uint64_t)layouts[l]->leading;
    for (int t = 0; t < 2; t++)
        matmul->transposed[t] = product->operation->transposed[t] == CUBLAS_OP_T;
}

/* The algorithm that was given, or the heuristic's first. */
static cublasStatus_t choose(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                             const cublasLtMatrixLayout_t layouts[4],
                             const cublasLtMatmulAlgo_t *given, size_t workspace_bytes,
                             struct algorithm *algorithm)
{
    cublasLtMatmulHeuristicResult_t result;
    struct matmul_preference preference = {.workspace_bytes = workspace_bytes};
    int count;
    if (!given) {
        TRY_CUBLAS(cublasLtMatmulAlgoGetHeuristic(
            handle, operation, layouts[0], layouts[1], layouts[2], layouts[3],
            (cublasLtMatmulPreference_t)(void *)&preference, 1, &result, &count));
        given = &result.algo;
    }
    memcpy(algorithm, given, sizeof *algorithm);
    return CUBLAS_STATUS_SUCCESS;
}

/* Wide loads of A and B, wide stores of D. */
static bool addresses_fit(const struct algorithm *algorithm, const void *a, const void *b,
                          const void *d)
{
    uintptr_t all = (uintptr_t)a | (uintptr_t)b | (uintptr_t)d;
    return !algorithm_is_wide(algorithm) || all % WIDE_BYTES == 0;
}

/* Results of the driver as the library tells them. */
static cublasStatus_t answer(int result)
{
    return result == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                              const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout,
                              const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    const cublasLtMatrixLayout_t layouts[] = {a_layout, b_layout, c_layout, d_layout};
    struct library_work work = {
        .name = "cublasLtMatmul", .run = run_matmul, .area_count = AREA_COUNT};
    struct library_card card;
    struct product product;
    struct algorithm algorithm;
    struct algorithm_traits traits;
    struct matmul matmul;
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!alpha || !beta || !a || !b || !d) return CUBLAS_STATUS_INVALID_VALUE;
    if (handle->card(&card) != 0) return CUBLAS_STATUS_EXECUTION_FAILED;
    TRY_CUBLAS(product_read(operation, a_layout, b_layout, c_layout, d_layout, &product));
    TRY_CUBLAS(choose(handle, operation, layouts, algo, workspace_bytes, &algorithm));
    TRY_CUBLAS(algorithm_check(&card, &product, &algorithm, &traits));
    if (traits.workspace_bytes > workspace_bytes) return CUBLAS_STATUS_INVALID_VALUE;
    if (!addresses_fit(&algorithm, a, b, d)) return CUBLAS_STATUS_NOT_SUPPORTED;
    describe(&product, &algorithm, *(const float *)alpha, *(const float *)beta, &matmul);
    if (matmul.beta != 0 && !c) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(work.argument, &matmul, sizeof matmul);
    work.seconds = traits.seconds;
    work.areas[AREA_A] = area_of(a, product.a);
    work.areas[AREA_B] = area_of(b, product.b);
    if (matmul.beta != 0) work.areas[AREA_C] = area_of(c, product.c);
    work.areas[AREA_D] = area_of(d, product.d);
    if (product.operation->epilogue & CUBLASLT_EPILOGUE_BIAS) {
        if (!product.operation->bias) return CUBLAS_STATUS_INVALID_VALUE;
        work.areas[AREA_BIAS] = (struct library_area){(uint64_t)(uintptr_t)product.operation->bias,
                                                      product.m * element_bytes(product.d->type)};
    }
    if (traits.workspace_bytes)
        work.areas[AREA_WORKSPACE] =
            (struct library_area){(uint64_t)(uintptr_t)workspace, traits.workspace_bytes};
    return answer(handle->submit(stream, &work));
}
