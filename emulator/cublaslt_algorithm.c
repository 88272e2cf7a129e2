/* The stand-in cuBLASLt's algorithms: what they can be configured to, which products they take, and how long they take. */
#include "emulator/cublaslt.h"

#include <stdlib.h>
#include <string.h>

enum { SIMPLE = 1, TILED = 21, MARK = 0x4C544C48, SPLITS_MAX = 4, CANDIDATES_MAX = 256 };

_Static_assert(sizeof(struct algorithm) <= sizeof(cublasLtMatmulAlgo_t),
               "algorithms have 64 bytes");

static const struct {
    uint32_t id;
    uint32_t m, n;
} tiles[] = {
    {CUBLASLT_MATMUL_TILE_32x32, 32, 32},     {CUBLASLT_MATMUL_TILE_64x64, 64, 64},
    {CUBLASLT_MATMUL_TILE_64x128, 64, 128},   {CUBLASLT_MATMUL_TILE_128x64, 128, 64},
    {CUBLASLT_MATMUL_TILE_128x128, 128, 128},
};
static const uint32_t stages[] = {CUBLASLT_MATMUL_STAGES_32x3, CUBLASLT_MATMUL_STAGES_64x3};

enum { TILES = sizeof tiles / sizeof *tiles, STAGES = sizeof stages / sizeof *stages };

uint32_t algorithm_mark(void)
{
    return MARK ^ (uint32_t)library_version();
}

static const struct algorithm *algorithm_of(const cublasLtMatmulAlgo_t *handle)
{
    return (const struct algorithm *)(const void *)handle;
}

/* ---- Products ---- */

static bool layout_is_sound(const struct matrix_layout *layout)
{
    return layout && layout->order == CUBLASLT_ORDER_COL && element_bytes(layout->type) &&
           layout->rows && layout->columns && layout->rows < UINT32_MAX &&
           layout->columns < UINT32_MAX && layout->leading >= (int64_t)layout->rows &&
           layout->leading < UINT32_MAX;
}

/* A and B of one type; D of that type or f32, as C; sums and factors in f32. */
static bool types_are_known(const struct product *product)
{
    const struct matmul_operation *operation = product->operation;
    bool bias = operation->epilogue & CUBLASLT_EPILOGUE_BIAS;
    int32_t bias_type = operation->bias_type < 0 ? (int32_t)product->d->type : operation->bias_type;
    return product->a->type == product->b->type && product->c->type == product->d->type &&
           (product->d->type == CUDA_R_32F || product->d->type == product->a->type) &&
           operation->compute == CUBLAS_COMPUTE_32F && operation->scale == CUDA_R_32F &&
           (!bias || bias_type == (int32_t)product->d->type);
}

cublasStatus_t product_read(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                            cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                            cublasLtMatrixLayout_t d, struct product *product)
{
    *product = (struct product){.operation = operation_of(operation),
                                .a = layout_of(a),
                                .b = layout_of(b),
                                .c = layout_of(c),
                                .d = layout_of(d)};
    if (!operation || !a || !b || !c || !d) return CUBLAS_STATUS_INVALID_VALUE;
    if (!layout_is_sound(product->a) || !layout_is_sound(product->b) ||
        !layout_is_sound(product->c) || !layout_is_sound(product->d))
        return CUBLAS_STATUS_INVALID_VALUE;
    bool ta = product->operation->transposed[0] == CUBLAS_OP_T;
    bool tb = product->operation->transposed[1] == CUBLAS_OP_T;
    product->m = ta ? product->a->columns : product->a->rows;
    product->k = ta ? product->a->rows : product->a->columns;
    product->n = tb ? product->b->rows : product->b->columns;
    uint64_t depth = tb ? product->b->columns : product->b->rows;
    if (depth != product->k || product->d->rows != product->m ||
        product->d->columns != product->n || product->c->rows != product->m ||
        product->c->columns != product->n)
        return CUBLAS_STATUS_INVALID_VALUE;
    int32_t epilogue = product->operation->epilogue;
    bool known = types_are_known(product) &&
                 product->operation->pointer_mode == CUBLASLT_POINTER_MODE_HOST &&
                 (epilogue == CUBLASLT_EPILOGUE_DEFAULT || epilogue == CUBLASLT_EPILOGUE_BIAS);
    return known ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

/* ---- Configurations ---- */

static int tile_index(uint32_t tile)
{
    for (int t = 0; t < TILES; t++)
        if (tiles[t].id == tile) return t;
    return -1;
}

static bool is_configured(const struct algorithm *algorithm)
{
    bool plain = !algorithm->swizzle && !algorithm->option;
    if (algorithm->mark != algorithm_mark() || !plain) return false;
    if (algorithm->id == SIMPLE)
        return !algorithm->tile && !algorithm->stages && algorithm->splits == 1 &&
               !algorithm->reduction;
    if (algorithm->id != TILED || tile_index(algorithm->tile) < 0) return false;
    bool staged = false;
    for (int s = 0; s < STAGES; s++) staged = staged || stages[s] == algorithm->stages;
    bool reduces = algorithm->reduction == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    return staged && algorithm->splits >= 1 && algorithm->splits <= SPLITS_MAX &&
           reduces == (algorithm->splits > 1);
}

bool algorithm_is_wide(const struct algorithm *algorithm)
{
    return algorithm->id == TILED;
}

static bool is_aligned(const struct matrix_layout *layout)
{
    return (uint64_t)layout->leading * element_bytes(layout->type) % WIDE_BYTES == 0;
}

static uint64_t ceil_divide(uint64_t count, uint64_t size)
{
    return (count + size - 1) / size;
}

/* Full tiles at the card's rate, whole waves of them; small tiles and short stages reach less of it. */
static void model_time(const struct library_card *card, const struct product *product,
                       const struct algorithm *algorithm, struct algorithm_traits *traits)
{
    int tile = algorithm->id == TILED ? tile_index(algorithm->tile) : 0;
    uint64_t tm = tiles[tile].m, tn = tiles[tile].n;
    uint64_t blocks =
        ceil_divide(product->m, tm) * ceil_divide(product->n, tn) * (uint64_t)algorithm->splits;
    double share = (double)(tm * tn) / (double)(tm * tn + 16 * (tm + tn));
    if (algorithm->id == SIMPLE) share *= 0.25;
    if (algorithm->stages == stages[0]) share *= 0.95;
    double operations = 2.0 * (double)product->k / algorithm->splits * (double)(tm * tn);
    double tile_seconds = operations / (card->matrix_operations_per_clock * share * card->clock_hz);
    double bytes = (double)element_bytes(product->a->type) *
                       (double)(product->m * product->k + product->n * product->k) +
                   4.0 * (double)(product->m * product->n) * (1 + 2.0 * (algorithm->splits - 1));
    double memory = bytes / card->memory_bytes_per_second;
    double waves = (double)blocks / card->multiprocessors;
    uint64_t whole = ceil_divide(blocks, card->multiprocessors);
    traits->waves = waves;
    traits->seconds =
        3e-6 + ((double)whole * tile_seconds > memory ? (double)whole * tile_seconds : memory);
    traits->guess = 3e-6 + (waves * tile_seconds > memory ? waves * tile_seconds : memory);
}

cublasStatus_t algorithm_check(const struct library_card *card, const struct product *product,
                               const struct algorithm *algorithm, struct algorithm_traits *traits)
{
    *traits = (struct algorithm_traits){0};
    if (!is_configured(algorithm)) return CUBLAS_STATUS_INVALID_VALUE;
    if (product->a->type == CUDA_R_16BF && card->sm < 80) return CUBLAS_STATUS_ARCH_MISMATCH;
    if (algorithm->id == TILED &&
        (!is_aligned(product->a) || !is_aligned(product->b) || product->a->type == CUDA_R_32F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if ((uint64_t)algorithm->splits > product->k) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (algorithm->splits > 1)
        traits->workspace_bytes =
            product->m * product->n * (uint64_t)algorithm->splits * sizeof(float);
    model_time(card, product, algorithm, traits);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t *algo,
                                       cublasLtMatmulHeuristicResult_t *result)
{
    struct library_card card;
    struct product product;
    struct algorithm_traits traits;
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!algo || !result) return CUBLAS_STATUS_INVALID_VALUE;
    if (handle->card(&card) != 0) return CUBLAS_STATUS_EXECUTION_FAILED;
    TRY_CUBLAS(product_read(operation, a, b, c, d, &product));
    result->state = algorithm_check(&card, &product, algorithm_of(algo), &traits);
    result->workspaceSize = traits.workspace_bytes;
    result->wavesCount = (float)traits.waves;
    return result->state;
}

/* ---- The heuristic ---- */

struct guessed {
    struct algorithm algorithm;
    struct algorithm_traits traits;
};

static int compare_guesses(const void *a, const void *b)
{
    const struct guessed *first = a, *second = b;
    int order =
        (first->traits.guess > second->traits.guess) - (first->traits.guess < second->traits.guess);
    return order ? order : memcmp(&first->algorithm, &second->algorithm, sizeof first->algorithm);
}

static bool is_preferred(const struct matmul_preference *preference,
                         const struct algorithm *algorithm, const struct algorithm_traits *traits)
{
    for (int a = 0; a < 4 && algorithm_is_wide(algorithm); a++)
        if (preference->alignment_bytes[a] % WIDE_BYTES) return false;
    return traits->workspace_bytes <= preference->workspace_bytes;
}

static void add_guess(const struct library_card *card, const struct product *product,
                      const struct matmul_preference *preference, const struct algorithm *algorithm,
                      struct guessed *guesses, int *count)
{
    struct guessed *guess = &guesses[*count];
    guess->algorithm = *algorithm;
    guess->algorithm.mark = algorithm_mark();
    if (algorithm_check(card, product, &guess->algorithm, &guess->traits) ==
            CUBLAS_STATUS_SUCCESS &&
        is_preferred(preference, &guess->algorithm, &guess->traits))
        ++*count;
}

/* Splits are offered as powers of two. */
static int list_guesses(const struct library_card *card, const struct product *product,
                        const struct matmul_preference *preference, struct guessed *guesses)
{
    int count = 0;
    const struct algorithm simple = {.id = SIMPLE, .splits = 1};
    add_guess(card, product, preference, &simple, guesses, &count);
    for (int t = 0; t < TILES; t++)
        for (int s = 0; s < STAGES; s++)
            for (int splits = 1; splits <= SPLITS_MAX; splits *= 2) {
                const struct algorithm tiled = {
                    .id = TILED,
                    .tile = tiles[t].id,
                    .stages = stages[s],
                    .splits = splits,
                    .reduction = splits > 1 ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE : 0};
                add_guess(card, product, preference, &tiled, guesses, &count);
            }
    qsort(guesses, (size_t)count, sizeof *guesses, compare_guesses);
    return count;
}

_Static_assert(1 + TILES * STAGES * SPLITS_MAX <= CANDIDATES_MAX, "room for all guesses");

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle,
                                              cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int *returned)
{
    struct guessed guesses[CANDIDATES_MAX];
    struct library_card card;
    struct product product;
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (requested <= 0 || !results || !returned) return CUBLAS_STATUS_INVALID_VALUE;
    if (handle->card(&card) != 0) return CUBLAS_STATUS_EXECUTION_FAILED;
    TRY_CUBLAS(product_read(operation, a, b, c, d, &product));
    const struct matmul_preference *own =
        (const struct matmul_preference *)(const void *)preference;
    const struct matmul_preference plain = {.workspace_bytes = 0};
    int count = list_guesses(&card, &product, own ? own : &plain, guesses);
    *returned = count < requested ? count : requested;
    for (int r = 0; r < *returned; r++) {
        results[r] =
            (cublasLtMatmulHeuristicResult_t){.workspaceSize = guesses[r].traits.workspace_bytes,
                                              .state = CUBLAS_STATUS_SUCCESS,
                                              .wavesCount = (float)guesses[r].traits.waves};
        memcpy(&results[r].algo, &guesses[r].algorithm, sizeof guesses[r].algorithm);
    }
    return count ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

/* ---- Building algorithms by hand ---- */

cublasStatus_t cublasLtMatmulAlgoGetIds(cublasLtHandle_t handle, cublasComputeType_t compute,
                                        cudaDataType_t scale, cudaDataType_t a, cudaDataType_t b,
                                        cudaDataType_t c, cudaDataType_t d, int requested,
                                        int ids[], int *returned)
{
    static const int all[] = {SIMPLE, TILED};
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (requested <= 0 || !ids || !returned) return CUBLAS_STATUS_INVALID_VALUE;
    bool known = compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F && a == b && c == d &&
                 element_bytes((uint32_t)a) && element_bytes((uint32_t)d);
    *returned = 0;
    for (int i = 0; known && i < 2 && i < requested; i++) ids[(*returned)++] = all[i];
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoInit(cublasLtHandle_t handle, cublasComputeType_t compute,
                                      cudaDataType_t scale, cudaDataType_t a, cudaDataType_t b,
                                      cudaDataType_t c, cudaDataType_t d, int id,
                                      cublasLtMatmulAlgo_t *algo)
{
    int ids[2], count;
    if (!algo || (id != SIMPLE && id != TILED)) return CUBLAS_STATUS_INVALID_VALUE;
    TRY_CUBLAS(cublasLtMatmulAlgoGetIds(handle, compute, scale, a, b, c, d, 2, ids, &count));
    if (!count) return CUBLAS_STATUS_NOT_SUPPORTED;
    const struct algorithm algorithm = {.mark = algorithm_mark(), .id = id, .splits = 1};
    *algo = (cublasLtMatmulAlgo_t){{0}};
    memcpy(algo, &algorithm, sizeof algorithm);
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t give(const void *value, size_t value_bytes, void *buffer, size_t bytes,
                           size_t *written)
{
    if (!bytes && !written) return CUBLAS_STATUS_INVALID_VALUE;
    if (written) *written = value_bytes;
    if (!bytes) return CUBLAS_STATUS_SUCCESS;
    if (!buffer || bytes < value_bytes) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(buffer, value, value_bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCapGetAttribute(const cublasLtMatmulAlgo_t *algo,
                                                 cublasLtMatmulAlgoCapAttributes_t attribute,
                                                 void *buffer, size_t bytes, size_t *written)
{
    bool tiled = algo && algorithm_of(algo)->id == TILED;
    const int32_t splits = tiled, none = 0;
    const uint32_t alignment = tiled ? WIDE_BYTES : 2;
    const uint32_t reductions = tiled ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE : 0;
    uint32_t ids[TILES];
    if (!algo) return CUBLAS_STATUS_INVALID_VALUE;
    for (int t = 0; t < TILES; t++) ids[t] = tiles[t].id;
    switch (attribute) {
    case CUBLASLT_ALGO_CAP_TILE_IDS:
        return give(ids, tiled ? sizeof ids : 0, buffer, bytes, written);
    case CUBLASLT_ALGO_CAP_STAGES_IDS:
        return give(stages, tiled ? sizeof stages : 0, buffer, bytes, written);
    case CUBLASLT_ALGO_CAP_SPLITK_SUPPORT:
        return give(&splits, sizeof splits, buffer, bytes, written);
    case CUBLASLT_ALGO_CAP_REDUCTION_SCHEME_MASK:
        return give(&reductions, sizeof reductions, buffer, bytes, written);
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_D_BYTES:
        return give(&alignment, sizeof alignment, buffer, bytes, written);
    case CUBLASLT_ALGO_CAP_CTA_SWIZZLING_SUPPORT:
    case CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX:
        return give(&none, sizeof none, buffer, bytes, written);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

static uint32_t *config_slot(struct algorithm *algorithm,
                             cublasLtMatmulAlgoConfigAttributes_t attribute)
{
    switch (attribute) {
    case CUBLASLT_ALGO_CONFIG_TILE_ID: return &algorithm->tile;
    case CUBLASLT_ALGO_CONFIG_STAGES_ID: return &algorithm->stages;
    case CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME: return &algorithm->reduction;
    case CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING: return &algorithm->swizzle;
    case CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION: return &algorithm->option;
    case CUBLASLT_ALGO_CONFIG_SPLITK_NUM: return (uint32_t *)&algorithm->splits;
    default: return NULL;
    }
}

cublasStatus_t cublasLtMatmulAlgoConfigSetAttribute(cublasLtMatmulAlgo_t *algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute,
                                                    const void *buffer, size_t bytes)
{
    if (!algo || !buffer) return CUBLAS_STATUS_INVALID_VALUE;
    uint32_t *slot = config_slot((struct algorithm *)(void *)algo, attribute);
    if (!slot || bytes != sizeof *slot) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(slot, buffer, bytes);
    return CUBLAS_STATUS_SUCCESS;
}
