/* Carrying out what streams and graphs hold: copies, fills, host functions, kernels. */
#include "emulator/driver.h"

#include <string.h>

static const double host_seconds = 5e-6; /* a host function in a stream */

static CUresult lose(int device)
{
    driver_state.lost[device] = true;
    return CUDA_ERROR_DEVICE_UNAVAILABLE;
}

static enum fault_kind next_fault(enum fault_place place)
{
    pthread_mutex_lock(&driver_state.lock);
    enum fault_kind fault = faults_next(&driver_state.faults, place);
    pthread_mutex_unlock(&driver_state.lock);
    return fault;
}

/* Bytes from the first row's start to the last row's end. */
static uint64_t span(size_t bytes, size_t rows, size_t pitch)
{
    return rows > 1 ? (rows - 1) * pitch + bytes : bytes;
}

static CUresult copy_bytes(const struct copy_work *copy)
{
    unsigned char *to = memory_resolve(copy->to, span(copy->bytes, copy->rows, copy->to_pitch));
    const unsigned char *from =
        memory_resolve(copy->from, span(copy->bytes, copy->rows, copy->from_pitch));
    if (!to || !from) return CUDA_ERROR_INVALID_VALUE;
    for (size_t row = 0; row < copy->rows; row++)
        memmove(to + row * copy->to_pitch, from + row * copy->from_pitch, copy->bytes);
    if (copy->peer && next_fault(FAULT_PEER) == FAULT_CORRUPT) to[copy->bytes / 2] ^= 0x10;
    return CUDA_SUCCESS;
}

static CUresult copy_run(const struct work *work, double *seconds)
{
    const struct copy_work *copy = &work->of.copy;
    const struct card *card = &driver_state.cards.cards[work->device];
    if (next_fault(FAULT_COPY) == FAULT_LOST) return lose(work->device);
    pthread_rwlock_rdlock(&driver_state.memory);
    CUresult result = copy_bytes(copy);
    pthread_rwlock_unlock(&driver_state.memory);
    bool inside = (copy->to & TAG_DEVICE) && (copy->from & TAG_DEVICE) && !copy->peer;
    uint64_t bytes = (uint64_t)copy->bytes * copy->rows;
    *seconds += inside ? cost_memory_seconds(&card->cost, 2 * bytes) : cost_copy_seconds(bytes);
    return result;
}

static CUresult fill_bytes(const struct fill_work *fill)
{
    uint64_t row_bytes = (uint64_t)fill->count * fill->bytes;
    unsigned char *to = memory_resolve(fill->to, span(row_bytes, fill->rows, fill->pitch));
    if (!to) return CUDA_ERROR_INVALID_VALUE;
    for (size_t row = 0; row < fill->rows; row++, to += fill->pitch) {
        if (fill->bytes == 1) {
            memset(to, (int)fill->value, row_bytes);
            continue;
        }
        for (size_t i = 0; i < fill->count; i++)
            memcpy(to + i * fill->bytes, &fill->value, fill->bytes);
    }
    return CUDA_SUCCESS;
}

static CUresult fill_run(const struct work *work, double *seconds)
{
    const struct fill_work *fill = &work->of.fill;
    pthread_rwlock_rdlock(&driver_state.memory);
    CUresult result = fill_bytes(fill);
    pthread_rwlock_unlock(&driver_state.memory);
    *seconds += cost_memory_seconds(&driver_state.cards.cards[work->device].cost,
                                    (uint64_t)fill->count * fill->bytes * fill->rows);
    return result;
}

CUresult work_run(const struct work *work, double *seconds)
{
    switch (work->kind) {
    case WORK_KERNEL: return kernel_run(work, seconds);
    case WORK_COPY: return copy_run(work, seconds);
    case WORK_FILL: return fill_run(work, seconds);
    case WORK_HOST:
        work->of.host.function(work->of.host.argument);
        *seconds += host_seconds;
        return CUDA_SUCCESS;
    case WORK_LIBRARY: return library_run(work, seconds);
    case WORK_EMPTY: break;
    }
    return CUDA_SUCCESS;
}
