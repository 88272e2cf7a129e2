/* The runner for real devices. */
#include "codegen/compile.h"
#include "runtime/device.h"
#include "tuner/runner.h"

static status open_device(const void *setup, void **context, struct diagnostic *diagnostic)
{
    const struct runner_device_setup *own = setup;
    const struct device_options options = {
        .threads = own->threads, .cpu = own->cpu, .no_forks = true};
    struct device *device;
    TRY(device_open(own->specification, &options, &device, diagnostic));
    *context = device;
    return STATUS_OK;
}

static void close_device(void *context)
{
    device_close(context);
}

static status generate(void *context, const struct generation *generation, struct arena *arena,
                       struct image *image, struct diagnostic *diagnostic)
{
    TRY(compile_here(generation, arena, image, NULL, diagnostic));
    return device_resolve(context, generation->problem, image, diagnostic);
}

static status load(void *context, const struct problem *problem, const struct image *image,
                   void **kernel, struct diagnostic *diagnostic)
{
    struct kernel *loaded;
    TRY(kernel_load(context, problem, image, &loaded, diagnostic));
    *kernel = loaded;
    return STATUS_OK;
}

static void unload(void *context, void *kernel)
{
    (void)context;
    kernel_unload(kernel);
}

static status run_once(void *context, void *kernel, const struct run *run, void *const *operands,
                       struct diagnostic *diagnostic)
{
    return device_run(context, kernel, run, operands, diagnostic);
}

static status time_runs(void *context, void *kernel, const struct runner_timing *timing,
                        double *seconds, struct diagnostic *diagnostic)
{
    const struct device_timing own = {.kernel = kernel,
                                      .run = timing->run,
                                      .operands = timing->operands,
                                      .operand_sets = timing->operand_sets,
                                      .first = timing->first,
                                      .count = timing->count};
    return device_time(context, &own, seconds, diagnostic);
}

static status allocate(void *context, int64_t bytes, void **address, struct diagnostic *diagnostic)
{
    return device_allocate(context, bytes, address, diagnostic);
}

static void release(void *context, void *address, int64_t bytes)
{
    device_free(context, address, bytes);
}

static status store(void *context, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    return device_store(context, to, from, bytes, diagnostic);
}

static status fetch(void *context, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    return device_fetch(context, to, from, bytes, diagnostic);
}

struct runner runner_device(const struct runner_device_setup *setup)
{
    struct runner runner = {.compiles_apart = !setup->memory_is_host,
                            .setup = setup,
                            .open = open_device,
                            .close = close_device,
                            .generate = generate,
                            .load = load,
                            .unload = unload,
                            .run = run_once,
                            .time = time_runs};
    if (setup->memory_is_host) return runner;
    runner.allocate = allocate;
    runner.release = release;
    runner.store = store;
    runner.fetch = fetch;
    return runner;
}
