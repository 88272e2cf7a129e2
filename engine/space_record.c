/* Device, problem and runner for tuner/record_space.h. */
#include "engine/space_record.h"

#include "base/file.h"
#include "engine/engine_internal.h"
#include "engine/space_file.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "planner/tuning.h"
#include "runtime/cpu_rates.h"
#include "tuner/record_space.h"

#include <string.h>

/* What to record on. */
struct lab {
    const struct lab_record_options *options;
    const char *cache_folder;
    struct device *device;
    const struct catalogue *catalogue;
    const struct problem *problem;
    struct arena *arena;
    struct diagnostic *diagnostic;
};

/* Estimates need the machine's rates; they are measured once and kept. */
static status need_rates(const struct lab *lab)
{
    const struct device_facts *facts = device_facts(lab->device);
    struct diagnostic reason = {0};
    if (facts->values[FACT_read_bandwidth] > 0 || !device_memory_is_host(lab->device))
        return STATUS_OK;
    TRY(device_probe(lab->device, lab->diagnostic));
    if (lab->cache_folder && *lab->cache_folder &&
        cpu_rates_save(lab->cache_folder, facts, lab->arena, &reason) != STATUS_OK)
        progress_warn(lab->options->engine.progress, "the machine's rates are not kept: %s",
                      reason.text);
    return STATUS_OK;
}

static status record_on(const struct lab *lab, struct recorded_space **space)
{
    const struct lab_record_options *options = lab->options;
    bool host = device_memory_is_host(lab->device);
    const struct runner_device_setup device = {.specification =
                                                   host ? "cpu" : device_specification(lab->device),
                                               .memory_is_host = host,
                                               .threads = device_threads(lab->device),
                                               .cpu = options->engine.cpu};
    TRY(device_refuse_described(lab->device, lab->diagnostic));
    TRY(need_rates(lab));
    const struct runner runner = runner_device(&device);
    struct record_space_setup setup = {
        .catalogue = lab->catalogue,
        .facts = device_facts(lab->device),
        .runner = &runner,
        .limits = worker_setup_default(),
        .problem = lab->problem,
        .variant = options->variant,
        .policy = {.fast = options->engine.fast},
        .most = options->most,
        .samples = options->samples,
        .seconds = options->seconds,
        .seed = options->seed,
        .progress = options->engine.progress,
    };
    if (!host) setup.limits.child_bytes = 0;
    if (lab->cache_folder && *lab->cache_folder) {
        setup.artifact_folder = file_join(lab->arena, lab->cache_folder, "artifacts");
        TRY_MEMORY(setup.artifact_folder, lab->diagnostic);
    }
    if (options->before && file_exists(options->before)) {
        struct recorded_space *before;
        TRY(space_file_read(options->before, lab->arena, &before, lab->diagnostic));
        setup.before = before;
    }
    return record_space(&setup, lab->arena, space, lab->diagnostic);
}

/* ---- A problem by its text ---- */

static status open_and_record(struct lab *lab, struct recorded_space **space)
{
    const struct engine_options *engine = &lab->options->engine;
    const struct device_options device = {
        .threads = engine->threads, .cpu = engine->cpu, .rates_folder = lab->cache_folder};
    struct catalogue *catalogue;
    struct problem *problem;
    TRY_NEW(catalogue, lab->arena, 1, lab->diagnostic);
    TRY(catalogue_read(engine->variants_folder, lab->arena, catalogue, lab->diagnostic));
    TRY(problem_parse(lab->options->problem, op_table(), lab->arena, &problem, lab->diagnostic));
    TRY(device_open(engine->devices ? engine->devices : "cpu", &device, &lab->device,
                    lab->diagnostic));
    lab->catalogue = catalogue;
    lab->problem = problem;
    status code = record_on(lab, space);
    device_close(lab->device);
    return code;
}

/* ---- A problem of a model ---- */

static double importance(const struct tune_problem *problem)
{
    const double bandwidth = 1e10, rate = 1e11; /* any host's: only the order matters */
    struct cost cost = problem_cost(problem->problem);
    return problem->weight * (cost.bytes / bandwidth + cost.operations / rate);
}

static status choose_problem(struct lab *lab, struct engine *engine)
{
    const struct tuning_options wanted = {.op = lab->options->op, .prompt_share = 8};
    struct tune_problem *problems;
    int count, dearest = 0;
    TRY(tuning_problems(engine->plan, &engine->catalogue, device_facts(engine->devices[0]), 0,
                        &wanted, lab->arena, &problems, &count, lab->diagnostic));
    if (!count)
        return fail(lab->diagnostic, STATUS_NOT_FOUND, "no variant answers a problem%s%s",
                    lab->options->op ? " of " : "", lab->options->op ? lab->options->op : "");
    for (int p = 1; p < count; p++)
        if (importance(&problems[p]) > importance(&problems[dearest])) dearest = p;
    lab->problem = problems[dearest].problem;
    return STATUS_OK;
}

static status lower_and_record(struct lab *lab, struct recorded_space **space)
{
    struct engine *engine;
    TRY(engine_lower(lab->options->model, &lab->options->engine, &engine, lab->diagnostic));
    lab->device = engine->devices[0];
    lab->catalogue = &engine->catalogue;
    status code = choose_problem(lab, engine);
    if (code == STATUS_OK) code = record_on(lab, space);
    engine_close(engine);
    return code;
}

status lab_record_space(const struct lab_record_options *options, struct arena *arena,
                        struct recorded_space **space, struct diagnostic *diagnostic)
{
    const char *cache = options->engine.cache_folder;
    struct lab lab = {.options = options,
                      .cache_folder = cache ? cache : file_cache_folder(arena),
                      .arena = arena,
                      .diagnostic = diagnostic};
    TRY(options->problem ? open_and_record(&lab, space) : lower_and_record(&lab, space));
    if (!options->name) return STATUS_OK;
    (*space)->name = arena_text(arena, options->name);
    TRY_MEMORY((*space)->name, diagnostic);
    return STATUS_OK;
}
