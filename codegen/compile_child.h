/* A child that compiles request after request, and what it says: for codegen/compile_pool.c and its child. */
#ifndef CODEGEN_COMPILE_CHILD_H
#define CODEGEN_COMPILE_CHILD_H

#include "base/process.h"
#include "codegen/compile.h"

/* Pointers are the same in parent and child, which is a copy of it. */
struct compile_request {
    struct generation generation; /* its config: the one here */
    struct config config;
};

/* A process_body; needs no context. */
void compile_child(void *context, int requests, int answers);

/* The encoded image in an answer, or why there is none. */
CHECKED status compile_answer_read(const void *answer, size_t answer_bytes, const void **image,
                                   size_t *image_bytes, struct diagnostic *diagnostic);

#endif
