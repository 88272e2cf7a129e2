/* Memory of cards and pinned memory of the host: the table of what is allocated. */
#include "base/memory.h"
#include "emulator/driver.h"

#include <stdio.h>
#include <string.h>

enum {
    GRANULE_BYTES = 512, /* what allocations are rounded to, for the card's account */
    POISON_BYTES_MAX =
        16 << 20, /* larger allocations stay untouched, so that they cost no memory */
    POISON = 0xff,
};

static size_t find_place(uint64_t address)
{
    const struct driver *driver = &driver_state;
    size_t low = 0, high = driver->allocation_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (driver->allocations[middle].address > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct allocation *memory_find(uint64_t address, uint64_t bytes)
{
    size_t place = find_place(address);
    if (!place) return NULL;
    const struct allocation *allocation = &driver_state.allocations[place - 1];
    uint64_t offset = address - allocation->address;
    if (offset > allocation->bytes || bytes > allocation->bytes - offset) return NULL;
    return allocation;
}

unsigned char *memory_resolve(uint64_t address, uint64_t bytes)
{
    if (address & TAG_MASK) {
        const struct allocation *allocation = memory_find(address, bytes);
        return allocation ? allocation->host + (address - allocation->address) : NULL;
    }
    return (unsigned char *)(uintptr_t)address;
}

static CUresult table_add(const struct allocation *allocation)
{
    struct driver *driver = &driver_state;
    void *grown = arena_grow(driver->arena, driver->allocations, driver->allocation_count,
                             &driver->allocation_capacity, sizeof *allocation);
    if (!grown) return CUDA_ERROR_OUT_OF_MEMORY;
    driver->allocations = grown;
    size_t place = find_place(allocation->address);
    memmove(&driver->allocations[place + 1], &driver->allocations[place],
            (driver->allocation_count - place) * sizeof *allocation);
    driver->allocations[place] = *allocation;
    driver->allocation_count++;
    return CUDA_SUCCESS;
}

/* Host memory behind the allocation, entered into the table.  Under `memory`, for writing. */
static CUresult map_allocation(struct allocation *allocation)
{
    struct diagnostic diagnostic = {0};
    void *host;
    allocation->mapped_bytes = allocation->bytes;
    if (memory_map(allocation->mapped_bytes, &host, &diagnostic) != STATUS_OK)
        return CUDA_ERROR_OUT_OF_MEMORY;
    allocation->host = host;
    allocation->address = (uint64_t)(uintptr_t)host | (allocation->device >= 0 ? TAG_DEVICE : 0);
    if (allocation->device >= 0 && allocation->bytes <= POISON_BYTES_MAX)
        memset(host, POISON, allocation->bytes);
    CUresult result = table_add(allocation);
    if (result != CUDA_SUCCESS) memory_unmap(host, allocation->mapped_bytes);
    return result;
}

static uint64_t accounted(uint64_t bytes)
{
    return (bytes + GRANULE_BYTES - 1) / GRANULE_BYTES * GRANULE_BYTES;
}

/* What a context and its kernels take of a card. */
static uint64_t overhead_bytes(uint64_t total)
{
    return total / 16 < (256u << 20) ? total / 16 : 256u << 20;
}

static CUresult allocate_locked(int device, size_t bytes, uint64_t *address)
{
    struct driver *driver = &driver_state;
    struct allocation allocation = {.bytes = bytes, .device = device};
    if (device >= 0) {
        enum fault_kind fault = faults_next(&driver->faults, FAULT_ALLOC);
        uint64_t total = driver->cards.cards[device].memory_bytes;
        uint64_t left = total - overhead_bytes(total) - driver->used_bytes[device];
        if (fault == FAULT_LOST) {
            driver->lost[device] = true;
            return CUDA_ERROR_DEVICE_UNAVAILABLE;
        }
        if (fault == FAULT_OOM || bytes > left || accounted(bytes) > left)
            return CUDA_ERROR_OUT_OF_MEMORY;
    }
    TRY_CUDA(map_allocation(&allocation));
    if (device >= 0) driver->used_bytes[device] += accounted(bytes);
    *address = allocation.address;
    return CUDA_SUCCESS;
}

CUresult memory_allocate(int device, size_t bytes, uint64_t *address)
{
    pthread_rwlock_wrlock(&driver_state.memory);
    CUresult result = allocate_locked(device, bytes, address);
    pthread_rwlock_unlock(&driver_state.memory);
    return result;
}

CUresult memory_release(uint64_t address, bool host)
{
    struct driver *driver = &driver_state;
    pthread_rwlock_wrlock(&driver->memory);
    size_t place = find_place(address);
    struct allocation *allocation = place ? &driver->allocations[place - 1] : NULL;
    bool found = allocation && allocation->address == address && (allocation->device < 0) == host;
    if (found) {
        if (!allocation->registered) memory_unmap(allocation->host, allocation->mapped_bytes);
        if (!host) driver->used_bytes[allocation->device] -= accounted(allocation->bytes);
        memmove(allocation, allocation + 1,
                (driver->allocation_count - place) * sizeof *allocation);
        driver->allocation_count--;
    }
    pthread_rwlock_unlock(&driver->memory);
    return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult memory_extents(CUcontext context, struct arena *arena, struct extent **extents,
                        size_t *count)
{
    const struct driver *driver = &driver_state;
    *count = 0;
    *extents = arena_allocate(arena, driver->allocation_count, sizeof **extents);
    if (!*extents) return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < driver->allocation_count; i++) {
        const struct allocation *allocation = &driver->allocations[i];
        int owner = allocation->device;
        if (owner >= 0 && owner != context->device && !context->peers[owner]) continue;
        (*extents)[(*count)++] = (struct extent){
            .address = allocation->address, .bytes = allocation->bytes, .host = allocation->host};
    }
    return CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr *pointer, size_t bytes)
{
    CUcontext context;
    uint64_t address;
    TRY_CUDA(driver_enter(&context));
    if (!pointer || !bytes) return CUDA_ERROR_INVALID_VALUE;
    TRY_CUDA(memory_allocate(context->device, bytes, &address));
    *pointer = address;
    return CUDA_SUCCESS;
}

CUresult cuMemFree(CUdeviceptr pointer)
{
    TRY_CUDA(driver_enter(NULL));
    return pointer ? memory_release(pointer, false) : CUDA_SUCCESS;
}

CUresult cuMemAllocPitch(CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height,
                         unsigned element)
{
    if (!pitch || (element != 4 && element != 8 && element != 16)) return CUDA_ERROR_INVALID_VALUE;
    *pitch = accounted(width);
    return cuMemAlloc(pointer, *pitch * height);
}

CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream handle)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    if (stream->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return cuMemAlloc(pointer, bytes);
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool,
                                 CUstream stream)
{
    (void)pool; /* each card has one */
    return cuMemAllocAsync(pointer, bytes, stream);
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream handle)
{
    CUstream stream;
    TRY_CUDA(stream_of(handle, &stream));
    if (stream->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return cuMemFree(pointer);
}

CUresult cuMemAllocHost(void **pointer, size_t bytes)
{
    uint64_t address;
    TRY_CUDA(driver_enter(NULL));
    if (!pointer || !bytes) return CUDA_ERROR_INVALID_VALUE;
    TRY_CUDA(memory_allocate(-1, bytes, &address));
    *pointer = (void *)(uintptr_t)address;
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags)
{
    (void)flags; /* portable and mapped always; write-combining is not modelled */
    return cuMemAllocHost(pointer, bytes);
}

CUresult cuMemFreeHost(void *pointer)
{
    TRY_CUDA(driver_enter(NULL));
    return memory_release((uint64_t)(uintptr_t)pointer, true);
}

CUresult cuMemHostGetDevicePointer(CUdeviceptr *device, void *pointer, unsigned flags)
{
    TRY_CUDA(driver_enter(NULL));
    if (!device || flags) return CUDA_ERROR_INVALID_VALUE;
    *device = (uint64_t)(uintptr_t)pointer;
    return CUDA_SUCCESS;
}

CUresult cuMemHostRegister(void *pointer, size_t bytes, unsigned flags)
{
    struct allocation allocation = {.address = (uint64_t)(uintptr_t)pointer,
                                    .bytes = bytes,
                                    .host = pointer,
                                    .device = -1,
                                    .registered = true};
    (void)flags;
    TRY_CUDA(driver_enter(NULL));
    if (!pointer || !bytes) return CUDA_ERROR_INVALID_VALUE;
    pthread_rwlock_wrlock(&driver_state.memory);
    CUresult result = memory_find(allocation.address, 1) ? CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED
                                                         : table_add(&allocation);
    pthread_rwlock_unlock(&driver_state.memory);
    return result;
}

CUresult cuMemHostUnregister(void *pointer)
{
    TRY_CUDA(driver_enter(NULL));
    CUresult result = memory_release((uint64_t)(uintptr_t)pointer, true);
    return result == CUDA_SUCCESS ? result : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
}

CUresult cuMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (!free_bytes || !total_bytes) return CUDA_ERROR_INVALID_VALUE;
    *total_bytes = driver_state.cards.cards[context->device].memory_bytes;
    pthread_rwlock_rdlock(&driver_state.memory);
    *free_bytes =
        *total_bytes - overhead_bytes(*total_bytes) - driver_state.used_bytes[context->device];
    pthread_rwlock_unlock(&driver_state.memory);
    return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange(CUdeviceptr *base, size_t *bytes, CUdeviceptr pointer)
{
    TRY_CUDA(driver_enter(NULL));
    pthread_rwlock_rdlock(&driver_state.memory);
    const struct allocation *allocation = memory_find(pointer, 1);
    if (allocation && base) *base = allocation->address;
    if (allocation && bytes) *bytes = allocation->bytes;
    pthread_rwlock_unlock(&driver_state.memory);
    return allocation ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr pointer)
{
    TRY_CUDA(driver_enter(NULL));
    pthread_rwlock_rdlock(&driver_state.memory);
    const struct allocation *found = memory_find(pointer, 1);
    struct allocation allocation = found ? *found : (struct allocation){0};
    pthread_rwlock_unlock(&driver_state.memory);
    if (!found || !data) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)data = allocation.device >= 0 ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)data = allocation.device; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)data = pointer; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        *(CUdeviceptr *)data = allocation.address;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *(size_t *)data = allocation.bytes; return CUDA_SUCCESS;
    default: return CUDA_ERROR_NOT_SUPPORTED;
    }
}
