/* Attributes of functions, and how many of their blocks fit onto a multiprocessor. */
#include "emulator/driver.h"

static const struct architecture *architecture_of(CUfunction function)
{
    return driver_state.cards.cards[function->module->context->device].architecture;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function)
{
    TRY_CUDA(driver_enter(NULL));
    if (!value || !function) return CUDA_ERROR_INVALID_VALUE;
    const struct function *code = function->function;
    int target = architecture_of(function)->target;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *value = code->maximum_threads ? (int)code->maximum_threads : 1024;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = (int)code->shared_bytes; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = (int)code->local_bytes; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = (int)code->register_count; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
        *value = function->module->module->target;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = target; return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        *value = function->dynamic_shared_limit;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
        *value = function->carveout;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
        *value = function->cluster_nonportable;
        return CUDA_SUCCESS;
    default: *value = 0; return CUDA_SUCCESS;
    }
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value)
{
    TRY_CUDA(driver_enter(NULL));
    if (!function) return CUDA_ERROR_INVALID_VALUE;
    const struct architecture *architecture = architecture_of(function);
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        if (value < 0 ||
            (uint32_t)value + function->function->shared_bytes > architecture->shared_per_block)
            return CUDA_ERROR_INVALID_VALUE;
        function->dynamic_shared_limit = value;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
        function->carveout = value;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
        function->cluster_nonportable = value;
        return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
}

CUresult cuFuncSetCacheConfig(CUfunction function, CUfunc_cache config)
{
    (void)config;
    return function ? driver_enter(NULL) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuFuncGetName(const char **name, CUfunction function)
{
    if (!name || !function) return CUDA_ERROR_INVALID_VALUE;
    *name = function->function->name;
    return CUDA_SUCCESS;
}

CUresult cuFuncGetModule(CUmodule *module, CUfunction function)
{
    if (!module || !function) return CUDA_ERROR_INVALID_VALUE;
    *module = function->module;
    return CUDA_SUCCESS;
}

CUresult cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *bytes)
{
    if (!function || !offset) return CUDA_ERROR_INVALID_VALUE;
    if (index >= function->function->parameter_count) return CUDA_ERROR_INVALID_VALUE;
    *offset = function->function->parameters[index].offset;
    if (bytes) *bytes = function->function->parameters[index].bytes;
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function,
                                                              int threads, size_t shared_bytes,
                                                              unsigned flags)
{
    (void)flags;
    TRY_CUDA(driver_enter(NULL));
    if (!blocks || !function || threads < 1) return CUDA_ERROR_INVALID_VALUE;
    *blocks = (int)card_blocks(architecture_of(function), (uint32_t)threads,
                               function->function->register_count,
                               shared_bytes + function->function->shared_bytes);
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int threads,
                                                     size_t shared_bytes)
{
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads,
                                                                shared_bytes, 0);
}

CUresult cuOccupancyMaxActiveClusters(int *clusters, CUfunction function,
                                      const CUlaunchConfig *config)
{
    int blocks;
    if (!clusters || !function || !config) return CUDA_ERROR_INVALID_VALUE;
    int threads = (int)(config->blockDimX * config->blockDimY * config->blockDimZ);
    TRY_CUDA(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, threads,
                                                         config->sharedMemBytes));
    unsigned cluster = 1;
    for (unsigned i = 0; i < config->numAttrs; i++)
        if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
            cluster = config->attrs[i].value.clusterDim.x * config->attrs[i].value.clusterDim.y *
                      config->attrs[i].value.clusterDim.z;
    if (!cluster) return CUDA_ERROR_INVALID_VALUE;
    const struct card *card = &driver_state.cards.cards[function->module->context->device];
    *clusters = blocks * (int)(card->cost.multiprocessors / cluster);
    return CUDA_SUCCESS;
}
