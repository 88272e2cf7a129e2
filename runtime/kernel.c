/* Images loaded onto host-computing devices: code in executable pages, workspaces in the device's scratch. */
#include "runtime/device_internal.h"

#include "base/checked.h"
#include "base/memory.h"

#include <string.h>

/* Workspaces start on cache lines. */
enum { WORKSPACE_ALIGNMENT_BYTES = 64 };

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

static status grow_scratch(struct device *device, int64_t bytes, struct diagnostic *diagnostic)
{
    if (bytes <= device->scratch_bytes) return STATUS_OK;
    void *scratch;
    TRY(memory_map((size_t)bytes, &scratch, diagnostic));
    if (device->scratch) memory_unmap(device->scratch, (size_t)device->scratch_bytes);
    device->scratch = scratch;
    device->scratch_bytes = bytes;
    return STATUS_OK;
}

static status load_parts(struct device *device, struct kernel *kernel, const struct image *image,
                         struct diagnostic *diagnostic)
{
    int64_t scratch_bytes = 0;
    TRY(place_workspaces(kernel, &scratch_bytes, diagnostic));
    TRY(grow_scratch(device, scratch_bytes, diagnostic));
    if (image->code_bytes)
        TRY(memory_map_code(image->code, (size_t)image->code_bytes, &kernel->code, diagnostic));
    return STATUS_OK;
}

status kernel_load(struct device *device, const struct problem *problem, const struct image *image,
                   struct kernel **result, struct diagnostic *diagnostic)
{
    if (image->target != TARGET_CPU)
        return fail(diagnostic, STATUS_DEVICE, "%s cannot run an image made for %s",
                    device->specification, target_name(image->target));
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct kernel *kernel = arena_allocate(arena, 1, sizeof *kernel);
    if (!kernel) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *kernel);
    }
    *kernel = (struct kernel){.device = device, .arena = arena, .problem = problem, .image = *image};
    kernel->image.code = NULL;
    status code = load_parts(device, kernel, image, diagnostic);
    if (code != STATUS_OK) {
        kernel_unload(kernel);
        return code;
    }
    *result = kernel;
    return STATUS_OK;
}

void kernel_unload(struct kernel *kernel)
{
    if (!kernel) return;
    if (kernel->code) memory_unmap(kernel->code, (size_t)kernel->image.code_bytes);
    arena_destroy(kernel->arena);
}
