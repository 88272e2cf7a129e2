/* An engine's lock: opened before kernels are chosen, filled from the plan. */
#include "engine/engine_internal.h"
#include "tuner/choice_lock.h"

status engine_open_lock(struct engine *engine, const struct engine_options *options,
                        struct diagnostic *diagnostic)
{
    if (!options->lock || engine->lock) return STATUS_OK;
    if (options->deterministic || options->references)
        return fail(diagnostic, STATUS_USAGE,
                    "--lock has nothing to choose beside %s; leave one of them out",
                    options->references ? "--references" : "--deterministic");
    return lock_open(options->lock, options->lock_mode, options->lock_adds, engine->arena,
                     &engine->lock, diagnostic);
}

/* A step's kernels for all numbers of rows. */
static status take_step(struct engine *engine, const struct plan_step *step,
                        struct diagnostic *diagnostic)
{
    const struct plan *plan = engine->plan;
    for (int b = 0; b < BUCKET_ROW_COUNT * BUCKET_CONTEXT_COUNT; b++) {
        int image = plan->choices[step->node][b / BUCKET_CONTEXT_COUNT][b % BUCKET_CONTEXT_COUNT];
        if (image < 0) continue;
        TRY(lock_set(engine->lock, &engine->catalogue, plan->devices[step->device].class_name,
                     plan->images[image].problem, plan->images[image].candidate, diagnostic));
    }
    return STATUS_OK;
}

status engine_write_lock(struct engine *engine, struct diagnostic *diagnostic)
{
    const struct plan *plan = engine->plan;
    if (!engine->lock || !engine->lock->adds) return STATUS_OK;
    for (int s = 0; s < plan->step_count; s++)
        if (plan->steps[s].kind == STEP_LAUNCH) TRY(take_step(engine, &plan->steps[s], diagnostic));
    return lock_write(engine->lock, diagnostic);
}

status engine_lock_choices(const char *path, const struct engine_options *options,
                           struct diagnostic *diagnostic)
{
    struct engine *engine;
    TRY(engine_choose(path, options, &engine, diagnostic));
    status code = engine_write_lock(engine, diagnostic);
    engine_close(engine);
    return code;
}
