/* Before and after the compiler, whatever the language. */
#include "codegen/source_kernel.h"

#include "codegen/object_block.h"

status source_prepare(const struct generation *generation, struct arena *arena, struct image *image,
                      struct kernel_constants *constants, struct diagnostic *diagnostic)
{
    const struct space *space = generation->space;
    struct bound_space bound;
    const char *reason;
    if (!space_bind_config(space, generation->problem, generation->facts, generation->config, arena,
                           &bound, &reason))
        return fail(diagnostic, STATUS_UNSUPPORTED, "%s cannot be compiled for %s: %s",
                    space->variant, generation->problem->text, reason);
    TRY(space_launches(&bound, generation->config, image, diagnostic));
    return kernel_constants_collect(&bound, generation->config, arena, constants, diagnostic);
}

status source_take_object(const void *object, size_t object_bytes, struct arena *arena,
                          struct image *image, struct diagnostic *diagnostic)
{
    struct object_block block;
    TRY(object_block_make(object, object_bytes, arena, &block, diagnostic));
    for (int l = 0; l < image->launch_count; l++) {
        struct launch *launch = &image->launches[l];
        launch->offset = object_block_find(&block, launch->name);
        if (launch->offset < 0)
            return fail(diagnostic, STATUS_COMPILE,
                        "the kernel has no function '%s', which the variant's launches name",
                        launch->name);
    }
    image->code = block.bytes;
    image->code_bytes = block.byte_count;
    return STATUS_OK;
}
