/* What CPU kernels need beside their compiler, be they source texts or made by an emitter. */
#ifndef CODEGEN_SOURCE_KERNEL_H
#define CODEGEN_SOURCE_KERNEL_H

#include "codegen/kernel_constants.h"

/* For source texts: the launches that the space gives for this config, and the constants. */
CHECKED status source_prepare(const struct generation *generation, struct arena *arena,
                              struct image *image, struct kernel_constants *constants,
                              struct diagnostic *diagnostic);
/* Puts an object's code into the image and the kernels' offsets into its launches. */
CHECKED status source_take_object(const void *object, size_t object_bytes, struct arena *arena,
                                  struct image *image, struct diagnostic *diagnostic);

#endif
