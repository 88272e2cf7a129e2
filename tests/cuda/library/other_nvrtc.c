/* An NVRTC of another version, for tests: OTHER_NVRTC_VERSION ("12.4") is what it says it is, OTHER_NVRTC_REAL the library
 * that does its work. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static void find(const char *name, void *function)
{
    const char *path = getenv("OTHER_NVRTC_REAL");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library ? dlsym(library, name) : NULL;
    if (!symbol) abort(); /* the test did not set it up */
    memcpy(function, &symbol, sizeof symbol);
}

#define FORWARD(result, name, parameters, ...)                                                     \
    EXPORT result name parameters;                                                                 \
    EXPORT result name parameters                                                                  \
    {                                                                                              \
        result(*real) parameters;                                                                  \
        find(#name, &real);                                                                        \
        return real(__VA_ARGS__);                                                                  \
    }

FORWARD(const char *, nvrtcGetErrorString, (int code), code)
FORWARD(int, nvrtcGetNumSupportedArchs, (int *count), count)
FORWARD(int, nvrtcGetSupportedArchs, (int *list), list)
FORWARD(int, nvrtcCreateProgram,
        (void **program, const char *source, const char *name, int count,
         const char *const *headers, const char *const *names),
        program, source, name, count, headers, names)
FORWARD(int, nvrtcDestroyProgram, (void **program), program)
FORWARD(int, nvrtcCompileProgram, (void *program, int count, const char *const *options), program,
        count, options)
FORWARD(int, nvrtcGetProgramLogSize, (void *program, size_t *bytes), program, bytes)
FORWARD(int, nvrtcGetProgramLog, (void *program, char *log), program, log)
FORWARD(int, nvrtcGetCUBINSize, (void *program, size_t *bytes), program, bytes)
FORWARD(int, nvrtcGetCUBIN, (void *program, char *cubin), program, cubin)
FORWARD(int, nvrtcGetPTXSize, (void *program, size_t *bytes), program, bytes)
FORWARD(int, nvrtcGetPTX, (void *program, char *text), program, text)

EXPORT int nvrtcVersion(int *major, int *minor);
EXPORT int nvrtcVersion(int *major, int *minor)
{
    const char *version = getenv("OTHER_NVRTC_VERSION");
    return version && sscanf(version, "%d.%d", major, minor) == 2 ? 0 : 1;
}
