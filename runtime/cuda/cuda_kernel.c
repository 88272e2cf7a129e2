/* Images on a card: modules, workspaces, launches. */
#include "runtime/cuda/cuda_cublaslt.h"

#include <stdio.h>
#include <string.h>

enum {
    LOG_BYTES = 1024,
    PLAIN_SHARED_BYTES = 48 << 10, /* that a kernel gets without asking */
    TENSOR_MAP_SM_LEAST = 90
};

/* ---- Loading ---- */

static CUresult load_text(const struct cuda_driver *driver, CUmodule *module, const char *text,
                          char *log)
{
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)(uintptr_t)LOG_BYTES};
    return driver->cuModuleLoadDataEx(module, text, 2, options, values);
}

/* The card's own code where it has any, else the text, which the driver compiles. */
static status load_module(struct cuda_device *card, struct cuda_kernel *kernel,
                          const struct image *image, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    const char *code = image->code;
    CUresult result = CUDA_ERROR_NO_BINARY_FOR_GPU;
    if (image->text_offset > 0) {
        void *cubin =
            arena_copy(kernel->base.arena, code, (size_t)image->text_offset); /* aligned */
        TRY_MEMORY(cubin, diagnostic);
        result = driver->cuModuleLoadDataEx(&kernel->module, cubin, 0, NULL, NULL);
    }
    if (result != CUDA_ERROR_NO_BINARY_FOR_GPU)
        return cuda_answer(card, result, "loading a kernel", diagnostic);
    char log[LOG_BYTES] = "", what[LOG_BYTES + 64];
    card->translated_images++;
    result = load_text(driver, &kernel->module, code + image->text_offset, log);
    log[LOG_BYTES - 1] = 0;
    snprintf(what, sizeof what, "compiling a kernel's PTX%s%.500s", *log ? ": " : "", log);
    return cuda_answer(card, result, what, diagnostic);
}

static status check_launch(const struct cuda_device *card, const struct launch *launch,
                           struct diagnostic *diagnostic)
{
    double most = card->base.facts.values[FACT_shared_bytes_per_block];
    if (launch->shared_bytes > most)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "kernel %s wants %d bytes of shared memory per block; %s has %.0f",
                    launch->name, launch->shared_bytes, card->base.specification, most);
    bool takes_maps = card->base.facts.values[FACT_sm] >= TENSOR_MAP_SM_LEAST;
    for (int a = 0; a < launch->argument_count; a++) {
        if (launch->arguments[a].kind == ARGUMENT_TABLE)
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "kernel %s wants a table of pointers, which cards have not yet",
                        launch->name);
        if (launch->arguments[a].kind == ARGUMENT_TENSOR_MAP && !takes_maps)
            return fail(
                diagnostic, STATUS_UNSUPPORTED,
                "kernel %s wants a tensor map, which cards have from sm_%d on; %s is sm_%.0f",
                launch->name, TENSOR_MAP_SM_LEAST, card->base.specification,
                card->base.facts.values[FACT_sm]);
    }
    return STATUS_OK;
}

static status find_function(struct cuda_device *card, struct cuda_kernel *kernel, int l,
                            struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    const struct launch *launch = &kernel->base.image.launches[l];
    char what[128];
    TRY(check_launch(card, launch, diagnostic));
    snprintf(what, sizeof what, "finding kernel %.64s in its image", launch->name);
    TRY(cuda_answer(
        card, driver->cuModuleGetFunction(&kernel->functions[l], kernel->module, launch->name),
        what, diagnostic));
    if (launch->shared_bytes <= PLAIN_SHARED_BYTES) return STATUS_OK;
    return cuda_answer(card,
                       driver->cuFuncSetAttribute(kernel->functions[l],
                                                  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                  launch->shared_bytes),
                       "reserving shared memory", diagnostic);
}

/* Graphs hold the scratch's address. */
static status grow_scratch(struct cuda_device *card, int64_t bytes, struct diagnostic *diagnostic)
{
    void *scratch;
    if (bytes <= card->scratch_bytes) return STATUS_OK;
    cuda_graphs_drop(card);
    device_free(&card->base, card->scratch, card->scratch_bytes);
    card->scratch = NULL;
    card->scratch_bytes = 0;
    TRY(device_allocate(&card->base, bytes, &scratch, diagnostic));
    card->scratch = scratch;
    card->scratch_bytes = bytes;
    return STATUS_OK;
}

static status load_parts(struct cuda_device *card, struct cuda_kernel *kernel,
                         const struct image *image, int64_t scratch_bytes,
                         struct diagnostic *diagnostic)
{
    TRY(cuda_enter(card, diagnostic));
    TRY(grow_scratch(card, scratch_bytes, diagnostic));
    TRY(load_module(card, kernel, image, diagnostic));
    for (int l = 0; l < image->launch_count; l++) {
        if (image->launches[l].kind == LAUNCH_MATMUL)
            TRY(cuda_matmul_create(card, &kernel->base, l, &kernel->matmuls[l], diagnostic));
        else
            TRY(find_function(card, kernel, l, diagnostic));
    }
    return STATUS_OK;
}

/* The names of the launches may live no longer than the image. */
static status keep_names(struct kernel *kernel, struct diagnostic *diagnostic)
{
    for (int l = 0; l < kernel->image.launch_count; l++) {
        kernel->image.launches[l].name = arena_text(kernel->arena, kernel->image.launches[l].name);
        TRY_MEMORY(kernel->image.launches[l].name, diagnostic);
    }
    return STATUS_OK;
}

status cuda_load(struct device *device, const struct problem *problem, const struct image *image,
                 struct kernel **result, struct diagnostic *diagnostic)
{
    struct kernel *kernel;
    int64_t scratch_bytes;
    TRY(kernel_create(device, problem, image, sizeof(struct cuda_kernel), &kernel, &scratch_bytes,
                      diagnostic));
    status code = keep_names(kernel, diagnostic);
    if (code == STATUS_OK)
        code = load_parts(card_of(device), (struct cuda_kernel *)kernel, image, scratch_bytes,
                          diagnostic);
    if (code != STATUS_OK) {
        cuda_unload(kernel);
        return code;
    }
    *result = kernel;
    return STATUS_OK;
}

void cuda_unload(struct kernel *kernel)
{
    struct cuda_kernel *own = (struct cuda_kernel *)kernel;
    struct cuda_device *card = card_of(kernel->device);
    struct diagnostic ignored = {0};
    if (own->module && cuda_enter(card, &ignored) == STATUS_OK) {
        cuda_graphs_drop(card);
        card->driver.cuModuleUnload(own->module);
    }
    for (int l = 0; l < kernel->image.launch_count; l++) cuda_matmul_destroy(own->matmuls[l]);
    kernel_destroy(kernel);
}

/* ---- Launching ---- */

static CUdeviceptr argument_address(const struct cuda_device *card, const struct kernel *kernel,
                                    const struct argument *argument, void *const *operands)
{
    switch (argument->kind) {
    case ARGUMENT_OPERAND: return card_address(operands[argument->index]);
    case ARGUMENT_WORKSPACE:
        return card_address(card->scratch) +
               (CUdeviceptr)kernel->workspace_offsets[argument->index];
    case ARGUMENT_TABLE:
    case ARGUMENT_TENSOR_MAP:
    case ARGUMENT_NULL: break;
    }
    return 0;
}

static CUtensorMapSwizzle swizzle_of(int bytes)
{
    return bytes == 128  ? CU_TENSOR_MAP_SWIZZLE_128B
           : bytes == 64 ? CU_TENSOR_MAP_SWIZZLE_64B
           : bytes == 32 ? CU_TENSOR_MAP_SWIZZLE_32B
                         : CU_TENSOR_MAP_SWIZZLE_NONE;
}

/* Zeros where there is no matrix.  Sectors around a box's rows are fetched with them: the next box is beside it. */
static CUresult encode_tensor(const struct cuda_device *card, const struct cuda_kernel *kernel,
                              const struct tensor_argument *tensor, void *const *operands,
                              CUtensorMap *map)
{
    CUdeviceptr address = argument_address(card, &kernel->base, &tensor->of, operands);
    memset(map, 0, sizeof *map);
    if (!address) return CUDA_SUCCESS;
    const CUtensorMapDataType type = tensor->element_bytes == 1   ? CU_TENSOR_MAP_DATA_TYPE_UINT8
                                     : tensor->element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_UINT16
                                                                  : CU_TENSOR_MAP_DATA_TYPE_UINT32;
    const cuuint64_t sizes[] = {(cuuint64_t)tensor->columns, (cuuint64_t)tensor->rows};
    const cuuint64_t row_bytes[] = {(cuuint64_t)(tensor->columns * tensor->element_bytes)};
    const cuuint32_t box[] = {(cuuint32_t)tensor->box_columns, (cuuint32_t)tensor->box_rows},
                     steps[] = {1, 1};
    return card->driver.cuTensorMapEncodeTiled(
        map, type, 2, (void *)(uintptr_t)address, sizes, row_bytes, box, steps,
        CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(tensor->swizzle_bytes),
        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

/* Points `parameters` at the arguments: at an address in `values`, or at an encoded map. */
static CUresult resolve_arguments(const struct cuda_device *card, const struct cuda_kernel *kernel,
                                  const struct launch *launch, void *const *operands,
                                  CUdeviceptr *values, CUtensorMap *maps, void **parameters)
{
    for (int a = 0; a < launch->argument_count; a++) {
        const struct argument *argument = &launch->arguments[a];
        parameters[a] = &values[a];
        values[a] = argument_address(card, &kernel->base, argument, operands);
        if (argument->kind != ARGUMENT_TENSOR_MAP) continue;
        CUtensorMap *map = &maps[argument->index];
        CUresult result = encode_tensor(card, kernel, &kernel->base.image.tensors[argument->index],
                                        operands, map);
        if (result != CUDA_SUCCESS) return result;
        parameters[a] = map;
    }
    return CUDA_SUCCESS;
}

static CUresult launch_one(const struct cuda_device *card, const struct cuda_kernel *kernel, int l,
                           void *const *operands, int step)
{
    const struct launch *launch = &kernel->base.image.launches[l];
    CUdeviceptr values[LAUNCH_ARGUMENTS_MAX],
        step_address = card->card_steps + (CUdeviceptr)step * sizeof *card->steps;
    CUtensorMap maps[IMAGE_TENSORS_MAX]; /* the type is aligned as the driver wants it */
    void *parameters[LAUNCH_ARGUMENTS_MAX + 1];
    CUresult result = resolve_arguments(card, kernel, launch, operands, values, maps, parameters);
    if (result != CUDA_SUCCESS) return result;
    parameters[launch->argument_count] = &step_address;
    CUlaunchAttribute cluster = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION};
    cluster.value.clusterDim.x = (unsigned)launch->cluster;
    cluster.value.clusterDim.y = cluster.value.clusterDim.z = 1;
    CUlaunchConfig config = {
        .gridDimX = (unsigned)launch_items(launch, kernel->base.problem->rows),
        .gridDimY = 1,
        .gridDimZ = 1,
        .blockDimX = (unsigned)launch->threads,
        .blockDimY = 1,
        .blockDimZ = 1,
        .sharedMemBytes = (unsigned)launch->shared_bytes,
        .hStream = card->stream,
        .attrs = &cluster,
        .numAttrs = launch->cluster > 1,
    };
    if (config.gridDimX == 0) return CUDA_SUCCESS;
    return card->driver.cuLaunchKernelEx(&config, kernel->functions[l], parameters, NULL);
}

static status run_matmul(struct cuda_device *card, const struct cuda_kernel *kernel, int l,
                         void *const *operands, int step, struct diagnostic *diagnostic)
{
    const struct launch *launch = &kernel->base.image.launches[l];
    CUdeviceptr addresses[MATMUL_ARGUMENTS];
    for (int a = 0; a < MATMUL_ARGUMENTS; a++)
        addresses[a] = argument_address(card, &kernel->base, &launch->arguments[a], operands);
    return cuda_matmul_run(card, kernel->matmuls[l], addresses, card->steps[step].rows, diagnostic);
}

static status zero_workspaces(struct cuda_device *card, const struct kernel *kernel,
                              struct diagnostic *diagnostic)
{
    for (int w = 0; w < kernel->image.workspace_count; w++) {
        const struct workspace *workspace = &kernel->image.workspaces[w];
        int64_t bytes = workspace->per_row_bytes * kernel->problem->rows + workspace->fixed_bytes;
        if (!workspace->zeroed || bytes == 0) continue;
        CUdeviceptr start = card_address(card->scratch) + (CUdeviceptr)kernel->workspace_offsets[w];
        TRY(cuda_answer(card, card->driver.cuMemsetD8Async(start, 0, (size_t)bytes, card->stream),
                        "zeroing a workspace", diagnostic));
    }
    return STATUS_OK;
}

status cuda_launch(struct cuda_device *card, const struct cuda_kernel *kernel,
                   void *const *operands, int step, struct diagnostic *diagnostic)
{
    const struct image *image = &kernel->base.image;
    TRY(zero_workspaces(card, &kernel->base, diagnostic));
    for (int l = 0; l < image->launch_count; l++) {
        char what[640];
        CUresult result = CUDA_SUCCESS;
        if (image->launches[l].kind == LAUNCH_MATMUL)
            TRY(run_matmul(card, kernel, l, operands, step, diagnostic));
        else
            result = launch_one(card, kernel, l, operands, step);
        if (result == CUDA_SUCCESS && card->blocking)
            result = card->driver.cuStreamSynchronize(card->stream);
        if (result == CUDA_SUCCESS) continue;
        snprintf(what, sizeof what, "kernel %.64s of %.500s", image->launches[l].name,
                 kernel->base.problem->text);
        return cuda_answer(card, result, what, diagnostic);
    }
    return STATUS_OK;
}
