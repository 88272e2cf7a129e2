/* From emitted kernels to an image. */
#include "codegen/cpu/kernel_image.h"

#include "codegen/cpu/cpu_target.h"
#include "codegen/source_kernel.h"

#include <assert.h>

struct launch *image_add_launch(struct image *image, const char *name, struct geometry geometry)
{
    assert(image->launch_count < IMAGE_LAUNCHES_MAX);
    struct launch *launch = &image->launches[image->launch_count++];
    *launch = (struct launch){.name = name, .geometry = geometry};
    return launch;
}

int launch_add(struct launch *launch, enum argument_kind kind, int index)
{
    assert(launch->argument_count < LAUNCH_ARGUMENTS_MAX);
    launch->arguments[launch->argument_count] = (struct argument){kind, index};
    return launch->argument_count++;
}

value kernel_operand(struct emitter *e, const struct kernel_arguments *kernel,
                     struct launch *launch, int index)
{
    return kernel_pointer(e, kernel, launch_add(launch, ARGUMENT_OPERAND, index));
}

value kernel_workspace(struct emitter *e, const struct kernel_arguments *kernel,
                       struct launch *launch, int index)
{
    return kernel_pointer(e, kernel, launch_add(launch, ARGUMENT_WORKSPACE, index));
}

int image_add_workspace(struct image *image, struct workspace workspace)
{
    assert(image->workspace_count < IMAGE_WORKSPACES_MAX);
    image->workspaces[image->workspace_count] = workspace;
    return image->workspace_count++;
}

status kernel_image_finish(struct emitter *e, struct image *image, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    if (e->problem) return fail(diagnostic, STATUS_COMPILE, "%s", e->problem);
    const void *object;
    size_t object_bytes;
    TRY(cpu_target_compile(e, e->arena, &object, &object_bytes, listing, diagnostic));
    return source_take_object(object, object_bytes, e->arena, image, diagnostic);
}
