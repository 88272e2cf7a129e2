/* Work of stand-in libraries in streams (library_work.h). */
#include "emulator/driver.h"

#include <stdio.h>

static CUresult refuse_area(CUcontext context, const struct library_work *library, int area)
{
    struct driver *driver = &driver_state;
    pthread_mutex_lock(&driver->lock);
    snprintf(driver->last_fault, sizeof driver->last_fault,
             "%s: its memory %d, %llu bytes at 0x%llx, lies in no live allocation", library->name,
             area, (unsigned long long)library->areas[area].bytes,
             (unsigned long long)library->areas[area].address);
    if (!driver->quiet) fprintf(stderr, "emulator: %s\n", driver->last_fault);
    pthread_mutex_unlock(&driver->lock);
    return context->sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
}

static CUresult run_over_memory(CUcontext context, const struct library_work *library)
{
    unsigned char *memory[LIBRARY_AREAS_MAX] = {NULL};
    for (int a = 0; a < library->area_count; a++) {
        const struct library_area *area = &library->areas[a];
        if (!area->bytes) continue;
        if (area->address & TAG_DEVICE) memory[a] = memory_resolve(area->address, area->bytes);
        if (!memory[a]) return refuse_area(context, library, a);
    }
    return library->run(library->argument, memory) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult scripted_fault(CUcontext context, double *seconds)
{
    pthread_mutex_lock(&driver_state.lock);
    enum fault_kind fault = faults_next(&driver_state.faults, FAULT_LIBRARY);
    pthread_mutex_unlock(&driver_state.lock);
    switch (fault) {
    case FAULT_LOST:
        driver_state.lost[context->device] = true;
        return CUDA_ERROR_DEVICE_UNAVAILABLE;
    case FAULT_ILLEGAL: return context->sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
    case FAULT_INVALID: return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    case FAULT_SLOW: *seconds += 1; return CUDA_SUCCESS;
    default: return CUDA_SUCCESS;
    }
}

CUresult library_run(const struct work *work, double *seconds)
{
    CUcontext context = &driver_state.contexts[work->device];
    TRY_CUDA(context_state(context));
    TRY_CUDA(scripted_fault(context, seconds));
    pthread_rwlock_rdlock(&driver_state.memory);
    CUresult result = run_over_memory(context, &work->of.library);
    pthread_rwlock_unlock(&driver_state.memory);
    *seconds += work->of.library.seconds;
    return result;
}

int hone_emulator_library_submit(void *stream, const struct library_work *library)
{
    struct work work = {.kind = WORK_LIBRARY};
    TRY_CUDA(driver_enter(NULL));
    work.of.library = *library;
    return (int)stream_submit(stream, &work);
}

int hone_emulator_library_card(struct library_card *card)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    const struct card *own = &driver_state.cards.cards[context->device];
    *card = (struct library_card){
        .sm = own->architecture->target,
        .multiprocessors = own->cost.multiprocessors,
        .clock_hz = own->cost.clock_hz,
        .memory_bytes_per_second = own->cost.memory_bytes_per_second,
        .matrix_operations_per_clock = own->cost.matrix_operations_per_clock,
    };
    return (int)CUDA_SUCCESS;
}

int hone_emulator_library_faults(void)
{
    return (driver_state.faults.no_library ? LIBRARY_FAULT_MISSING : 0) |
           (driver_state.faults.old_library ? LIBRARY_FAULT_OLD : 0);
}
