/* Streams and events.  Work runs when it is submitted; streams and events keep modelled time. */
#include "emulator/driver.h"

#include <string.h>

CUresult stream_of(CUstream handle, CUstream *stream)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (handle && handle != CU_STREAM_LEGACY && handle != CU_STREAM_PER_THREAD) {
        *stream = handle;
        return context_state(handle->context);
    }
    if (!context->null_stream) TRY_CUDA(cuStreamCreate(&context->null_stream, CU_STREAM_DEFAULT));
    *stream = context->null_stream;
    return CUDA_SUCCESS;
}

CUresult cuStreamCreateWithPriority(CUstream *result, unsigned flags, int priority)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (!result) return CUDA_ERROR_INVALID_VALUE;
    struct arena *arena = arena_create(0);
    CUstream stream = arena ? arena_allocate(arena, 1, sizeof *stream) : NULL;
    if (!stream) {
        arena_destroy(arena);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *stream = (struct CUstream_st){
        .arena = arena, .context = context, .flags = flags, .priority = priority};
    pthread_mutex_lock(&driver_state.lock);
    stream->id = ++driver_state.streams_made;
    pthread_mutex_unlock(&driver_state.lock);
    *result = stream;
    return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *stream, unsigned flags)
{
    return cuStreamCreateWithPriority(stream, flags, 0);
}

CUresult cuStreamDestroy(CUstream stream)
{
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    arena_destroy(stream->arena);
    return CUDA_SUCCESS;
}

static CUresult capture_error(CUstream stream)
{
    if (!stream->capture) return CUDA_SUCCESS;
    stream->capture_origin->capture_broken = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult cuStreamSynchronize(CUstream handle)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    return capture_error(stream);
}

CUresult cuStreamQuery(CUstream handle)
{
    return cuStreamSynchronize(handle);
}

CUresult cuStreamGetPriority(CUstream handle, int *priority)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    *priority = stream->priority;
    return CUDA_SUCCESS;
}

CUresult cuStreamGetFlags(CUstream handle, unsigned *flags)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    *flags = stream->flags;
    return CUDA_SUCCESS;
}

CUresult cuStreamGetId(CUstream handle, unsigned long long *id)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    *id = stream->id;
    return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext *context)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    *context = stream->context;
    return CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned flags)
{
    CUstream stream;
    (void)flags;
    TRY_CUDA(stream_of(handle, &stream));
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    if (event->capture) { /* the stream takes part in the capture from here on */
        if (stream->capture && stream->capture != event->capture)
            return CUDA_ERROR_STREAM_CAPTURE_MERGE;
        stream->capture = event->capture;
        stream->capture_origin = event->capture_origin;
        return CUDA_SUCCESS;
    }
    if (stream->capture) return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    if (event->recorded && event->at > stream->now) stream->now = event->at;
    return CUDA_SUCCESS;
}

CUresult stream_submit(CUstream handle, const struct work *work)
{
    CUstream stream;
    double seconds = 0;
    TRY_CUDA(stream_of(handle, &stream));
    struct work placed = *work;
    placed.device = stream->context->device;
    if (stream->capture) return graph_add(stream->capture, &placed, NULL);
    TRY_CUDA(work_run(&placed, &seconds));
    stream->now += seconds;
    return CUDA_SUCCESS;
}

CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *argument)
{
    struct work work = {.kind = WORK_HOST};
    if (!function) return CUDA_ERROR_INVALID_VALUE;
    work.of.host.function = function;
    work.of.host.argument = argument;
    return stream_submit(stream, &work);
}

CUresult cuStreamBeginCapture(CUstream handle, CUstreamCaptureMode mode)
{
    CUstream stream;
    (void)mode; /* calls of other threads are never refused here */
    TRY_CUDA(stream_of(handle, &stream));
    if (!handle || handle == CU_STREAM_LEGACY) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    TRY_CUDA(graph_create(&stream->capture));
    stream->capture_origin = stream;
    stream->capture_broken = false;
    return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    *graph = NULL;
    if (!stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (stream->capture_origin != stream) return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    CUgraph captured = stream->capture;
    stream->capture = NULL;
    stream->capture_origin = NULL;
    if (stream->capture_broken) {
        (void)cuGraphDestroy(captured);
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *graph = captured;
    return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *capture)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    *capture = !stream->capture                         ? CU_STREAM_CAPTURE_STATUS_NONE
               : stream->capture_origin->capture_broken ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                                        : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *result, unsigned flags)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (!result) return CUDA_ERROR_INVALID_VALUE;
    struct arena *arena = arena_create(0);
    CUevent event = arena ? arena_allocate(arena, 1, sizeof *event) : NULL;
    if (!event) {
        arena_destroy(arena);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *event = (struct CUevent_st){.arena = arena, .context = context, .flags = flags};
    *result = event;
    return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent event)
{
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    arena_destroy(event->arena);
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream handle)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    if (!event || event->context != stream->context) return CUDA_ERROR_INVALID_HANDLE;
    event->capture = stream->capture;
    event->capture_origin = stream->capture_origin;
    if (stream->capture) return CUDA_SUCCESS;
    event->recorded = true;
    event->at = stream->now;
    return CUDA_SUCCESS;
}

CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags)
{
    (void)flags;
    return cuEventRecord(event, stream);
}

CUresult cuEventSynchronize(CUevent event)
{
    TRY_CUDA(driver_enter(NULL));
    if (!event) return CUDA_ERROR_INVALID_HANDLE;
    return event->capture ? CUDA_ERROR_CAPTURED_EVENT : context_state(event->context);
}

CUresult cuEventQuery(CUevent event)
{
    return cuEventSynchronize(event);
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end)
{
    TRY_CUDA(driver_enter(NULL));
    if (!milliseconds || !start || !end) return CUDA_ERROR_INVALID_VALUE;
    if (!start->recorded || !end->recorded || (start->flags | end->flags) & CU_EVENT_DISABLE_TIMING)
        return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = (float)((end->at - start->at) * 1e3);
    return CUDA_SUCCESS;
}
