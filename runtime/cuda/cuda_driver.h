/* The CUDA driver, loaded at run time: the only file that includes cuda.h.
 *
 * A program starts without a driver and with one that is too old; only opening a card needs it.  Never open a driver in a
 * process that will fork: a child cannot use the driver that its parent has started. */
#ifndef RUNTIME_CUDA_DRIVER_H
#define RUNTIME_CUDA_DRIVER_H

#include "base/arena.h"

#include <cuda.h>

struct cuda_driver {
    void *library;
    bool closes; /* the stand-in can be unloaded; the system's driver keeps threads and stays */
    int version; /* 12040: CUDA 12.4 */
#define CUDA_FUNCTION(name) __typeof__(&name) name;
#include "runtime/cuda/cuda_functions.def"
#undef CUDA_FUNCTION
    CUresult (*elapsed_time)(float *milliseconds, CUevent start, CUevent end); /* has two names */
    /* The stand-in's hone_emulator_report: what its last launches were counted as.  NULL in other drivers. */
    size_t (*report)(size_t launches, char *buffer, size_t bytes);
};

/* The stand-in driver with these cards ("sm_86:24GiB,sm_89:16GiB"); NULL: the system's driver, or that in the folder
 * HONE_CUDA_PATH. */
CHECKED status cuda_driver_open(const char *emulated_cards, struct arena *arena,
                                struct cuda_driver *driver, struct diagnostic *diagnostic);
void cuda_driver_close(struct cuda_driver *driver); /* also one that was not opened */

/* A library of the stand-in's folder, which lies in hone/emulator/ beside libhone. */
CHECKED status cuda_stand_in_path(const char *library, struct arena *arena, const char **path,
                                  struct diagnostic *diagnostic);

/* STATUS_NO_MEMORY or STATUS_DEVICE with a message: "cuda:0: WHAT: CUDA_ERROR_... (words)".  Is STATUS_OK for success. */
CHECKED status cuda_check(const struct cuda_driver *driver, CUresult result, const char *owner,
                          const char *what, struct diagnostic *diagnostic);

/* Whether nothing can be done any more in the context that gave this result. */
bool cuda_is_fatal(CUresult result);

#endif
