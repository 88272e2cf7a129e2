/* The driver's functions that copy and fill memory. */
#include "emulator/driver.h"

static CUresult submit_copy(CUstream stream, uint64_t to, uint64_t from, size_t bytes, bool peer)
{
    struct work work = {.kind = WORK_COPY};
    work.of.copy =
        (struct copy_work){.to = to, .from = from, .bytes = bytes, .rows = 1, .peer = peer};
    if (!bytes) return driver_enter(NULL);
    return stream_submit(stream, &work);
}

static uint64_t host_address(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    return submit_copy(NULL, to, from, bytes, false);
}

CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return submit_copy(stream, to, from, bytes, false);
}

CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes)
{
    return submit_copy(NULL, to, host_address(from), bytes, false);
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    return submit_copy(stream, to, host_address(from), bytes, false);
}

CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes)
{
    return submit_copy(NULL, host_address(to), from, bytes, false);
}

CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return submit_copy(stream, host_address(to), from, bytes, false);
}

CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes)
{
    return submit_copy(NULL, to, from, bytes, false);
}

CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
{
    return submit_copy(stream, to, from, bytes, false);
}

CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                      CUcontext from_context, size_t bytes)
{
    return cuMemcpyPeerAsync(to, to_context, from, from_context, bytes, NULL);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                           CUcontext from_context, size_t bytes, CUstream stream)
{
    if (!to_context || !from_context) return CUDA_ERROR_INVALID_CONTEXT;
    return submit_copy(stream, to, from, bytes, true);
}

/* One side of a 2-D copy. */
static uint64_t side_address(CUmemorytype type, const void *host, CUdeviceptr device, size_t x,
                             size_t y, size_t pitch)
{
    uint64_t base = type == CU_MEMORYTYPE_HOST ? host_address(host) : device;
    return base + y * pitch + x;
}

CUresult cuMemcpy2DAsync(const CUDA_MEMCPY2D *copy, CUstream stream)
{
    struct work work = {.kind = WORK_COPY};
    if (!copy || copy->srcMemoryType == CU_MEMORYTYPE_ARRAY ||
        copy->dstMemoryType == CU_MEMORYTYPE_ARRAY)
        return CUDA_ERROR_INVALID_VALUE;
    work.of.copy = (struct copy_work){
        .to = side_address(copy->dstMemoryType, copy->dstHost, copy->dstDevice, copy->dstXInBytes,
                           copy->dstY, copy->dstPitch),
        .from = side_address(copy->srcMemoryType, copy->srcHost, copy->srcDevice, copy->srcXInBytes,
                             copy->srcY, copy->srcPitch),
        .bytes = copy->WidthInBytes,
        .rows = copy->Height,
        .to_pitch = copy->dstPitch,
        .from_pitch = copy->srcPitch,
    };
    if (!copy->WidthInBytes || !copy->Height) return driver_enter(NULL);
    return stream_submit(stream, &work);
}

CUresult cuMemcpy2D(const CUDA_MEMCPY2D *copy)
{
    return cuMemcpy2DAsync(copy, NULL);
}

static CUresult submit_fill(CUstream stream, CUdeviceptr to, size_t count, size_t rows,
                            size_t pitch, uint32_t value, uint32_t bytes)
{
    struct work work = {.kind = WORK_FILL};
    work.of.fill = (struct fill_work){
        .to = to, .count = count, .rows = rows, .pitch = pitch, .value = value, .bytes = bytes};
    if (to % bytes) return CUDA_ERROR_INVALID_VALUE;
    if (!count || !rows) return driver_enter(NULL);
    return stream_submit(stream, &work);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream)
{
    return submit_fill(stream, to, count, 1, 0, value, 1);
}

CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t count)
{
    return submit_fill(NULL, to, count, 1, 0, value, 1);
}

CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream)
{
    return submit_fill(stream, to, count, 1, 0, value, 2);
}

CUresult cuMemsetD16(CUdeviceptr to, unsigned short value, size_t count)
{
    return submit_fill(NULL, to, count, 1, 0, value, 2);
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream)
{
    return submit_fill(stream, to, count, 1, 0, value, 4);
}

CUresult cuMemsetD32(CUdeviceptr to, unsigned value, size_t count)
{
    return submit_fill(NULL, to, count, 1, 0, value, 4);
}

CUresult cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                           size_t height, CUstream stream)
{
    return submit_fill(stream, to, width, height, pitch, value, 1);
}

CUresult cuMemsetD2D8(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                      size_t height)
{
    return submit_fill(NULL, to, width, height, pitch, value, 1);
}

CUresult cuMemsetD2D32Async(CUdeviceptr to, size_t pitch, unsigned value, size_t width,
                            size_t height, CUstream stream)
{
    return submit_fill(stream, to, width, height, pitch, value, 4);
}

CUresult cuMemsetD2D32(CUdeviceptr to, size_t pitch, unsigned value, size_t width, size_t height)
{
    return submit_fill(NULL, to, width, height, pitch, value, 4);
}
