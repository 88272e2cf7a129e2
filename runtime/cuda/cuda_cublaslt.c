/* Loading cuBLASLt, describing a product to it, and running that on a card's stream. */
#include "runtime/cuda/cublaslt_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_CUBLASLT_HEADER

_Static_assert(sizeof(cublasLtMatmulAlgo_t) == MATMUL_ALGORITHM_BYTES,
               "images keep whole algorithms");

/* ---- The library ---- */

status cublaslt_check(const struct cuda_device *card, const struct cublaslt *library,
                      cublasStatus_t result, const char *what, struct diagnostic *diagnostic)
{
    if (result == CUBLAS_STATUS_SUCCESS) return STATUS_OK;
    const char *words = library->cublasLtGetStatusString(result);
    bool refused = result == CUBLAS_STATUS_NOT_SUPPORTED || result == CUBLAS_STATUS_ARCH_MISMATCH;
    return fail(diagnostic,
                result == CUBLAS_STATUS_ALLOC_FAILED ? STATUS_NO_MEMORY
                : refused                            ? STATUS_UNSUPPORTED
                                                     : STATUS_DEVICE,
                "%s: cuBLASLt: %s: status %d (%s)", card->base.specification, what, (int)result,
                words ? words : "");
}

static status find_functions(struct cublaslt *library, const char *path,
                             struct diagnostic *diagnostic)
{
#define CUBLASLT_FUNCTION(name) {#name, offsetof(struct cublaslt, name)},
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#include "runtime/cuda/cublaslt_functions.def"
    };
#undef CUBLASLT_FUNCTION
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        void *address = dlsym(library->library, functions[f].name);
        memcpy((char *)library + functions[f].offset, &address, sizeof address);
        if (!address)
            return fail(diagnostic, STATUS_DEVICE,
                        "%s has no function %s: it is no cuBLASLt that Hone can use; install one "
                        "of CUDA 12 or 13",
                        path, functions[f].name);
    }
    return STATUS_OK;
}

static status start_library(const struct cuda_device *card, struct cublaslt *library,
                            const char *path, struct diagnostic *diagnostic)
{
    library->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->library) {
        const char *reason = dlerror();
        return fail(diagnostic, STATUS_DEVICE,
                    "cuBLASLt cannot be loaded: %s; HONE_CUBLASLT=none does without it",
                    reason ? reason : path);
    }
    TRY(find_functions(library, path, diagnostic));
    return cublaslt_check(card, library, library->cublasLtCreate(&library->handle),
                          "starting the library (HONE_CUBLASLT=none does without it)", diagnostic);
}

/* The card is entered already. */
static status open_library(struct cuda_device *card, struct diagnostic *diagnostic)
{
    struct cublaslt *library;
    const char *path;
    if (card->cublaslt) return STATUS_OK;
    TRY(cuda_cublaslt_find(card->emulated_cards, card->base.arena, &path, diagnostic));
    TRY_NEW(library, card->base.arena, 1, diagnostic);
    status code = start_library(card, library, path, diagnostic);
    if (code == STATUS_OK)
        card->cublaslt = library;
    else if (library->library)
        dlclose(library->library);
    return code;
}

void cuda_cublaslt_close(struct cuda_device *card)
{
    if (!card->cublaslt) return;
    card->cublaslt->cublasLtDestroy(card->cublaslt->handle);
    if (card->driver.closes) dlclose(card->cublaslt->library);
    card->cublaslt = NULL;
}

/* ---- Products ---- */

static status describe_operation(struct cuda_matmul *matmul)
{
    const struct cublaslt *library = matmul->library;
    const int32_t transposed = CUBLAS_OP_T, epilogue = CUBLASLT_EPILOGUE_BIAS;
    bool right =
        library->cublasLtMatmulDescCreate(&matmul->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F) ==
            CUBLAS_STATUS_SUCCESS &&
        library->cublasLtMatmulDescSetAttribute(matmul->operation, CUBLASLT_MATMUL_DESC_TRANSA,
                                                &transposed,
                                                sizeof transposed) == CUBLAS_STATUS_SUCCESS;
    if (right && matmul->bias)
        right = library->cublasLtMatmulDescSetAttribute(matmul->operation,
                                                        CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                                        sizeof epilogue) == CUBLAS_STATUS_SUCCESS;
    return right ? STATUS_OK : STATUS_DEVICE;
}

static status describe_layouts(struct cuda_matmul *matmul)
{
    const struct cublaslt *library = matmul->library;
    cudaDataType type = matmul->call.bfloat ? CUDA_R_16BF : CUDA_R_16F;
    uint64_t inner = (uint64_t)matmul->call.inner, outputs = (uint64_t)matmul->call.outputs;
    uint64_t rows = (uint64_t)matmul->rows;
    bool right = library->cublasLtMatrixLayoutCreate(&matmul->weight, type, inner, outputs,
                                                     matmul->call.inner) == CUBLAS_STATUS_SUCCESS &&
                 library->cublasLtMatrixLayoutCreate(&matmul->x, type, inner, rows,
                                                     matmul->call.inner) == CUBLAS_STATUS_SUCCESS &&
                 library->cublasLtMatrixLayoutCreate(&matmul->y, CUDA_R_32F, outputs, rows,
                                                     matmul->call.outputs) == CUBLAS_STATUS_SUCCESS;
    return right ? STATUS_OK : STATUS_DEVICE;
}

/* What an image brings along, where it is of this library and of such a card. */
static bool take_found(const struct cuda_device *card, struct cuda_matmul *matmul)
{
    const struct matmul_algorithm *found = &matmul->call.found;
    if (!found->library || found->library != matmul->library->cublasLtGetVersion() ||
        !hash_equal(found->device, hash_text(card->base.facts.class_name)))
        return false;
    memcpy(&matmul->algorithm, found->bytes, sizeof matmul->algorithm);
    return cublaslt_fits(matmul, &matmul->algorithm);
}

/* Who tunes wants this very rank or a refusal.  Who runs has a rank that was once measured, maybe with a library whose list
 * was longer: the heuristic's first does as well then. */
static status choose(struct cuda_device *card, struct cuda_matmul *matmul, bool exactly,
                     struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    card->chosen_algorithms++;
    status code =
        cublaslt_choose(card, matmul, matmul->call.algorithm, &matmul->algorithm, &reason);
    if (code == STATUS_UNSUPPORTED && !exactly && matmul->call.algorithm > 0)
        return cublaslt_choose(card, matmul, 0, &matmul->algorithm, diagnostic);
    return code == STATUS_OK ? STATUS_OK : fail(diagnostic, code, "%s", reason.text);
}

static status prepare(struct cuda_device *card, struct cuda_matmul *matmul, bool exactly,
                      struct diagnostic *diagnostic)
{
    if (describe_operation(matmul) != STATUS_OK || describe_layouts(matmul) != STATUS_OK)
        return fail(diagnostic, STATUS_DEVICE, "%s: cuBLASLt takes no description of a product",
                    card->base.specification);
    if (!take_found(card, matmul)) TRY(choose(card, matmul, exactly, diagnostic));
    matmul->current = matmul->algorithm;
    return STATUS_OK;
}

static uint64_t scratch_bytes_of(const struct image *image, const struct launch *launch,
                                 int64_t rows)
{
    const struct workspace *scratch = &image->workspaces[launch->arguments[MATMUL_SCRATCH].index];
    return (uint64_t)(scratch->fixed_bytes + scratch->per_row_bytes * rows);
}

static int64_t argument_bytes(const struct problem *problem, const struct image *image,
                              const struct argument *argument)
{
    if (argument->kind == ARGUMENT_WORKSPACE) {
        const struct workspace *workspace = &image->workspaces[argument->index];
        return workspace->fixed_bytes + workspace->per_row_bytes * problem->rows;
    }
    return argument->index < problem->input_count + problem->output_count
               ? problem_operand_bytes(problem, argument->index)
               : 0;
}

/* An image says what is multiplied; it must lie within what the problem's operands have. */
static status check_sizes(const struct problem *problem, const struct image *image,
                          const struct launch *launch, struct diagnostic *diagnostic)
{
    const struct matmul_call *call = &launch->matmul;
    const double rows = (double)problem->rows, outputs = (double)call->outputs,
                 inner = (double)call->inner;
    const double wanted[] = {
        [MATMUL_X] = 2 * rows * inner,   [MATMUL_WEIGHT] = 2 * outputs * inner,
        [MATMUL_BIAS] = 4 * outputs,     [MATMUL_RESIDUAL] = 4 * rows * outputs,
        [MATMUL_Y] = 4 * rows * outputs, [MATMUL_SCRATCH] = 0};
    for (int a = 0; a < MATMUL_ARGUMENTS; a++)
        if (launch->arguments[a].kind != ARGUMENT_NULL &&
            (double)argument_bytes(problem, image, &launch->arguments[a]) < wanted[a])
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "image: the product reaches beyond the operands of %s", problem->text);
    return STATUS_OK;
}

static status create(struct cuda_device *card, const struct problem *problem,
                     const struct image *image, int launch, bool exactly, struct arena *arena,
                     struct cuda_matmul **result, struct diagnostic *diagnostic)
{
    const struct launch *own = &image->launches[launch];
    struct cuda_matmul *matmul;
    TRY(check_sizes(problem, image, own, diagnostic));
    TRY(open_library(card, diagnostic));
    TRY_NEW(matmul, arena, 1, diagnostic);
    matmul->library = card->cublaslt;
    matmul->call = own->matmul;
    matmul->bias = own->arguments[MATMUL_BIAS].kind != ARGUMENT_NULL;
    matmul->residual = own->arguments[MATMUL_RESIDUAL].kind != ARGUMENT_NULL;
    matmul->bound_rows = matmul->rows = problem->rows;
    matmul->scratch_bytes = scratch_bytes_of(image, own, problem->rows);
    status code = prepare(card, matmul, exactly, diagnostic);
    if (code == STATUS_OK)
        *result = matmul;
    else
        cuda_matmul_destroy(matmul);
    return code;
}

status cuda_matmul_create(struct cuda_device *card, const struct kernel *kernel, int launch,
                          struct cuda_matmul **matmul, struct diagnostic *diagnostic)
{
    return create(card, kernel->problem, &kernel->image, launch, false, kernel->arena, matmul,
                  diagnostic);
}

void cuda_matmul_destroy(struct cuda_matmul *matmul)
{
    if (!matmul) return;
    if (matmul->operation) matmul->library->cublasLtMatmulDescDestroy(matmul->operation);
    if (matmul->weight) matmul->library->cublasLtMatrixLayoutDestroy(matmul->weight);
    if (matmul->x) matmul->library->cublasLtMatrixLayoutDestroy(matmul->x);
    if (matmul->y) matmul->library->cublasLtMatrixLayoutDestroy(matmul->y);
    matmul->operation = NULL;
    matmul->weight = matmul->x = matmul->y = NULL;
}

/* ---- Running ---- */

/* Fewer rows than the algorithm was chosen for may be too few for it; then the heuristic's first takes its place. */
static status fit_rows(const struct cuda_device *card, struct cuda_matmul *matmul, int64_t rows,
                       struct diagnostic *diagnostic)
{
    const struct cublaslt *library = matmul->library;
    const uint64_t columns = (uint64_t)rows;
    if (matmul->rows == rows) return STATUS_OK;
    matmul->rows = 0;
    cublasLtMatrixLayout_t layouts[] = {matmul->x, matmul->y};
    for (int l = 0; l < 2; l++)
        TRY(cublaslt_check(card, library,
                           library->cublasLtMatrixLayoutSetAttribute(
                               layouts[l], CUBLASLT_MATRIX_LAYOUT_COLS, &columns, sizeof columns),
                           "describing a step's rows", diagnostic));
    matmul->current = matmul->algorithm;
    if (rows != matmul->bound_rows && !cublaslt_fits(matmul, &matmul->current))
        TRY(cublaslt_choose(card, matmul, 0, &matmul->current, diagnostic));
    matmul->rows = rows;
    return STATUS_OK;
}

/* A failure on the card is told by the card. */
static status explain(struct cuda_device *card, const struct cuda_matmul *matmul,
                      cublasStatus_t result, struct diagnostic *diagnostic)
{
    if (result == CUBLAS_STATUS_EXECUTION_FAILED)
        TRY(cuda_answer(card, card->driver.cuStreamSynchronize(card->stream),
                        "a product by cuBLASLt", diagnostic));
    return cublaslt_check(card, matmul->library, result, "a product", diagnostic);
}

status cuda_matmul_run(struct cuda_device *card, struct cuda_matmul *matmul,
                       const CUdeviceptr addresses[MATMUL_ARGUMENTS], int64_t rows,
                       struct diagnostic *diagnostic)
{
    const struct cublaslt *library = matmul->library;
    const float alpha = 1, beta = matmul->residual ? 1 : 0;
    const void *pointers[MATMUL_ARGUMENTS];
    if (rows == 0) return STATUS_OK;
    for (int a = 0; a < MATMUL_ARGUMENTS; a++) pointers[a] = (const void *)(uintptr_t)addresses[a];
    TRY(fit_rows(card, matmul, rows, diagnostic));
    if (matmul->bias)
        TRY(cublaslt_check(card, library,
                           library->cublasLtMatmulDescSetAttribute(
                               matmul->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                               &pointers[MATMUL_BIAS], sizeof(void *)),
                           "naming a bias", diagnostic));
    void *y = (void *)(uintptr_t)addresses[MATMUL_Y],
         *scratch = (void *)(uintptr_t)addresses[MATMUL_SCRATCH];
    cublasStatus_t result = library->cublasLtMatmul(
        library->handle, matmul->operation, &alpha, pointers[MATMUL_WEIGHT], matmul->weight,
        pointers[MATMUL_X], matmul->x, &beta, matmul->residual ? pointers[MATMUL_RESIDUAL] : y,
        matmul->y, y, matmul->y, &matmul->current, scratch, matmul->scratch_bytes, card->stream);
    return result == CUBLAS_STATUS_SUCCESS ? STATUS_OK : explain(card, matmul, result, diagnostic);
}

/* ---- Keeping what was found ---- */

static status resolve_launch(struct cuda_device *card, const struct problem *problem,
                             struct image *image, int l, struct arena *scratch,
                             struct diagnostic *diagnostic)
{
    struct matmul_algorithm *found = &image->launches[l].matmul.found;
    struct cuda_matmul *matmul;
    TRY(create(card, problem, image, l, true, scratch, &matmul, diagnostic));
    found->library = matmul->library->cublasLtGetVersion();
    found->device = hash_text(card->base.facts.class_name);
    memcpy(found->bytes, &matmul->algorithm, sizeof matmul->algorithm);
    cuda_matmul_destroy(matmul);
    return STATUS_OK;
}

status cuda_resolve(struct device *device, const struct problem *problem, struct image *image,
                    struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = cuda_enter(card, diagnostic);
    for (int l = 0; l < image->launch_count && code == STATUS_OK; l++)
        if (image->launches[l].kind == LAUNCH_MATMUL)
            code = resolve_launch(card, problem, image, l, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}

#else

static status refuse(const struct cuda_device *card, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_UNSUPPORTED, "%s: Hone was built without cublasLt.h",
                card->base.specification);
}

status cuda_matmul_create(struct cuda_device *card, const struct kernel *kernel, int launch,
                          struct cuda_matmul **matmul, struct diagnostic *diagnostic)
{
    (void)kernel, (void)launch, (void)matmul;
    return refuse(card, diagnostic);
}

void cuda_matmul_destroy(struct cuda_matmul *matmul)
{
    (void)matmul;
}

status cuda_matmul_run(struct cuda_device *card, struct cuda_matmul *matmul,
                       const CUdeviceptr addresses[MATMUL_ARGUMENTS], int64_t rows,
                       struct diagnostic *diagnostic)
{
    (void)matmul, (void)addresses, (void)rows;
    return refuse(card, diagnostic);
}

void cuda_cublaslt_close(struct cuda_device *card)
{
    (void)card;
}

status cuda_resolve(struct device *device, const struct problem *problem, struct image *image,
                    struct diagnostic *diagnostic)
{
    (void)problem, (void)image;
    return refuse(card_of(device), diagnostic);
}

#endif
