/* Where cuBLASLt lies.  Its file has half a gigabyte, so it is looked for by name and loaded only to be used. */
#include "base/file.h"
#include "runtime/cuda/cuda_cublaslt.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<cublasLt.h>)
#define HAVE_CUBLASLT_HEADER 1
#endif
#endif

/* Newest first. */
static const char *const library_names[] = {"libcublasLt.so.13", "libcublasLt.so.12"};

/* Folders, as patterns; $NAME at the front is replaced by the environment variable's value. */
static const char *const folders[] = {
    "$HONE_CUDA_PATH",
    "$HONE_CUDA_PATH/lib64",
    "$HONE_CUDA_PATH/lib",
    "$CUDA_HOME/lib64",
    "$CUDA_PATH/lib64",
    "/usr/local/cuda/lib64",
    "/usr/local/cuda-1[23].*/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/cu13/lib",
    "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/cublas/lib",
    "$HOME/.local/lib/python3*/site-packages/nvidia/cu13/lib",
    "$HOME/.local/lib/python3*/site-packages/nvidia/cublas/lib",
    "/usr/local/lib/python3*/dist-packages/nvidia/cu13/lib",
    "/usr/local/lib/python3*/dist-packages/nvidia/cublas/lib",
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

/* The last file that matches is the newest version; NULL when there is none. */
static const char *find_in(struct arena *arena, const char *folder, const char *name)
{
    glob_t found;
    const char *pattern = folder ? file_join(arena, folder, name) : NULL;
    if (!pattern || glob(pattern, 0, NULL, &found) != 0) return NULL;
    const char *path =
        found.gl_pathc ? arena_text(arena, found.gl_pathv[found.gl_pathc - 1]) : NULL;
    globfree(&found);
    return path;
}

static const char *find_in_list(struct arena *arena, const char *list, const char *name)
{
    while (list && *list) {
        size_t length = strcspn(list, ":");
        const char *path =
            length ? find_in(arena, arena_text_range(arena, list, length), name) : NULL;
        if (path) return path;
        list += length + (list[length] == ':');
    }
    return NULL;
}

static const char *find_anywhere(struct arena *arena)
{
    for (size_t n = 0; n < sizeof library_names / sizeof *library_names; n++) {
        const char *path = find_in_list(arena, getenv("LD_LIBRARY_PATH"), library_names[n]);
        for (size_t f = 0; f < sizeof folders / sizeof *folders && !path; f++)
            path = find_in(arena, expand(arena, folders[f]), library_names[n]);
        if (path) return path;
    }
    return NULL;
}

status cuda_cublaslt_find(const char *emulated_cards, struct arena *arena, const char **path,
                          struct diagnostic *diagnostic)
{
    const char *given = getenv("HONE_CUBLASLT");
#ifndef HAVE_CUBLASLT_HEADER
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "Hone was built without cublasLt.h; build it where the CUDA toolkit has it");
#endif
    if (given && strcmp(given, "none") == 0)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "HONE_CUBLASLT is 'none': cuBLASLt is not used");
    if (emulated_cards) return cuda_stand_in_path(library_names[0], arena, path, diagnostic);
    *path = given && *given ? (file_exists(given) ? given : NULL) : find_anywhere(arena);
    if (*path) return STATUS_OK;
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "cuBLASLt was not found: install the CUDA toolkit's or the Python package "
                "nvidia-cublas, or name "
                "libcublasLt.so.13 in HONE_CUBLASLT");
}

bool cuda_cublaslt_is_here(const char *emulated_cards, struct arena *scratch)
{
    struct diagnostic ignored = {0};
    const char *path;
    return cuda_cublaslt_find(emulated_cards, scratch, &path, &ignored) == STATUS_OK;
}
