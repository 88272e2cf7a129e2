/* Kernels of the host are measured on all of its threads in a child, those of a card through its driver there. */
#include "engine/tune_device.h"

#include "codegen/compile.h"
#include "runtime/cpu_rates.h"

status tune_device_rates(struct device *device, bool anew, const char *cache_folder,
                         struct arena *arena, const struct progress *progress,
                         struct diagnostic *diagnostic)
{
    bool known = device_facts(device)->values[FACT_read_bandwidth] > 0;
    /* A card's are what its clocks promise: measuring would start the driver, and workers are still to be forked. */
    if (!device_memory_is_host(device) || (known && !anew)) return STATUS_OK;
    struct progress_state state = {.stage = "measuring the machine", .seconds_left = 2};
    progress_update(progress, &state);
    TRY(device_probe(device, diagnostic));
    struct diagnostic reason = {0};
    if (cache_folder &&
        cpu_rates_save(cache_folder, device_facts(device), arena, &reason) != STATUS_OK)
        progress_warn(progress, "the machine's rates are not kept: %s", reason.text);
    return STATUS_OK;
}

status tune_device_prepare(const struct device *device, const char *cpu, struct tune_device *tuned,
                           struct tune_setup *setup, struct diagnostic *diagnostic)
{
    bool host = device_memory_is_host(device);
    tuned->setup =
        (struct runner_device_setup){.specification = host ? "cpu" : device_specification(device),
                                     .memory_is_host = host,
                                     .threads = device_threads(device),
                                     .cpu = cpu};
    tuned->runner = runner_device(&tuned->setup);
    setup->facts = device_facts(device);
    setup->compiler = compile_identity(setup->facts->target);
    setup->runner = &tuned->runner;
    setup->limits = worker_setup_default();
    if (!host) setup->limits.child_bytes = 0;
    return setup->options.effort > 0 ? compile_load(setup->facts, diagnostic) : STATUS_OK;
}
