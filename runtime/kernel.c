/* Images loaded onto devices: what all kinds of devices share. */
#include "base/checked.h"
#include "runtime/device_internal.h"

/* Workspaces start on the lines of every cache, and where the widest loads of cards want them. */
enum { WORKSPACE_ALIGNMENT_BYTES = 256 };

static status place_workspaces(struct kernel *kernel, int64_t *total, struct diagnostic *diagnostic)
{
    uint64_t end = 0;
    for (int w = 0; w < kernel->image.workspace_count; w++) {
        const struct workspace *workspace = &kernel->image.workspaces[w];
        uint64_t bytes;
        kernel->workspace_offsets[w] = (int64_t)end;
        bool fits = workspace->per_row_bytes >= 0 && workspace->fixed_bytes >= 0 &&
                    checked_multiply((uint64_t)workspace->per_row_bytes,
                                     (uint64_t)kernel->problem->rows, &bytes) &&
                    checked_add(bytes, (uint64_t)workspace->fixed_bytes, &bytes) &&
                    checked_add(end, bytes, &end) &&
                    checked_align(end, WORKSPACE_ALIGNMENT_BYTES, &end) && end < INT64_MAX;
        if (!fits)
            return fail(diagnostic, STATUS_FAILED, "the workspace of %s is too large",
                        kernel->problem->text);
    }
    *total = (int64_t)end;
    return STATUS_OK;
}

status kernel_create(struct device *device, const struct problem *problem,
                     const struct image *image, size_t bytes, struct kernel **result,
                     int64_t *scratch_bytes, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct kernel *kernel = arena_allocate(arena, 1, bytes);
    if (!kernel) {
        arena_destroy(arena);
        return fail_memory(diagnostic, bytes);
    }
    kernel->device = device;
    kernel->arena = arena;
    kernel->problem = problem;
    kernel->image = *image;
    kernel->image.code = NULL;
    status code = place_workspaces(kernel, scratch_bytes, diagnostic);
    if (code != STATUS_OK) {
        arena_destroy(arena);
        return code;
    }
    *result = kernel;
    return STATUS_OK;
}

void kernel_destroy(struct kernel *kernel)
{
    arena_destroy(kernel->arena);
}

status kernel_load(struct device *device, const struct problem *problem, const struct image *image,
                   struct kernel **kernel, struct diagnostic *diagnostic)
{
    if (image->target != device->interface->target)
        return fail(diagnostic, STATUS_DEVICE, "%s cannot run an image made for %s",
                    device->specification, target_name(image->target));
    status code = device->interface->load(device, problem, image, kernel, diagnostic);
    if (code == STATUS_NO_MEMORY && device->refused_bytes == 0)
        device->refused_bytes = 1 + (int64_t)image->code_bytes;
    return code;
}

status device_resolve(struct device *device, const struct problem *problem, struct image *image,
                      struct diagnostic *diagnostic)
{
    bool wanted = false;
    for (int l = 0; l < image->launch_count; l++)
        wanted = wanted || image->launches[l].kind != LAUNCH_KERNEL;
    if (!wanted || !device->interface->resolve) return STATUS_OK;
    return device->interface->resolve(device, problem, image, diagnostic);
}

void kernel_unload(struct kernel *kernel)
{
    if (kernel) kernel->device->interface->unload(kernel);
}
