/* Finding and loading libcuda.so.1. */
#include "runtime/cuda/cuda_driver.h"

#include "base/file.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* Cluster launches and cuLaunchKernelEx as they are used here came with 11.8; images come from NVRTC 12 or newer. */
enum { VERSION_LEAST = 12000 };

static const char LIBRARY_NAME[] = "libcuda.so.1";

status cuda_stand_in_path(const char *library, struct arena *arena, const char **path,
                          struct diagnostic *diagnostic)
{
    Dl_info info;
    const char *folder = dladdr((const void *)&LIBRARY_NAME, &info) && info.dli_fname
                             ? file_folder_of(arena, info.dli_fname)
                             : NULL;
    const char *const places[] = {"hone/emulator", "../lib/hone/emulator"};
    for (size_t i = 0; folder && i < sizeof places / sizeof *places; i++) {
        *path = arena_print(arena, "%s/%s/%s", folder, places[i], library);
        TRY_MEMORY(*path, diagnostic);
        if (file_exists(*path)) return STATUS_OK;
    }
    return fail(diagnostic, STATUS_DEVICE,
                "the stand-in CUDA driver for emulated cards is not in hone/emulator below %s: "
                "build Hone with the CUDA "
                "toolkit's headers",
                folder ? folder : "the library's folder");
}

static status find_driver(const char *emulated_cards, struct arena *arena, const char **path,
                          struct diagnostic *diagnostic)
{
    if (emulated_cards) return cuda_stand_in_path(LIBRARY_NAME, arena, path, diagnostic);
    const char *folder = getenv("HONE_CUDA_PATH");
    *path = folder && *folder ? file_join(arena, folder, LIBRARY_NAME) : LIBRARY_NAME;
    TRY_MEMORY(*path, diagnostic);
    return STATUS_OK;
}

/* ISO C has no conversion from an object pointer to a function pointer; POSIX guarantees it. */
static bool find_function(void *library, const char *name, void *slot)
{
    void *address = dlsym(library, name);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

static status find_functions(struct cuda_driver *driver, const char *path,
                             struct diagnostic *diagnostic)
{
#define TEXT(name)          #name
#define CUDA_FUNCTION(name) {TEXT(name), offsetof(struct cuda_driver, name)},
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#include "runtime/cuda/cuda_functions.def"
    };
#undef CUDA_FUNCTION
#undef TEXT
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        if (!find_function(driver->library, functions[f].name,
                           (char *)driver + functions[f].offset))
            return fail(diagnostic, STATUS_DEVICE,
                        "the CUDA driver %s has no function %s: it is older than CUDA %d.%d; "
                        "install a newer driver",
                        path, functions[f].name, VERSION_LEAST / 1000, VERSION_LEAST % 1000 / 10);
    find_function(driver->library, "hone_emulator_report", &driver->report);
    if (find_function(driver->library, "cuEventElapsedTime_v2", &driver->elapsed_time) ||
        find_function(driver->library, "cuEventElapsedTime", &driver->elapsed_time))
        return STATUS_OK;
    return fail(diagnostic, STATUS_DEVICE, "the CUDA driver %s has no function cuEventElapsedTime",
                path);
}

static status start_driver(struct cuda_driver *driver, const char *path,
                           struct diagnostic *diagnostic)
{
    TRY(find_functions(driver, path, diagnostic));
    CUresult result = driver->cuInit(0);
    if (driver->cuDriverGetVersion(&driver->version) == CUDA_SUCCESS &&
        driver->version < VERSION_LEAST)
        return fail(diagnostic, STATUS_DEVICE,
                    "the CUDA driver %s is of CUDA %d.%d; Hone needs %d.%d: install a newer driver",
                    path, driver->version / 1000, driver->version % 1000 / 10, VERSION_LEAST / 1000,
                    VERSION_LEAST % 1000 / 10);
    if (result == CUDA_ERROR_NO_DEVICE)
        return fail(diagnostic, STATUS_DEVICE,
                    "the CUDA driver %s sees no card: look at nvidia-smi, or use --devices cpu",
                    path);
    return cuda_check(driver, result, path, "starting the CUDA driver", diagnostic);
}

status cuda_driver_open(const char *emulated_cards, struct arena *arena, struct cuda_driver *driver,
                        struct diagnostic *diagnostic)
{
    const char *path;
    *driver = (struct cuda_driver){.closes = emulated_cards != NULL};
    TRY(find_driver(emulated_cards, arena, &path, diagnostic));
    if (emulated_cards && setenv("HONE_EMULATED_CARDS", emulated_cards, 1) != 0)
        return fail_memory(diagnostic, strlen(emulated_cards));
    driver->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!driver->library) {
        const char *reason = dlerror();
        return fail(diagnostic, STATUS_DEVICE,
                    "no CUDA driver: %s; install NVIDIA's driver, name its folder in "
                    "HONE_CUDA_PATH, or use --devices cpu",
                    reason ? reason : path);
    }
    status code = start_driver(driver, path, diagnostic);
    if (code != STATUS_OK) cuda_driver_close(driver);
    return code;
}

void cuda_driver_close(struct cuda_driver *driver)
{
    if (driver->library && driver->closes) dlclose(driver->library);
    driver->library = NULL;
}

status cuda_check(const struct cuda_driver *driver, CUresult result, const char *owner,
                  const char *what, struct diagnostic *diagnostic)
{
    const char *name = NULL, *words = NULL;
    if (result == CUDA_SUCCESS) return STATUS_OK;
    driver->cuGetErrorName(result, &name);
    driver->cuGetErrorString(result, &words);
    return fail(diagnostic, result == CUDA_ERROR_OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_DEVICE,
                "%s: %s: %s (%s)", owner, what, name ? name : "an unknown error",
                words ? words : "");
}

bool cuda_is_fatal(CUresult result)
{
    switch (result) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_DEVICE_UNAVAILABLE:
    case CUDA_ERROR_UNKNOWN: return true;
    default: return false;
    }
}
