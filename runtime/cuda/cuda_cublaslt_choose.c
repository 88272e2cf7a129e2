/* Which of cuBLASLt's algorithms a rank stands for.  The heuristic lists what it takes for the best, the best first; behind it
 * come all that can be put together of the library's algorithms and their parameters, those without splits first. */
#include "ir/memory_pack.h"
#include "runtime/cuda/cublaslt_internal.h"

#ifdef HAVE_CUBLASLT_HEADER

bool cublaslt_fits(const struct cuda_matmul *matmul, const cublasLtMatmulAlgo_t *algorithm)
{
    const struct cublaslt *library = matmul->library;
    cublasLtMatmulHeuristicResult_t result = {.state = CUBLAS_STATUS_NOT_SUPPORTED};
    return library->cublasLtMatmulAlgoCheck(library->handle, matmul->operation, matmul->weight,
                                            matmul->x, matmul->y, matmul->y, algorithm,
                                            &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= matmul->scratch_bytes;
}

/* What operands' addresses are multiples of, at least (ir/memory_pack.h). */
static const uint32_t alignment_bytes = MEMORY_PACK_ALIGNMENT_BYTES;

static cublasStatus_t prefer(const struct cuda_matmul *matmul,
                             cublasLtMatmulPreference_t preference)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const struct cublaslt *library = matmul->library;
    cublasStatus_t result = library->cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &matmul->scratch_bytes,
        sizeof matmul->scratch_bytes);
    for (size_t a = 0;
         a < sizeof alignments / sizeof *alignments && result == CUBLAS_STATUS_SUCCESS; a++)
        result = library->cublasLtMatmulPreferenceSetAttribute(
            preference, alignments[a], &alignment_bytes, sizeof alignment_bytes);
    return result;
}

static status choose_guessed(const struct cuda_device *card, const struct cuda_matmul *matmul,
                             int rank, cublasLtMatmulAlgo_t *algorithm,
                             struct diagnostic *diagnostic)
{
    const struct cublaslt *library = matmul->library;
    cublasLtMatmulHeuristicResult_t results[MATMUL_HEURISTIC_RANKS];
    cublasLtMatmulPreference_t preference;
    int count = 0, sound = 0;
    TRY(cublaslt_check(card, library, library->cublasLtMatmulPreferenceCreate(&preference),
                       "asking for algorithms", diagnostic));
    cublasStatus_t result = prefer(matmul, preference);
    if (result == CUBLAS_STATUS_SUCCESS)
        result = library->cublasLtMatmulAlgoGetHeuristic(
            library->handle, matmul->operation, matmul->weight, matmul->x, matmul->y, matmul->y,
            preference, MATMUL_HEURISTIC_RANKS, results, &count);
    library->cublasLtMatmulPreferenceDestroy(preference);
    TRY(cublaslt_check(card, library, result, "asking for algorithms", diagnostic));
    for (int r = 0; r < count; r++) {
        if (results[r].state != CUBLAS_STATUS_SUCCESS || sound++ != rank) continue;
        *algorithm = results[r].algo;
        return STATUS_OK;
    }
    return fail(
        diagnostic, STATUS_UNSUPPORTED,
        "%s: cuBLASLt's heuristic lists %d algorithms for this product; there is no number %d",
        card->base.specification, sound, rank);
}

/* ---- All algorithms ---- */

enum { IDS_MAX = 256, TILES_MAX = 1024, STAGES_MAX = 64, OPTIONS_MAX = 32 };

static const int32_t split_counts[] = {1, 2, 3, 4, 6, 8, 16};
enum { SPLIT_COUNTS = sizeof split_counts / sizeof *split_counts };

/* What one algorithm can be configured to. */
struct abilities {
    uint32_t tiles[TILES_MAX], stages[STAGES_MAX];
    int tile_count, stage_count;
    int32_t splits, options;
    uint32_t reductions, swizzles;
    uint32_t alignment_bytes; /* that the algorithm wants of all operands */
};

static const cublasLtMatmulAlgoCapAttributes_t wanted_alignments[] = {
    CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_A_BYTES, CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_B_BYTES,
    CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_C_BYTES, CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_D_BYTES};

struct enumeration {
    const struct cuda_matmul *matmul;
    cublasLtMatmulAlgo_t *algorithm; /* the one that is wanted goes here */
    int left;                        /* to be passed over before it */
    bool found;
};

/* `count` 0 where the algorithm has no such list: one entry that says so. */
static int list_ability(const struct cublaslt *library, const cublasLtMatmulAlgo_t *algorithm,
                        cublasLtMatmulAlgoCapAttributes_t attribute, uint32_t *list, size_t room)
{
    size_t written = 0;
    list[0] = 0; /* ..._UNDEFINED */
    if (library->cublasLtMatmulAlgoCapGetAttribute(algorithm, attribute, list, room, &written) !=
        CUBLAS_STATUS_SUCCESS)
        return 1;
    return written < sizeof *list ? 1 : (int)(written / sizeof *list);
}

static void ask_number(const struct cublaslt *library, const cublasLtMatmulAlgo_t *algorithm,
                       cublasLtMatmulAlgoCapAttributes_t attribute, void *number)
{
    size_t written = 0;
    uint32_t answer = 0;
    if (library->cublasLtMatmulAlgoCapGetAttribute(algorithm, attribute, &answer, sizeof answer,
                                                   &written) != CUBLAS_STATUS_SUCCESS)
        answer = 0;
    *(uint32_t *)number = answer;
}

static void read_abilities(const struct cublaslt *library, const cublasLtMatmulAlgo_t *algorithm,
                           struct abilities *abilities)
{
    abilities->tile_count = list_ability(library, algorithm, CUBLASLT_ALGO_CAP_TILE_IDS,
                                         abilities->tiles, sizeof abilities->tiles);
    abilities->stage_count = list_ability(library, algorithm, CUBLASLT_ALGO_CAP_STAGES_IDS,
                                          abilities->stages, sizeof abilities->stages);
    ask_number(library, algorithm, CUBLASLT_ALGO_CAP_SPLITK_SUPPORT, &abilities->splits);
    ask_number(library, algorithm, CUBLASLT_ALGO_CAP_REDUCTION_SCHEME_MASK, &abilities->reductions);
    ask_number(library, algorithm, CUBLASLT_ALGO_CAP_CTA_SWIZZLING_SUPPORT, &abilities->swizzles);
    ask_number(library, algorithm, CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX, &abilities->options);
    if (abilities->options > OPTIONS_MAX) abilities->options = OPTIONS_MAX;
    abilities->alignment_bytes = 0;
    for (size_t a = 0; a < sizeof wanted_alignments / sizeof *wanted_alignments; a++) {
        uint32_t own = 0;
        ask_number(library, algorithm, wanted_alignments[a], &own);
        if (own > abilities->alignment_bytes) abilities->alignment_bytes = own;
    }
}

static bool configure(const struct cublaslt *library, cublasLtMatmulAlgo_t *algorithm,
                      cublasLtMatmulAlgoConfigAttributes_t attribute, uint32_t value)
{
    return library->cublasLtMatmulAlgoConfigSetAttribute(algorithm, attribute, &value,
                                                         sizeof value) == CUBLAS_STATUS_SUCCESS;
}

/* One algorithm with these parameters: counted where it computes the product. */
static void count_one(struct enumeration *enumeration, const cublasLtMatmulAlgo_t *plain,
                      uint32_t tile, uint32_t stages, uint32_t swizzle, uint32_t option,
                      uint32_t splits, uint32_t reduction)
{
    const struct cublaslt *library = enumeration->matmul->library;
    cublasLtMatmulAlgo_t algorithm = *plain;
    bool right = configure(library, &algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID, tile) &&
                 configure(library, &algorithm, CUBLASLT_ALGO_CONFIG_STAGES_ID, stages) &&
                 configure(library, &algorithm, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, option) &&
                 configure(library, &algorithm, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, swizzle) &&
                 configure(library, &algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, splits) &&
                 configure(library, &algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, reduction);
    if (!right || !cublaslt_fits(enumeration->matmul, &algorithm) || enumeration->left-- > 0)
        return;
    *enumeration->algorithm = algorithm;
    enumeration->found = true;
}

static void count_splits(struct enumeration *enumeration, const cublasLtMatmulAlgo_t *plain,
                         const struct abilities *abilities, int32_t splits)
{
    const uint32_t schemes[] = {CUBLASLT_REDUCTION_SCHEME_INPLACE,
                                CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE,
                                CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE};
    for (int option = 0; option <= abilities->options; option++)
        for (int t = 0; t < abilities->tile_count; t++)
            for (int s = 0; s < abilities->stage_count; s++)
                for (uint32_t swizzle = 0; swizzle <= (abilities->swizzles != 0); swizzle++)
                    for (size_t r = 0; r < sizeof schemes / sizeof *schemes && !enumeration->found;
                         r++) {
                        bool one = splits == 1;
                        if (one ? r > 0 : !(abilities->reductions & schemes[r])) continue;
                        count_one(enumeration, plain, abilities->tiles[t], abilities->stages[s],
                                  swizzle, (uint32_t)option, (uint32_t)splits,
                                  one ? (uint32_t)CUBLASLT_REDUCTION_SCHEME_NONE : schemes[r]);
                    }
}

static status list_ids(const struct cuda_device *card, const struct cuda_matmul *matmul, int *ids,
                       int *count, struct diagnostic *diagnostic)
{
    const struct cublaslt *library = matmul->library;
    cudaDataType_t type = matmul->call.bfloat ? CUDA_R_16BF : CUDA_R_16F;
    return cublaslt_check(card, library,
                          library->cublasLtMatmulAlgoGetIds(library->handle, CUBLAS_COMPUTE_32F,
                                                            CUDA_R_32F, type, type, CUDA_R_32F,
                                                            CUDA_R_32F, IDS_MAX, ids, count),
                          "listing algorithms", diagnostic);
}

static status choose_listed(const struct cuda_device *card, const struct cuda_matmul *matmul,
                            int number, cublasLtMatmulAlgo_t *algorithm,
                            struct diagnostic *diagnostic)
{
    const struct cublaslt *library = matmul->library;
    struct enumeration enumeration = {.matmul = matmul, .algorithm = algorithm, .left = number};
    cudaDataType_t type = matmul->call.bfloat ? CUDA_R_16BF : CUDA_R_16F;
    int ids[IDS_MAX], count = 0;
    TRY(list_ids(card, matmul, ids, &count, diagnostic));
    for (int n = 0; n < SPLIT_COUNTS && !enumeration.found; n++)
        for (int i = 0; i < count && !enumeration.found; i++) {
            cublasLtMatmulAlgo_t plain;
            struct abilities abilities;
            if (library->cublasLtMatmulAlgoInit(library->handle, CUBLAS_COMPUTE_32F, CUDA_R_32F,
                                                type, type, CUDA_R_32F, CUDA_R_32F, ids[i],
                                                &plain) != CUBLAS_STATUS_SUCCESS)
                continue;
            read_abilities(library, &plain, &abilities);
            if (abilities.alignment_bytes > alignment_bytes) continue;
            if (n == 0 || abilities.splits)
                count_splits(&enumeration, &plain, &abilities, split_counts[n]);
        }
    if (enumeration.found) return STATUS_OK;
    return fail(
        diagnostic, STATUS_UNSUPPORTED,
        "%s: cuBLASLt can put together %d algorithms for this product; there is no number %d",
        card->base.specification, number - enumeration.left, number);
}

status cublaslt_choose(const struct cuda_device *card, const struct cuda_matmul *matmul, int rank,
                       cublasLtMatmulAlgo_t *algorithm, struct diagnostic *diagnostic)
{
    if (rank < MATMUL_HEURISTIC_RANKS)
        return choose_guessed(card, matmul, rank, algorithm, diagnostic);
    return choose_listed(card, matmul, rank - MATMUL_HEURISTIC_RANKS, algorithm, diagnostic);
}

#else
extern int cuda_cublaslt_choose_is_empty;
#endif
