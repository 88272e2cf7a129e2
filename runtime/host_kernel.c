/* Images loaded onto host-computing devices: code in executable pages, workspaces in the device's scratch. */
#include "base/memory.h"
#include "runtime/device_host.h"

static status grow_scratch(struct host_device *device, int64_t bytes, struct diagnostic *diagnostic)
{
    if (bytes <= device->scratch_bytes) return STATUS_OK;
    void *scratch;
    TRY(memory_map((size_t)bytes, &scratch, diagnostic));
    if (device->scratch) memory_unmap(device->scratch, (size_t)device->scratch_bytes);
    device->scratch = scratch;
    device->scratch_bytes = bytes;
    return STATUS_OK;
}

static status load_parts(struct host_device *device, struct host_kernel *kernel,
                         const struct image *image, int64_t scratch_bytes,
                         struct diagnostic *diagnostic)
{
    TRY(grow_scratch(device, scratch_bytes, diagnostic));
    if (image->code_bytes)
        TRY(memory_map_code(image->code, (size_t)image->code_bytes, &kernel->code, diagnostic));
    return STATUS_OK;
}

status host_load(struct device *device, const struct problem *problem, const struct image *image,
                 struct kernel **result, struct diagnostic *diagnostic)
{
    struct kernel *kernel;
    int64_t scratch_bytes;
    TRY(kernel_create(device, problem, image, sizeof(struct host_kernel), &kernel, &scratch_bytes,
                      diagnostic));
    status code = load_parts((struct host_device *)device, (struct host_kernel *)kernel, image,
                             scratch_bytes, diagnostic);
    if (code != STATUS_OK) {
        host_unload(kernel);
        return code;
    }
    *result = kernel;
    return STATUS_OK;
}

void host_unload(struct kernel *kernel)
{
    struct host_kernel *own = (struct host_kernel *)kernel;
    if (own->code) memory_unmap(own->code, (size_t)kernel->image.code_bytes);
    kernel_destroy(kernel);
}
