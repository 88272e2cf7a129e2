/* Finds and loads NVRTC. */
#include "codegen/cuda/nvrtc.h"

#include "base/file.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* Newest first.  Versions before 12 do not know the options used. */
static const char *const library_names[] = {"libnvrtc.so.13", "libnvrtc.so.12"};

/* Versions that identities are made of: 12.0 to 15.9. */
enum { MAJOR_FIRST = 12, MAJOR_COUNT = 4, MINOR_COUNT = 10 };

enum { LIBRARY_NAMES = sizeof library_names / sizeof *library_names };

/* Folders, as patterns; $NAME at the front is replaced by the environment variable's value. */
static const char *const folders[] = {
    "$HONE_CUDA_PATH",
    "$HONE_CUDA_PATH/lib64",
    "$HONE_CUDA_PATH/lib",
    "$CUDA_HOME/lib64",
    "$CUDA_PATH/lib64",
    "/usr/local/cuda/lib64",
    "/usr/local/cuda-1[23].*/lib64",
    "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/cu13/lib",
    "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/cuda_nvrtc/lib",
    "$HOME/.local/lib/python3*/site-packages/nvidia/cu13/lib",
    "$HOME/.local/lib/python3*/site-packages/nvidia/cuda_nvrtc/lib",
    "/usr/local/lib/python3*/dist-packages/nvidia/cu13/lib",
    "/usr/local/lib/python3*/dist-packages/nvidia/cuda_nvrtc/lib",
};

/* The pattern with its variable replaced; NULL when that is not set. */
static const char *expand(struct arena *arena, const char *pattern)
{
    if (*pattern != '$') return pattern;
    size_t length = strcspn(pattern, "/");
    const char *name = arena_text_range(arena, pattern + 1, length - 1);
    const char *value = name ? getenv(name) : NULL;
    return value && *value ? arena_print(arena, "%s%s", value, pattern + length) : NULL;
}

/* The last file that matches is the newest version. */
static void *open_matching(struct arena *arena, const char *folder, const char *name,
                           const char **path)
{
    glob_t found;
    void *library = NULL;
    const char *pattern = file_join(arena, folder, name);
    if (!pattern || glob(pattern, 0, NULL, &found) != 0) return NULL;
    for (size_t i = found.gl_pathc; i > 0 && !library; i--) {
        library = dlopen(found.gl_pathv[i - 1], RTLD_NOW | RTLD_LOCAL);
        if (library) *path = arena_text(arena, found.gl_pathv[i - 1]);
    }
    globfree(&found);
    return library;
}

static void *open_in_folders(struct arena *arena, const char **path)
{
    for (int n = 0; n < LIBRARY_NAMES; n++)
        for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
            const char *folder = expand(arena, folders[f]);
            void *library = folder ? open_matching(arena, folder, library_names[n], path) : NULL;
            if (library) return library;
        }
    return NULL;
}

static void *open_by_name(int flags, const char **path)
{
    for (int n = 0; n < LIBRARY_NAMES; n++) {
        void *library = dlopen(library_names[n], RTLD_NOW | RTLD_LOCAL | flags);
        *path = library_names[n];
        if (library) return library;
    }
    return NULL;
}

static status open_library(struct arena *arena, void **library, const char **path,
                           struct diagnostic *diagnostic)
{
    const char *given = getenv("HONE_NVRTC");
    if (given && *given) {
        *path = given;
        *library = dlopen(given, RTLD_NOW | RTLD_LOCAL);
        if (*library) return STATUS_OK;
        const char *reason = dlerror();
        return fail(diagnostic, STATUS_COMPILE, "HONE_NVRTC: %s", reason ? reason : given);
    }
    bool chosen = getenv("HONE_CUDA_PATH") != NULL;
    *library = open_by_name(RTLD_NOLOAD, path);
    if (!*library && !chosen) *library = open_by_name(0, path);
    if (!*library) *library = open_in_folders(arena, path);
    if (!*library) *library = open_by_name(0, path);
    if (*library) return STATUS_OK;
    return fail(diagnostic, STATUS_COMPILE,
                "NVRTC, which compiles CUDA kernels, was not found: install the CUDA toolkit 12 or "
                "13 or the Python package nvidia-cuda-nvrtc, or name the library in HONE_NVRTC");
}

/* One function of the library; a function pointer is stored through memcpy, as ISO C has no
 * conversion for it. */
static bool find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static const char *missing_function(void *library, struct nvrtc *nvrtc)
{
    const struct {
        const char *name;
        void *function;
    } rows[] = {
        {"nvrtcGetErrorString", &nvrtc->error_text},
        {"nvrtcVersion", &nvrtc->version},
        {"nvrtcGetNumSupportedArchs", &nvrtc->architecture_count},
        {"nvrtcGetSupportedArchs", &nvrtc->architectures},
        {"nvrtcCreateProgram", &nvrtc->create_program},
        {"nvrtcDestroyProgram", &nvrtc->destroy_program},
        {"nvrtcCompileProgram", &nvrtc->compile_program},
        {"nvrtcGetProgramLogSize", &nvrtc->log_bytes},
        {"nvrtcGetProgramLog", &nvrtc->log},
        {"nvrtcGetCUBINSize", &nvrtc->cubin_bytes},
        {"nvrtcGetCUBIN", &nvrtc->cubin},
        {"nvrtcGetPTXSize", &nvrtc->text_bytes},
        {"nvrtcGetPTX", &nvrtc->text},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!find(library, rows[i].name, rows[i].function)) return rows[i].name;
    return NULL;
}

status nvrtc_open(struct arena *arena, struct nvrtc *nvrtc, struct diagnostic *diagnostic)
{
    void *library;
    *nvrtc = (struct nvrtc){0};
    TRY(open_library(arena, &library, &nvrtc->path, diagnostic));
    const char *missing = missing_function(library, nvrtc);
    if (missing)
        return fail(diagnostic, STATUS_COMPILE,
                    "%s is no NVRTC that Hone can use: it has no %s; install NVRTC 12 or 13",
                    nvrtc->path, missing);
    int result = nvrtc->version(&nvrtc->major, &nvrtc->minor);
    if (result != NVRTC_SUCCESS)
        return nvrtc_fail(nvrtc, result, "asking for its version", diagnostic);
    if (nvrtc->major >= MAJOR_FIRST) return STATUS_OK;
    return fail(diagnostic, STATUS_COMPILE,
                "%s is NVRTC %d.%d; Hone needs %d or newer: install the CUDA toolkit 12 or 13, or "
                "the Python package nvidia-cuda-nvrtc",
                nvrtc->path, nvrtc->major, nvrtc->minor, MAJOR_FIRST);
}

/* Names of versions, so that an identity lives as long as the program. */
#define VERSIONS(major)                                                                            \
    {                                                                                              \
        "nvrtc " #major ".0", "nvrtc " #major ".1", "nvrtc " #major ".2", "nvrtc " #major ".3",    \
            "nvrtc " #major ".4", "nvrtc " #major ".5", "nvrtc " #major ".6",                      \
            "nvrtc " #major ".7", "nvrtc " #major ".8", "nvrtc " #major ".9"                       \
    }
static const char *const identities[MAJOR_COUNT][MINOR_COUNT] = {VERSIONS(12), VERSIONS(13),
                                                                 VERSIONS(14), VERSIONS(15)};

const char *nvrtc_identity(void)
{
    struct diagnostic diagnostic = {0};
    struct nvrtc nvrtc;
    struct arena *arena = arena_create(0);
    status code = arena ? nvrtc_open(arena, &nvrtc, &diagnostic) : STATUS_NO_MEMORY;
    arena_destroy(arena);
    if (code != STATUS_OK) return "none";
    int major = nvrtc.major - MAJOR_FIRST, minor = nvrtc.minor;
    bool known = major >= 0 && major < MAJOR_COUNT && minor >= 0 && minor < MINOR_COUNT;
    return known ? identities[major][minor] : "nvrtc of an unknown version";
}

status(nvrtc_fail)(const struct nvrtc *nvrtc, int result, const char *what,
                   struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_COMPILE, "NVRTC (%s) failed at %s: %s", nvrtc->path, what,
                nvrtc->error_text(result));
}
