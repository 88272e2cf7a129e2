/* The model is read and its graph lowered as for running, but nothing is compiled and no weights are loaded: the tuner makes
 * its own operands. */
#include "engine/tune_model.h"

#include "codegen/compile.h"
#include "engine/engine_internal.h"
#include "planner/tuning.h"
#include "runtime/cpu_rates.h"

#include <math.h>

/* Estimates, limits and shares need the machine's rates.  What was kept may be of a busier or a calmer day, so they are
 * measured anew, but for estimates alone. */
static status need_rates(struct engine *engine, int effort, const struct progress *progress,
                         struct diagnostic *diagnostic)
{
    struct device *device = engine->devices[0];
    bool known = device_facts(device)->values[FACT_read_bandwidth] > 0;
    /* A card's are what its clocks promise: measuring would start the driver, and workers are still to be forked. */
    if (!device_memory_is_host(device) || (known && effort == 0)) return STATUS_OK;
    struct progress_state state = {.stage = "measuring the machine", .seconds_left = 2};
    progress_update(progress, &state);
    TRY(device_probe(device, diagnostic));
    struct diagnostic reason = {0};
    if (engine->cache_folder && cpu_rates_save(engine->cache_folder, device_facts(device),
                                               engine->arena, &reason) != STATUS_OK)
        progress_warn(progress, "the machine's rates are not kept: %s", reason.text);
    return STATUS_OK;
}

/* The winners' limits by the best rates seen before and after: other work lowers a sample, never raises it. */
static status renew_limits(struct engine *engine, const struct tune_report *tuned,
                           struct diagnostic *diagnostic)
{
    struct device *device = engine->devices[0];
    struct device_facts best = *device_facts(device);
    if (!device_memory_is_host(device)) return STATUS_OK;
    TRY(device_probe(device, diagnostic));
    for (int f = 0; f < FACT_launch_nanoseconds; f++)
        best.values[f] = fmax(best.values[f], device_facts(device)->values[f]);
    for (int r = 0; r < tuned->row_count; r++)
        if (tuned->rows[r].limit_seconds > 0) tune_row_limit(&tuned->rows[r], &best);
    return STATUS_OK;
}

/* Without a card there is nothing to measure. */
static status refuse_measuring(const struct engine *engine, int effort,
                               struct diagnostic *diagnostic)
{
    if (effort == 0) return STATUS_OK;
    return device_refuse_described(engine->devices[0], diagnostic);
}

static status tune_problems(struct engine *engine, const struct tune_model_options *options,
                            struct store *store, struct arena *arena,
                            struct tune_model_report *report, struct diagnostic *diagnostic)
{
    const struct device_facts *facts = device_facts(engine->devices[0]);
    const struct tuning_options wanted = {.op = options->op, .prompt_share = TUNE_PROMPT_SHARE};
    const struct device *tuned = engine->devices[0];
    bool host = device_memory_is_host(tuned);
    const struct runner_device_setup device = {.specification =
                                                   host ? "cpu" : device_specification(tuned),
                                               .memory_is_host = host,
                                               .threads = device_threads(tuned),
                                               .cpu = options->engine.cpu};
    const struct runner runner = runner_device(&device);
    struct tune_setup setup = {
        .catalogue = &engine->catalogue,
        .facts = facts,
        .compiler = compile_identity(facts->target),
        .runner = &runner,
        .limits = worker_setup_default(),
        .store = store,
        .options = {.effort = options->effort,
                    .budget_seconds = options->budget_seconds,
                    .seed = options->seed,
                    .strategy = options->strategy,
                    .policy = {.fast = options->engine.fast},
                    .artifact_folder = engine_artifact_folder(engine),
                    .progress = options->engine.progress},
    };
    if (!host) setup.limits.child_bytes = 0;
    struct tune_problem *problems;
    TRY(tuning_problems(engine->plan, &engine->catalogue, facts, 0, &wanted, arena, &problems,
                        &setup.problem_count, diagnostic));
    setup.problems = problems;
    if (setup.problem_count == 0)
        return fail(diagnostic, STATUS_NOT_FOUND, "there is nothing to tune%s%s",
                    options->op ? ": no variant answers problems of " : "",
                    options->op ? options->op : "");
    TRY(tune_run(&setup, arena, &report->tuned, diagnostic));
    return options->effort > 0 ? renew_limits(engine, &report->tuned, diagnostic) : STATUS_OK;
}

static status tune_prepared(struct engine *engine, const struct tune_model_options *options,
                            struct arena *arena, struct tune_model_report *report,
                            struct diagnostic *diagnostic)
{
    TRY(refuse_measuring(engine, options->effort, diagnostic));
    TRY(need_rates(engine, options->effort, options->engine.progress, diagnostic));
    report->facts = *device_facts(engine->devices[0]);
    report->facts.name = arena_text(arena, report->facts.name);
    report->facts.class_name = arena_text(arena, report->facts.class_name);
    report->model = arena_text(arena, engine->model->description);
    TRY_MEMORY(report->model, diagnostic);
    struct store *store;
    TRY(engine_open_store(engine, options->engine.progress, &store, diagnostic));
    report->store = arena_text(arena, store_path(store));
    report->kept = store_keeps(store);
    status code = tune_problems(engine, options, store, arena, report, diagnostic);
    store_close(store);
    return code;
}

status tune_model(const char *path, const struct tune_model_options *options, struct arena *arena,
                  struct tune_model_report *report, struct diagnostic *diagnostic)
{
    struct engine *engine = NULL;
    *report = (struct tune_model_report){0};
    TRY(engine_lower(path, &options->engine, &engine, diagnostic));
    status code = tune_prepared(engine, options, arena, report, diagnostic);
    engine_close(engine);
    return code;
}
