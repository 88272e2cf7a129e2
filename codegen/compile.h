/* The way to machine code: candidate + problem -> image.
 *
 * The compilers themselves live in modules that are loaded only when something must be compiled
 * (libhone_codegen_cpu: the emitters on the LLVM C API; NVIDIA's NVRTC, see codegen/cuda/nvrtc.h).  Compilers may abort or hang, so compile_candidate runs them in
 * a child process with limits; a process that may die itself (the measuring worker) calls compile_here. */
#ifndef CODEGEN_COMPILE_H
#define CODEGEN_COMPILE_H

#include "ir/variant.h"

struct compile_limits {
    double seconds;        /* per candidate */
    uint64_t memory_bytes; /* address space beyond the caller's */
};

/* 60 s and 4 GiB. */
struct compile_limits compile_limits_default(void);

CHECKED status compile_candidate(const struct generation *generation, struct compile_limits limits,
                                 struct arena *arena, struct image *image, struct listing *listing,
                                 struct diagnostic *diagnostic);
CHECKED status compile_here(const struct generation *generation, struct arena *arena,
                            struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic);

/* Identity of the compiler of `target` ("llvm 19.1.7", "nvrtc 13.0"): part of every artifact's key.  LLVM's needs no
 * module; without NVRTC the compiler of CUDA is "none". */
const char *compile_identity(enum target target);

/* Whether there is a compiler for the device; only cards may have none. */
CHECKED status compile_check(const struct device_facts *facts, struct diagnostic *diagnostic);
/* The same, and loads the compiler: whoever measures candidates wants to know at once when it is missing or of another build,
 * and not from every one of them. */
CHECKED status compile_load(const struct device_facts *facts, struct diagnostic *diagnostic);

/* The key of the artifact that this generation yields. */
struct hash compile_key(const struct generation *generation);

/* What a module exports under the name "hone_codegen_module". */
enum { CODEGEN_MODULE_VERSION = 2 };
struct codegen_module {
    int version;
    const char *compiler;
    generate_function *(*find)(const char *variant); /* NULL when unknown */
    generate_function *source;                       /* of kernels in LLVM's language */
};

#endif
