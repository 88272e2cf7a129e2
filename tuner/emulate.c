/* Checking a candidate on an emulated card, and asking the stand-in driver what it saw. */
#include "tuner/emulate.h"

#include "base/text.h"
#include "runtime/device.h"
#include "tuner/worker.h"

enum { CARD_GIBIBYTES = 24 }; /* operands are bounded by the trial's own limit */

struct emulating {
    const struct generation *generation;
    const struct image *image;
    const struct runner *runner;
    void *device;
    struct arena *arena;
    struct emulation *emulation;
};

/* A launch that failed is the last one; otherwise the last run's launches are. */
static status take_report(struct emulating *own, struct diagnostic *diagnostic)
{
    bool failed = own->emulation->outcome.status == RECORD_CRASHED;
    int launches = failed ? 1 : own->image->launch_count;
    return device_report(own->device, launches, own->arena, &own->emulation->report, diagnostic);
}

static status check_kernel(struct emulating *own, struct trial *trial,
                           struct diagnostic *diagnostic)
{
    struct trial_kernel kernel = {.runner = own->runner,
                                  .context = own->device,
                                  .numerics = own->generation->space->numerics};
    double seconds;
    TRY(own->runner->load(own->device, own->generation->problem, own->image, &kernel.kernel,
                          diagnostic));
    trial_check(trial, &kernel, &seconds, &own->emulation->outcome);
    status code = take_report(own, diagnostic);
    own->runner->unload(own->device, kernel.kernel);
    return code;
}

static status check_image(struct emulating *own, struct diagnostic *diagnostic)
{
    const struct worker_setup defaults = worker_setup_default();
    struct trial trial;
    struct trial_options options = {
        .seed = defaults.seed,
        .memory_limit_bytes = defaults.memory_limit_bytes,
        .check_operations = defaults.check_operations,
        .blocks = &own->generation->space->numerics.operand_block,
        .block_count = 1,
        .runner = own->runner,
        .context = own->device,
    };
    TRY(thread_pool_create(thread_count_default(), &options.pool, diagnostic));
    status code = trial_create(own->generation->problem, &options, &trial, diagnostic);
    thread_pool_destroy(options.pool);
    TRY(code);
    code = check_kernel(own, &trial, diagnostic);
    trial_destroy(&trial);
    return code;
}

status emulate_image(const struct generation *generation, const struct image *image,
                     struct arena *arena, struct emulation *emulation,
                     struct diagnostic *diagnostic)
{
    *emulation = (struct emulation){.card = arena_print(arena, "emulated:sm_%d:%dGiB",
                                                        (int)generation->facts->values[FACT_sm],
                                                        CARD_GIBIBYTES)};
    TRY_MEMORY(emulation->card, diagnostic);
    const struct runner_device_setup setup = {.specification = emulation->card};
    const struct runner runner = runner_device(&setup);
    struct emulating own = {.generation = generation,
                            .image = image,
                            .runner = &runner,
                            .arena = arena,
                            .emulation = emulation};
    TRY(runner.open(&setup, &own.device, diagnostic));
    status code = check_image(&own, diagnostic);
    runner.close(own.device);
    return code;
}
