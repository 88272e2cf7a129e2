/* Launching kernels: limits, parameters, the machine, and what becomes of its faults. */
#include "emulator/driver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_THREADS_MAX = 1024,
    CLUSTER_PORTABLE_MAX = 8,
    CLUSTER_MAX = 16,
    GRID_YZ_MAX = 65535,
};

static CUresult check_shape(const struct kernel_work *kernel)
{
    const struct function *code = kernel->function->function;
    uint64_t threads = 1, cluster = 1;
    for (int axis = 0; axis < 3; axis++) {
        if (!kernel->grid[axis] || !kernel->block[axis] || !kernel->cluster[axis])
            return CUDA_ERROR_INVALID_VALUE;
        if (kernel->grid[axis] % kernel->cluster[axis]) return CUDA_ERROR_INVALID_CLUSTER_SIZE;
        threads *= kernel->block[axis];
        cluster *= kernel->cluster[axis];
    }
    if (threads > BLOCK_THREADS_MAX || kernel->block[2] > 64) return CUDA_ERROR_INVALID_VALUE;
    if (kernel->grid[0] > INT32_MAX || kernel->grid[1] > GRID_YZ_MAX ||
        kernel->grid[2] > GRID_YZ_MAX)
        return CUDA_ERROR_INVALID_VALUE;
    if (code->maximum_threads && threads > code->maximum_threads)
        return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    uint64_t most = kernel->function->cluster_nonportable ? CLUSTER_MAX : CLUSTER_PORTABLE_MAX;
    return cluster > most ? CUDA_ERROR_INVALID_CLUSTER_SIZE : CUDA_SUCCESS;
}

static CUresult check_resources(const struct kernel_work *kernel)
{
    const struct function *code = kernel->function->function;
    const struct card *card = &driver_state.cards.cards[kernel->function->module->context->device];
    uint64_t cluster = (uint64_t)kernel->cluster[0] * kernel->cluster[1] * kernel->cluster[2];
    uint64_t blocks = (uint64_t)kernel->grid[0] * kernel->grid[1] * kernel->grid[2];
    uint32_t threads = kernel->block[0] * kernel->block[1] * kernel->block[2];
    if (cluster > 1 && card->architecture->target < 90) return CUDA_ERROR_NOT_SUPPORTED;
    if (kernel->shared_bytes > (uint32_t)kernel->function->dynamic_shared_limit ||
        code->shared_bytes + kernel->shared_bytes > card->architecture->shared_per_block)
        return CUDA_ERROR_INVALID_VALUE;
    if (!kernel->cooperative) return CUDA_SUCCESS;
    uint64_t resident = (uint64_t)card->cost.multiprocessors *
                        card_blocks(card->architecture, threads, code->register_count,
                                    code->shared_bytes + kernel->shared_bytes);
    if (blocks > resident || blocks > GANG_BLOCKS_MAX)
        return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
    return CUDA_SUCCESS;
}

/* Gathers the parameters from pointers, or from the packed buffer of `extra`. */
static CUresult gather_parameters(const struct function *code, void **parameters, void **extra,
                                  unsigned char *bytes)
{
    if (!parameters && extra) {
        const void *buffer = NULL;
        size_t size = 0;
        for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
            if (extra[0] == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = extra[1];
            if (extra[0] == CU_LAUNCH_PARAM_BUFFER_SIZE) size = *(size_t *)extra[1];
        }
        if (!buffer || size > code->parameter_bytes + 16) return CUDA_ERROR_INVALID_VALUE;
        memcpy(bytes, buffer, size < code->parameter_bytes ? size : code->parameter_bytes);
        return CUDA_SUCCESS;
    }
    for (size_t i = 0; i < code->parameter_count; i++) {
        if (!parameters || !parameters[i]) return CUDA_ERROR_INVALID_VALUE;
        memcpy(bytes + code->parameters[i].offset, parameters[i], code->parameters[i].bytes);
    }
    return CUDA_SUCCESS;
}

static void keep_report(const struct kernel_work *kernel, const struct launch_result *result)
{
    struct driver *driver = &driver_state;
    pthread_mutex_lock(&driver->lock);
    struct hone_emulator_counters *counters =
        &driver->launches[driver->launch_count++ % LAST_LAUNCHES];
    *counters = result->counters;
    snprintf(counters->kernel, sizeof counters->kernel, "%s", kernel->function->function->name);
    memcpy(counters->grid, kernel->grid, sizeof counters->grid);
    memcpy(counters->block, kernel->block, sizeof counters->block);
    counters->shared_bytes = kernel->shared_bytes + kernel->function->function->shared_bytes;
    if (result->fault.error != MACHINE_FINE) {
        snprintf(counters->fault, sizeof counters->fault, "%s", result->fault.text);
        snprintf(driver->last_fault, sizeof driver->last_fault, "%s", result->fault.text);
        if (!driver->quiet) fprintf(stderr, "emulator: %s\n", driver->last_fault);
    }
    pthread_mutex_unlock(&driver->lock);
}

static CUresult run_machine(CUcontext context, const struct kernel_work *kernel,
                            struct arena *arena, double *seconds)
{
    const struct card *card = &driver_state.cards.cards[context->device];
    struct extent *extents;
    struct diagnostic diagnostic = {0};
    struct launch_result result;
    struct launch launch = {
        .module = kernel->function->module->module,
        .function = kernel->function->function,
        .dynamic_shared_bytes = kernel->shared_bytes,
        .cooperative = kernel->cooperative,
        .parameters = kernel->parameters,
        .multiprocessors = card->cost.multiprocessors,
        .checks = driver_state.checks,
        .threads = driver_state.threads,
    };
    memcpy(launch.grid, kernel->grid, sizeof launch.grid);
    memcpy(launch.block, kernel->block, sizeof launch.block);
    memcpy(launch.cluster, kernel->cluster, sizeof launch.cluster);
    TRY_CUDA(memory_extents(context, arena, &extents, &launch.extent_count));
    launch.extents = extents;
    if (machine_launch(&launch, &card->cost, &result, &diagnostic) != STATUS_OK)
        return CUDA_ERROR_OUT_OF_MEMORY;
    keep_report(kernel, &result);
    *seconds += result.seconds;
    return driver_fault_result(result.fault.error);
}

/* A scripted fault instead of, or beside, the launch. */
static CUresult scripted_fault(CUcontext context, double *seconds)
{
    pthread_mutex_lock(&driver_state.lock);
    enum fault_kind fault = faults_next(&driver_state.faults, FAULT_LAUNCH);
    pthread_mutex_unlock(&driver_state.lock);
    switch (fault) {
    case FAULT_HANG:
        for (;;) pause();
    case FAULT_LOST:
        driver_state.lost[context->device] = true;
        return CUDA_ERROR_DEVICE_UNAVAILABLE;
    case FAULT_ILLEGAL: context->sticky = CUDA_ERROR_ILLEGAL_ADDRESS; return context->sticky;
    case FAULT_SLOW: *seconds += 1; return CUDA_SUCCESS;
    default: return CUDA_SUCCESS;
    }
}

CUresult kernel_run(const struct work *work, double *seconds)
{
    CUcontext context = &driver_state.contexts[work->device];
    TRY_CUDA(context_state(context));
    TRY_CUDA(scripted_fault(context, seconds));
    struct arena *arena = arena_create(0);
    if (!arena) return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_rwlock_rdlock(&driver_state.memory);
    CUresult result = run_machine(context, &work->of.kernel, arena, seconds);
    pthread_rwlock_unlock(&driver_state.memory);
    arena_destroy(arena);
    if (result != CUDA_SUCCESS && result != CUDA_ERROR_OUT_OF_MEMORY) context->sticky = result;
    return result;
}

static CUresult launch(CUstream stream, struct kernel_work *kernel, void **parameters, void **extra)
{
    struct work work = {.kind = WORK_KERNEL};
    if (!kernel->function) return CUDA_ERROR_INVALID_HANDLE;
    TRY_CUDA(driver_enter(NULL));
    TRY_CUDA(check_shape(kernel));
    TRY_CUDA(check_resources(kernel));
    const struct function *code = kernel->function->function;
    struct arena *arena = arena_create(0);
    if (!arena) return CUDA_ERROR_OUT_OF_MEMORY;
    kernel->parameters = arena_allocate(arena, code->parameter_bytes + 16u, 1);
    CUresult result = kernel->parameters
                          ? gather_parameters(code, parameters, extra, kernel->parameters)
                          : CUDA_ERROR_OUT_OF_MEMORY;
    work.of.kernel = *kernel;
    if (result == CUDA_SUCCESS) result = stream_submit(stream, &work);
    arena_destroy(arena);
    /* A card would tell of a failing kernel at the next call; it does so here as well. */
    return result;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                        CUstream stream, void **parameters, void **extra)
{
    struct kernel_work kernel = {.function = function,
                                 .grid = {grid_x, grid_y, grid_z},
                                 .block = {block_x, block_y, block_z},
                                 .cluster = {1, 1, 1},
                                 .shared_bytes = shared_bytes};
    uint32_t cluster = function ? function->function->required_cluster : 0;
    if (cluster) kernel.cluster[0] = cluster;
    return launch(stream, &kernel, parameters, extra);
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned grid_x, unsigned grid_y,
                                   unsigned grid_z, unsigned block_x, unsigned block_y,
                                   unsigned block_z, unsigned shared_bytes, CUstream stream,
                                   void **parameters)
{
    struct kernel_work kernel = {.function = function,
                                 .grid = {grid_x, grid_y, grid_z},
                                 .block = {block_x, block_y, block_z},
                                 .cluster = {1, 1, 1},
                                 .shared_bytes = shared_bytes,
                                 .cooperative = true};
    return launch(stream, &kernel, parameters, NULL);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters,
                          void **extra)
{
    if (!config) return CUDA_ERROR_INVALID_VALUE;
    struct kernel_work kernel = {
        .function = function,
        .grid = {config->gridDimX, config->gridDimY, config->gridDimZ},
        .block = {config->blockDimX, config->blockDimY, config->blockDimZ},
        .cluster = {1, 1, 1},
        .shared_bytes = config->sharedMemBytes,
    };
    if (function && function->function->required_cluster)
        kernel.cluster[0] = function->function->required_cluster;
    for (unsigned i = 0; i < config->numAttrs; i++) {
        const CUlaunchAttribute *attribute = &config->attrs[i];
        if (attribute->id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
            kernel.cluster[0] = attribute->value.clusterDim.x;
            kernel.cluster[1] = attribute->value.clusterDim.y;
            kernel.cluster[2] = attribute->value.clusterDim.z;
        }
        if (attribute->id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE)
            kernel.cooperative = attribute->value.cooperative != 0;
    }
    return launch(config->hStream, &kernel, parameters, extra);
}
