/* NVRTC, NVIDIA's run-time compiler for CUDA, loaded with dlopen: Hone is built and started without
 * it.  The declarations are Hone's own, so no header of the toolkit is needed.
 *
 * The library is looked for where HONE_NVRTC says (a file; nothing else is tried then), in
 * HONE_CUDA_PATH, where the loader looks, in the toolkit's folders and in those of the Python
 * packages nvidia-cuda-nvrtc. */
#ifndef CODEGEN_CUDA_NVRTC_H
#define CODEGEN_CUDA_NVRTC_H

#include "base/arena.h"

typedef struct nvrtc_program_data *nvrtc_program;

enum { NVRTC_SUCCESS = 0, NVRTC_ERROR_COMPILATION = 6 };

struct nvrtc {
    const char *path;
    int major, minor;
    const char *(*error_text)(int result);
    int (*version)(int *major, int *minor);
    int (*architecture_count)(int *count);
    int (*architectures)(int *architectures);
    int (*create_program)(nvrtc_program *program, const char *source, const char *name,
                          int header_count, const char *const *headers,
                          const char *const *include_names);
    int (*destroy_program)(nvrtc_program *program);
    int (*compile_program)(nvrtc_program program, int option_count, const char *const *options);
    int (*log_bytes)(nvrtc_program program, size_t *byte_count);
    int (*log)(nvrtc_program program, char *log);
    int (*cubin_bytes)(nvrtc_program program, size_t *byte_count);
    int (*cubin)(nvrtc_program program, char *cubin);
    int (*text_bytes)(nvrtc_program program, size_t *byte_count);
    int (*text)(nvrtc_program program, char *text);
};

/* Stays loaded: opening it again is cheap. */
CHECKED status nvrtc_open(struct arena *arena, struct nvrtc *nvrtc, struct diagnostic *diagnostic);

/* "nvrtc 13.0"; "none" where there is no NVRTC. */
const char *nvrtc_identity(void);

/* fail() with NVRTC's words for `result`. */
CHECKED status nvrtc_fail(const struct nvrtc *nvrtc, int result, const char *what,
                          struct diagnostic *diagnostic);
#define nvrtc_fail(...) certain_failure((nvrtc_fail)(__VA_ARGS__))

#endif
