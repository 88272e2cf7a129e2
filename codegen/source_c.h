/* CPU kernels in C: a variant's NAME.c, compiled by clang in a program of its own.
 *
 * The text is preceded by its constants (codegen/kernel_constants.h): whole numbers as enumerators, where they are too large
 * for that as `static const long long`, real ones as `static const float NAME` and `static const double NAME_exact`.  Every
 * launch's entry is a function
 *
 *     void entry(void *const *pointers, const int64_t *integers, int64_t begin, int64_t end)
 *
 * (kernel_function in ir/image.h, whose KERNEL_ numbers are defined as well).  It is compiled freestanding: it may include
 * the compiler's own headers (immintrin.h, stdint.h), nothing beside it, and it can call nothing that is not in it. */
#ifndef CODEGEN_SOURCE_C_H
#define CODEGEN_SOURCE_C_H

#include "ir/variant.h"

/* A generate_function.  STATUS_UNSUPPORTED where there is no clang (HONE_CLANG, or clang-NN or clang on PATH). */
status source_c_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic);

/* The clang that would be run; NULL where there is none. */
const char *source_c_compiler(struct arena *arena);

/* What is known of the compiler without running it: part of an artifact's key. */
struct hash source_c_identity(struct arena *scratch);

#endif
