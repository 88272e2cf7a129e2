/* cuGetProcAddress: functions by name, whatever version of them cuda.h asks for. */
#include "emulator/driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* The stand-in has one version of each function: the one that cuda.h's macros name. */
static void *find_function(const char *name)
{
    static const char *const versions[] = {"_v4", "_v3", "_v2", ""};
    char versioned[128];
    Dl_info self;
    /* The stand-in's own functions, not those of a real driver that may be loaded as well. */
    if (!dladdr((void *)&driver_state, &self)) return NULL;
    void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD), *found = NULL;
    if (!library) return NULL;
    for (size_t i = 0; i < sizeof versions / sizeof *versions && !found; i++) {
        snprintf(versioned, sizeof versioned, "%s%s", name, versions[i]);
        found = dlsym(library, versioned);
    }
    dlclose(library);
    return found;
}

CUresult cuGetProcAddress(const char *name, void **function, int version, cuuint64_t flags,
                          CUdriverProcAddressQueryResult *found)
{
    (void)flags;
    if (!name || !function) return CUDA_ERROR_INVALID_VALUE;
    int driver_version;
    TRY_CUDA(cuDriverGetVersion(&driver_version));
    *function = version > driver_version ? NULL : find_function(name);
    if (found)
        *found = *function ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

/* Tables between NVIDIA's own libraries: NVRTC asks for one when it finds a driver loaded. */
CUresult cuGetExportTable(const void **table, const CUuuid *id)
{
    if (!table || !id) return CUDA_ERROR_INVALID_VALUE;
    *table = NULL;
    return CUDA_ERROR_NOT_FOUND;
}
