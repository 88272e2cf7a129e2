/* Cards that are not here, by their profiles (ir/profiles.h): facts and a memory limit to plan and compile for; nothing
 * can be allocated or run on them. */
#include "runtime/device_described.h"

#include "ir/profiles.h"

/* Of a card's memory the driver, its contexts and a screen take a part; how much is seen where the card is. */
static const double kept_share = 1.0 / 32;

static status refuse(const struct device *device, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_DEVICE,
                "%s is the profile of a card that is not here: plan and compile for it (`hone "
                "compile`, `hone show`, `hone tune "
                "--effort 0`), and run where the card is, as cuda:NUMBER",
                device->specification);
}

static void close_described(struct device *device)
{
    device_destroy(device);
}

/* The profile's rates stand. */
static status probe(struct device *device, struct diagnostic *diagnostic)
{
    (void)device;
    (void)diagnostic;
    return STATUS_OK;
}

static int threads(const struct device *device)
{
    (void)device;
    return 1;
}

static status allocate(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic)
{
    (void)bytes;
    (void)address;
    return refuse(device, diagnostic);
}

static void release(struct device *device, void *address, int64_t bytes)
{
    (void)device;
    (void)address;
    (void)bytes;
}

static status move(struct device *device, void *to, const void *from, int64_t bytes,
                   struct diagnostic *diagnostic)
{
    (void)to;
    (void)from;
    (void)bytes;
    return refuse(device, diagnostic);
}

static status load(struct device *device, const struct problem *problem, const struct image *image,
                   struct kernel **kernel, struct diagnostic *diagnostic)
{
    (void)problem;
    (void)image;
    (void)kernel;
    return refuse(device, diagnostic);
}

static void unload(struct kernel *kernel)
{
    (void)kernel;
}

static void submit(struct device *device)
{
    (void)device;
}

static status finish(struct device *device, struct diagnostic *diagnostic)
{
    return refuse(device, diagnostic);
}

static status time_runs(struct device *device, const struct device_timing *timing, double *seconds,
                        struct diagnostic *diagnostic)
{
    (void)timing;
    (void)seconds;
    return refuse(device, diagnostic);
}

static const struct device_interface device_described_interface = {
    .target = TARGET_CUDA,
    .close = close_described,
    .probe = probe,
    .threads = threads,
    .allocate = allocate,
    .release = release,
    .store = move,
    .fetch = move,
    .load = load,
    .unload = unload,
    .submit = submit,
    .finish = finish,
    .time = time_runs,
};

bool device_is_described(const struct device *device)
{
    return device->interface == &device_described_interface;
}

status device_refuse_described(const struct device *device, struct diagnostic *diagnostic)
{
    return device_is_described(device) ? refuse(device, diagnostic) : STATUS_OK;
}

status device_described_open(const struct device_specification *specification,
                             struct device **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct device *device = arena_allocate(arena, 1, sizeof *device);
    if (!device) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *device);
    }
    TRY(device_prepare(device, &device_described_interface, arena, specification->text,
                       diagnostic));
    status code = profile_read(specification->text, arena, &device->facts, diagnostic);
    if (code != STATUS_OK) {
        device_close(device);
        return code;
    }
    device->limit_bytes = (int64_t)(device->facts.values[FACT_memory_bytes] * (1 - kept_share));
    *result = device;
    return STATUS_OK;
}
