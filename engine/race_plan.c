/* A plan that was made without its cards meets them: its packed candidates are raced for a few seconds, in children as in
 * tuning, and records decide.  The next start finds the records and races nothing. */
#include "base/clock.h"
#include "engine/engine_internal.h"
#include "engine/tune_model.h"
#include "planner/packed.h"

#include <string.h>

/* Of a kernel that is still running then nobody waits for the end: a start is to be short. */
enum { HUNG_SECONDS = 4 };

static status race_device(struct engine *engine, const struct packed_options *packed, int d,
                          double seconds, const struct progress *progress, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    const struct packed_device *raced = &packed->devices[d];
    const struct runner_device_setup device = {.specification = raced->specification,
                                               .threads = engine->threads};
    const struct runner runner = runner_device(&device);
    struct tune_setup setup = {
        .catalogue = packed->catalogue,
        .facts = raced->facts,
        .compiler = raced->compiler,
        .runner = &runner,
        .limits = worker_setup_default(),
        .store = packed->store,
        .options = {.effort = 1,
                    .budget_seconds = seconds,
                    .policy = {.fast = packed->fast},
                    .progress = progress},
    };
    setup.limits.child_bytes = 0; /* a driver reserves more addresses than there is memory */
    setup.limits.most_seconds = HUNG_SECONDS;
    struct tune_problem *problems;
    struct tune_report report;
    TRY(packed_problems(engine->plan, packed, d, TUNE_PROMPT_SHARE, arena, &problems,
                        &setup.problem_count, diagnostic));
    if (setup.problem_count == 0) return STATUS_OK;
    setup.problems = problems;
    TRY(tune_run(&setup, arena, &report, diagnostic));
    engine->report.kernels_raced += report.measured;
    if (report.interrupted)
        return fail(diagnostic, STATUS_INTERRUPTED, "interrupted; every measurement is kept");
    return STATUS_OK;
}

/* Cards of one class share their records. */
static bool is_repeated(const struct packed_options *packed, int d)
{
    for (int e = 0; e < d; e++)
        if (strcmp(packed->devices[e].facts->class_name, packed->devices[d].facts->class_name) == 0)
            return true;
    return false;
}

static status race_devices(struct engine *engine, const struct engine_options *options,
                           const struct packed_options *packed, struct diagnostic *diagnostic)
{
    double seconds = options->race_seconds ? options->race_seconds : RACE_SECONDS_DEFAULT;
    double deadline = clock_seconds() + seconds;
    if (seconds < 0 || !store_keeps(packed->store)) return STATUS_OK;
    for (int d = 0; d < engine->device_count; d++) {
        double left = deadline - clock_seconds();
        if (left <= 0 || packed->devices[d].facts->target == TARGET_CPU || is_repeated(packed, d))
            continue;
        struct arena *arena = arena_create(0);
        TRY_MEMORY(arena, diagnostic);
        status code = race_device(engine, packed, d, left, options->progress, arena, diagnostic);
        arena_destroy(arena);
        TRY(code);
    }
    return STATUS_OK;
}

static status race_with_store(struct engine *engine, const struct engine_options *options,
                              struct packed_options *packed, struct diagnostic *diagnostic)
{
    struct packed_device *devices;
    TRY_NEW(devices, engine->arena, engine->device_count, diagnostic);
    for (int d = 0; d < engine->device_count; d++) {
        const struct device_facts *facts = device_facts(engine->devices[d]);
        devices[d] =
            (struct packed_device){.facts = facts,
                                   .specification = device_specification(engine->devices[d]),
                                   .compiler = engine_compiler(engine, facts->target)};
    }
    packed->devices = devices;
    TRY(race_devices(engine, options, packed, diagnostic));
    return packed_choose(engine->plan, packed, diagnostic);
}

status engine_race_plan(struct engine *engine, const struct engine_options *options, bool fast,
                        struct diagnostic *diagnostic)
{
    struct packed_options packed = {.catalogue = &engine->catalogue, .fast = fast};
    if (engine->report.kernels_packed == 0 || !engine->cache_folder) return STATUS_OK;
    TRY(engine_open_store(engine, options->progress, &packed.store, diagnostic));
    status code = race_with_store(engine, options, &packed, diagnostic);
    store_close(packed.store);
    return code;
}
