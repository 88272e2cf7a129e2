/* Device, catalogue and runner for tuner/verify_choices.h. */
#include "engine/verify_store.h"

#include "engine/tune_device.h"
#include "ops/catalogue.h"
#include "runtime/device.h"

static status verify_on(struct device *device, struct store *store,
                        const struct verify_store_options *options, struct arena *arena,
                        struct verify_report *report, struct diagnostic *diagnostic)
{
    struct catalogue catalogue;
    struct tune_device tuned;
    struct tune_setup setup = {.catalogue = &catalogue,
                               .store = store,
                               .options = {.effort = EFFORT_DEFAULT,
                                           .budget_seconds = options->budget_seconds,
                                           .seed = options->seed,
                                           .policy = {.fast = options->engine.fast},
                                           .progress = options->engine.progress}};
    TRY(device_refuse_described(device, diagnostic));
    TRY(catalogue_read(options->engine.variants_folder, arena, &catalogue, diagnostic));
    TRY(tune_device_prepare(device, options->engine.cpu, &tuned, &setup, diagnostic));
    return verify_choices(&setup, options->op, options->most, arena, report, diagnostic);
}

status engine_verify_store(struct store *store, const struct verify_store_options *options,
                           struct arena *arena, const char **device_class,
                           struct verify_report *report, struct diagnostic *diagnostic)
{
    const struct engine_options *engine = &options->engine;
    const struct device_options settings = {
        .threads = engine->threads, .cpu = engine->cpu, .rates_folder = engine->cache_folder};
    struct device *device;
    TRY(device_open(engine->devices ? engine->devices : "cpu", &settings, &device, diagnostic));
    *device_class = arena_text(arena, device_facts(device)->class_name);
    status code = *device_class ? verify_on(device, store, options, arena, report, diagnostic)
                                : fail_memory(diagnostic, 0);
    device_close(device);
    return code;
}
