/* The frame of every generate function: launches are described while their kernels are emitted,
 * then the module becomes the image's code.
 *
 *     struct emitter e;
 *     TRY(emitter_create(generation->facts, arena, &e, diagnostic));
 *     *image = (struct image){.target = TARGET_CPU};
 *     struct launch *launch = image_add_launch(image, "scale", (struct geometry){0, 64, 1});
 *     launch_add(launch, ARGUMENT_OPERAND, 0);
 *     ... kernel_begin(&e, "scale") ... kernel_end(&e) ...
 *     status code = kernel_image_finish(&e, image, listing, diagnostic);
 *     emitter_destroy(&e); */
#ifndef CODEGEN_CPU_KERNEL_IMAGE_H
#define CODEGEN_CPU_KERNEL_IMAGE_H

#include "codegen/cpu/llvm_emit.h"

/* `name` is the kernel's, and must live as long as the image. */
struct launch *image_add_launch(struct image *image, const char *name, struct geometry geometry);
/* Returns the argument's number, for kernel_pointer. */
int launch_add(struct launch *launch, enum argument_kind kind, int index);
/* Adds an operand or a workspace to the launch of the kernel being emitted and loads its address.
 */
value kernel_operand(struct emitter *e, const struct kernel_arguments *kernel,
                     struct launch *launch, int index);
value kernel_workspace(struct emitter *e, const struct kernel_arguments *kernel,
                       struct launch *launch, int index);
/* Returns the workspace's number. */
int image_add_workspace(struct image *image, struct workspace workspace);

/* Compiles what was emitted and enters the kernels' offsets into the launches. */
CHECKED status kernel_image_finish(struct emitter *e, struct image *image, struct listing *listing,
                                   struct diagnostic *diagnostic);

#endif
