/* Contexts: one primary context per card, and each thread's current one. */
#include "emulator/driver.h"

#include <string.h>

enum { CONTEXT_STACK = 16 };

static _Thread_local CUcontext stack[CONTEXT_STACK];
static _Thread_local int depth;

CUcontext driver_current(void)
{
    return depth ? stack[depth - 1] : NULL;
}

CUresult context_state(CUcontext context)
{
    if (driver_state.lost[context->device]) return CUDA_ERROR_DEVICE_UNAVAILABLE;
    if (!context->retained) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return context->sticky;
}

CUresult driver_enter(CUcontext *context)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    CUcontext current = driver_current();
    if (!current) return CUDA_ERROR_INVALID_CONTEXT;
    if (context) *context = current;
    return context_state(current);
}

static CUresult context_of(CUdevice device, CUcontext *context)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (device < 0 || device >= driver_state.cards.count) return CUDA_ERROR_INVALID_DEVICE;
    *context = &driver_state.contexts[device];
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    if (!context) return CUDA_ERROR_INVALID_VALUE;
    TRY_CUDA(context_of(device, context));
    if (driver_state.lost[device]) return CUDA_ERROR_DEVICE_UNAVAILABLE;
    pthread_mutex_lock(&driver_state.lock);
    (*context)->retained++;
    pthread_mutex_unlock(&driver_state.lock);
    return CUDA_SUCCESS;
}

/* Everything that lived in the context is gone; a failed kernel is forgotten. */
static void context_clear(CUcontext context)
{
    pthread_rwlock_wrlock(&driver_state.memory);
    uint64_t addresses[64];
    for (;;) {
        size_t count = 0;
        for (size_t i = 0; i < driver_state.allocation_count && count < 64; i++)
            if (driver_state.allocations[i].device == context->device)
                addresses[count++] = driver_state.allocations[i].address;
        if (!count) break;
        pthread_rwlock_unlock(&driver_state.memory);
        for (size_t i = 0; i < count; i++) (void)memory_release(addresses[i], false);
        pthread_rwlock_wrlock(&driver_state.memory);
    }
    pthread_rwlock_unlock(&driver_state.memory);
    context->sticky = CUDA_SUCCESS;
    memset(context->peers, 0, sizeof context->peers);
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device)
{
    CUcontext context;
    TRY_CUDA(context_of(device, &context));
    pthread_mutex_lock(&driver_state.lock);
    bool was = context->retained > 0, last = was && !--context->retained;
    pthread_mutex_unlock(&driver_state.lock);
    if (last) context_clear(context);
    return was ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuDevicePrimaryCtxReset(CUdevice device)
{
    CUcontext context;
    TRY_CUDA(context_of(device, &context));
    context_clear(context);
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active)
{
    CUcontext context;
    TRY_CUDA(context_of(device, &context));
    if (!flags || !active) return CUDA_ERROR_INVALID_VALUE;
    *flags = 0;
    *active = context->retained > 0;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags)
{
    CUcontext context;
    (void)flags; /* how the host waits makes no difference here */
    return context_of(device, &context);
}

CUresult cuCtxCreate(CUcontext *context, CUctxCreateParams *parameters, unsigned flags,
                     CUdevice device)
{
    (void)parameters;
    (void)flags;
    TRY_CUDA(cuDevicePrimaryCtxRetain(context, device));
    return cuCtxPushCurrent(*context);
}

CUresult cuCtxDestroy(CUcontext context)
{
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (driver_current() == context) depth--;
    return cuDevicePrimaryCtxRelease(context->device);
}

CUresult cuCtxSetCurrent(CUcontext context)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!depth) depth = 1;
    stack[depth - 1] = context;
    if (!context) depth--;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!context) return CUDA_ERROR_INVALID_VALUE;
    *context = driver_current();
    return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent(CUcontext context)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!context || depth == CONTEXT_STACK) return CUDA_ERROR_INVALID_CONTEXT;
    stack[depth++] = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent(CUcontext *context)
{
    if (!depth) return CUDA_ERROR_INVALID_CONTEXT;
    depth--;
    if (context) *context = stack[depth];
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    CUcontext context = driver_current();
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (!device) return CUDA_ERROR_INVALID_VALUE;
    *device = context->device;
    return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize(void)
{
    return driver_enter(NULL);
}

CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version)
{
    (void)context;
    if (!version) return CUDA_ERROR_INVALID_VALUE;
    *version = DRIVER_VERSION;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest)
{
    TRY_CUDA(driver_enter(NULL));
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetLimit(size_t *value, CUlimit limit)
{
    TRY_CUDA(driver_enter(NULL));
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    *value = limit == CU_LIMIT_STACK_SIZE ? 1024 : 0;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value)
{
    (void)limit;
    (void)value;
    return driver_enter(NULL);
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (!peer || flags) return CUDA_ERROR_INVALID_VALUE;
    if (driver_state.faults.no_peer || peer == context) return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
    if (context->peers[peer->device]) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    context->peers[peer->device] = true;
    return CUDA_SUCCESS;
}

CUresult cuCtxDisablePeerAccess(CUcontext peer)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (!peer || !context->peers[peer->device]) return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
    context->peers[peer->device] = false;
    return CUDA_SUCCESS;
}
