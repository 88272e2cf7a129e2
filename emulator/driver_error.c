/* Names and words of results, and reports of what happened. */
#include "emulator/driver.h"

#include <string.h>

static const struct {
    CUresult result;
    const char *name, *text;
} results[] = {
#define RESULT(name, text)                                                                         \
    {                                                                                              \
        name, #name, text                                                                          \
    }
    RESULT(CUDA_SUCCESS, "no error"),
    RESULT(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    RESULT(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    RESULT(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    RESULT(CUDA_ERROR_DEINITIALIZED, "driver shutting down"),
    RESULT(CUDA_ERROR_DEVICE_UNAVAILABLE, "the device is busy or unavailable"),
    RESULT(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    RESULT(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    RESULT(CUDA_ERROR_INVALID_IMAGE, "the kernel image is invalid"),
    RESULT(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    RESULT(CUDA_ERROR_NO_BINARY_FOR_GPU,
           "no kernel image is available for execution on the device"),
    RESULT(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    RESULT(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the PTX is of an unsupported version"),
    RESULT(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED,
           "peer access is not supported between these devices"),
    RESULT(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "peer access is already enabled"),
    RESULT(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "peer access has not been enabled"),
    RESULT(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    RESULT(CUDA_ERROR_ILLEGAL_STATE, "the operation is not allowed in this state"),
    RESULT(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    RESULT(CUDA_ERROR_NOT_READY, "device not ready"),
    RESULT(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    RESULT(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
    RESULT(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
    RESULT(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    RESULT(CUDA_ERROR_ASSERT, "device-side assert triggered"),
    RESULT(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "the memory is already registered"),
    RESULT(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "the memory is not registered"),
    RESULT(CUDA_ERROR_ILLEGAL_INSTRUCTION, "an illegal instruction was encountered"),
    RESULT(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    RESULT(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    RESULT(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "too many blocks in cooperative launch"),
    RESULT(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    RESULT(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "not permitted when the stream is capturing"),
    RESULT(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture failed earlier"),
    RESULT(CUDA_ERROR_STREAM_CAPTURE_MERGE, "the operation would merge two captures"),
    RESULT(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture began in another stream"),
    RESULT(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "dependency on uncaptured work in another stream"),
    RESULT(CUDA_ERROR_CAPTURED_EVENT, "the event was last recorded in a capturing stream"),
    RESULT(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "the graph update was not performed"),
    RESULT(CUDA_ERROR_INVALID_CLUSTER_SIZE, "cluster misconfiguration"),
    RESULT(CUDA_ERROR_UNKNOWN, "unknown error"),
#undef RESULT
};

static CUresult find_result(CUresult result, size_t *index)
{
    for (*index = 0; *index < sizeof results / sizeof *results; ++*index)
        if (results[*index].result == result) return CUDA_SUCCESS;
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorName(CUresult result, const char **name)
{
    size_t index;
    if (!name) return CUDA_ERROR_INVALID_VALUE;
    *name = NULL;
    TRY_CUDA(find_result(result, &index));
    *name = results[index].name;
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult result, const char **text)
{
    size_t index;
    if (!text) return CUDA_ERROR_INVALID_VALUE;
    *text = NULL;
    TRY_CUDA(find_result(result, &index));
    *text = results[index].text;
    return CUDA_SUCCESS;
}

CUresult driver_fault_result(enum machine_error error)
{
    switch (error) {
    case MACHINE_FINE: return CUDA_SUCCESS;
    case MACHINE_ILLEGAL_ADDRESS: return CUDA_ERROR_ILLEGAL_ADDRESS;
    case MACHINE_MISALIGNED: return CUDA_ERROR_MISALIGNED_ADDRESS;
    case MACHINE_ILLEGAL_INSTRUCTION: return CUDA_ERROR_ILLEGAL_INSTRUCTION;
    case MACHINE_DEADLOCK: return CUDA_ERROR_LAUNCH_TIMEOUT;
    case MACHINE_ASSERT: return CUDA_ERROR_ASSERT;
    case MACHINE_HAZARD:
    case MACHINE_DIVERGENCE:
    case MACHINE_TRAP:
    case MACHINE_RESOURCES: break;
    }
    return CUDA_ERROR_LAUNCH_FAILED;
}

size_t hone_emulator_last_launches(struct hone_emulator_counters *counters, size_t most)
{
    struct driver *driver = &driver_state;
    pthread_mutex_lock(&driver->lock);
    size_t have = driver->launch_count < LAST_LAUNCHES ? driver->launch_count : LAST_LAUNCHES;
    if (most > have) most = have;
    for (size_t i = 0; i < most; i++)
        counters[i] = driver->launches[(driver->launch_count - 1 - i) % LAST_LAUNCHES];
    pthread_mutex_unlock(&driver->lock);
    return have;
}

const char *hone_emulator_last_fault(void)
{
    return driver_state.last_fault;
}

const char *hone_emulator_category(size_t index)
{
    return cost_category_name(index);
}
