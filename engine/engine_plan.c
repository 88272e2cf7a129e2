/* The engine's plan: built for the model and devices at hand, and written to a file. */
#include "base/file.h"
#include "codegen/compile.h"
#include "engine/engine_internal.h"
#include "engine/layer_map.h"
#include "ops/catalogue.h"

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

struct plan_bounds engine_choose_bounds(const struct engine *engine,
                                        const struct engine_options *options)
{
    int64_t trained = engine->model->context;
    int64_t context = trained > 0 && trained < CONTEXT_DEFAULT ? trained : CONTEXT_DEFAULT;
    struct plan_bounds bounds = {
        .tokens = or_default(options->chunk, CHUNK_DEFAULT),
        .outputs = or_default(options->outputs, OUTPUTS_DEFAULT),
        .sequences = or_default(options->sequences, 1),
        .context = or_default(options->context, context),
        .page_tokens = PAGE_TOKENS,
    };
    if (bounds.tokens < bounds.sequences) bounds.tokens = bounds.sequences;
    if (bounds.outputs < bounds.sequences) bounds.outputs = bounds.sequences;
    if (bounds.outputs > bounds.tokens) bounds.outputs = bounds.tokens;
    return bounds;
}

static int candidates_for(const struct device *device, const struct engine_options *options,
                          const struct choice_lock *lock)
{
    if (options->deterministic || (lock && lock->mode == LOCK_LOCKED)) return 1;
    return device_is_described(device) ? (int)or_default(options->candidates, CANDIDATES_DEFAULT)
                                       : 1;
}

static status describe_devices(struct engine *engine, const struct engine_options *options,
                               struct build_device **result, struct diagnostic *diagnostic)
{
    struct build_device *devices;
    TRY_NEW(devices, engine->arena, engine->device_count, diagnostic);
    for (int d = 0; d < engine->device_count; d++)
        devices[d] = (struct build_device){
            .specification = device_specification(engine->devices[d]),
            .facts = device_facts(engine->devices[d]),
            .memory_bytes = device_memory_limit(engine->devices[d]),
            .candidates = candidates_for(engine->devices[d], options, engine->lock),
            .apart = !device_is_host(engine->devices[d]),
        };
    *result = devices;
    return STATUS_OK;
}

status engine_open_store(struct engine *engine, const struct progress *progress,
                         struct store **store, struct diagnostic *diagnostic)
{
    return store_open(engine->cache_folder ? engine->cache_folder : "", progress, store,
                      diagnostic);
}

const char *engine_artifact_folder(struct engine *engine)
{
    return engine->cache_folder ? file_join(engine->arena, engine->cache_folder, "artifacts")
                                : NULL;
}

void engine_count_kernels(struct engine *engine)
{
    struct engine_report *report = &engine->report;
    for (int i = 0; i < engine->plan->image_count; i++) {
        const struct plan_image *image = &engine->plan->images[i];
        if (image->image.code_bytes > 0)
            ++*(image->spare ? &report->kernels_packed : &report->kernels);
    }
}

static status build_with_records(struct engine *engine, const struct engine_options *options,
                                 struct build_options *build, struct diagnostic *diagnostic)
{
    struct build_report report;
    if (engine->cache_folder && !options->references && !options->deterministic)
        TRY(engine_open_store(engine, options->progress, &build->chooser.store, diagnostic));
    status code = plan_build(engine->model->graph, build, &engine->plan, &report, diagnostic);
    store_close(build->chooser.store);
    if (code != STATUS_OK) return code;
    engine_count_kernels(engine);
    engine->report.kernels_compiled = report.compiled;
    return STATUS_OK;
}

status engine_build_plan(struct engine *engine, const struct engine_options *options,
                         enum purpose purpose, struct diagnostic *diagnostic)
{
    struct build_device *devices = NULL;
    TRY(engine_open_lock(engine, options, diagnostic));
    TRY(describe_devices(engine, options, &devices, diagnostic));
    int *layer_map = NULL, layer_map_count = 0;
    if (options->layer_map) {
        TRY(layer_map_parse(options->layer_map, engine->model->layer_count, engine->arena,
                            &layer_map, &layer_map_count, diagnostic));
        engine->report.layer_map = arena_text(engine->arena, options->layer_map);
        TRY_MEMORY(engine->report.layer_map, diagnostic);
    }
    struct build_options build = {
        .bounds = engine_choose_bounds(engine, options),
        .layer_map = layer_map,
        .layer_map_count = layer_map_count,
        .previous = engine->first_plan,
        .expert_slots = options->expert_slots,
        .choose_only = purpose == PURPOSE_CHOOSE,
        .largest = options->largest,
        .devices = devices,
        .device_count = engine->device_count,
        .chooser = {.catalogue = &engine->catalogue,
                    .lock = engine->lock,
                    .fast = options->fast,
                    .references = options->references,
                    .deterministic = options->deterministic},
        .artifact_folder = engine_artifact_folder(engine),
        .compile_processes = engine->threads,
        .progress = options->progress,
        .shortage = &engine->shortage,
    };
    engine->shortage = (struct build_shortage){0};
    TRY(share_choice_parse(options->split, &build.share, diagnostic));
    TRY(stream_choice_parse(options->stream, &build.stream, diagnostic));
    demote_apply(engine, &build, devices);
    engine->share = build.share.kind;
    engine->stream = build.stream;
    engine->expert_slots = build.expert_slots;
    for (int d = 0; d < engine->device_count && purpose == PURPOSE_RUN; d++)
        devices[d].limit_bytes = device_memory_limit(engine->devices[d]);
    if (purpose == PURPOSE_LOWER)
        return plan_lower(engine->model->graph, &build, &engine->plan, diagnostic);
    for (int d = 0; d < engine->device_count && !options->references && !build.choose_only; d++)
        TRY(compile_check(devices[d].facts, diagnostic));
    return build_with_records(engine, options, &build, diagnostic);
}

/* Of the CPU that runs a part of the plan; a card's where none does. */
static const struct device_facts *host_facts(const struct engine *engine)
{
    for (int d = 0; d < engine->device_count; d++)
        if (device_facts(engine->devices[d])->target == TARGET_CPU)
            return device_facts(engine->devices[d]);
    return device_facts(engine->devices[0]);
}

static bool has_cards(const struct engine *engine)
{
    for (int d = 0; d < engine->device_count; d++)
        if (device_facts(engine->devices[d])->target == TARGET_CUDA) return true;
    return false;
}

status engine_save_plan(struct engine *engine, const struct engine_options *options,
                        const char *path, struct diagnostic *diagnostic)
{
    const struct device_facts *facts = host_facts(engine);
    const char *absolute = file_absolute(engine->arena, engine->model->path);
    const struct plan_header header = {
        .model_path = absolute ? absolute : engine->model->path,
        .model_identity = engine->model->identity,
        .cpu = options->cpu ? options->cpu : "native",
        .level = facts->cpu ? facts->cpu : "",
        .features = facts->features ? facts->features : "",
        .compiler = has_cards(engine) ? engine_compiler(engine, TARGET_CUDA) : "",
        .layer_map = engine->report.layer_map,
        .settings = engine->settings,
        .signer = options->signer,
        .state_element = options->state_element,
        .rotates_states = options->rotates_states,
        .fast = options->fast,
        .references = options->references,
    };
    return plan_file_write(path, &header, engine->plan, diagnostic);
}
