/* Opening and closing: the order in which a model comes to life. */
#include "engine/engine_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "engine/layer_map.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"

static status read_model(struct engine *engine, const char *path,
                         const struct engine_options *options, struct diagnostic *diagnostic)
{
    const struct model_options model_options = {
        .ops = op_table(),
        .state_element = options->state_element,
        .page_tokens = PAGE_TOKENS,
        .allow_unknown_keys = options->allow_unknown_keys,
        .architecture_folder = options->models_folder,
        .progress = options->progress,
    };
    return model_open(path, &model_options, &engine->model, diagnostic);
}

static int64_t or_default(int64_t value, int64_t otherwise) { return value > 0 ? value : otherwise; }

static struct plan_bounds choose_bounds(const struct engine *engine,
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

static status describe_devices(struct engine *engine, struct build_device **result,
                               struct diagnostic *diagnostic)
{
    struct build_device *devices;
    TRY_NEW(devices, engine->arena, engine->device_count, diagnostic);
    for (int d = 0; d < engine->device_count; d++)
        devices[d] = (struct build_device){
            .specification = device_specification(engine->devices[d]),
            .facts = device_facts(engine->devices[d]),
            .memory_bytes = device_memory_limit(engine->devices[d]),
        };
    *result = devices;
    return STATUS_OK;
}

/* NULL when nothing is to be kept or the user has no home. */
static const char *artifact_folder(struct engine *engine, const struct engine_options *options)
{
    const char *cache = options->cache_folder ? options->cache_folder
                                              : file_cache_folder(engine->arena);
    if (!cache || !*cache) return NULL;
    return file_join(engine->arena, cache, "artifacts");
}

static status build_plan(struct engine *engine, const struct engine_options *options,
                         struct diagnostic *diagnostic)
{
    struct build_device *devices = NULL;
    TRY(describe_devices(engine, &devices, diagnostic));
    TRY(catalogue_read(options->variants_folder, engine->arena, &engine->catalogue, diagnostic));
    int *layer_map = NULL, layer_map_count = 0;
    if (options->layer_map)
        TRY(layer_map_parse(options->layer_map, engine->model->layer_count, engine->arena,
                            &layer_map, &layer_map_count, diagnostic));
    const struct build_options build = {
        .bounds = choose_bounds(engine, options),
        .layer_map = layer_map,
        .layer_map_count = layer_map_count,
        .devices = devices,
        .device_count = engine->device_count,
        .chooser = {.catalogue = &engine->catalogue,
                    .fast = options->fast,
                    .references = options->references},
        .artifact_folder = artifact_folder(engine, options),
        .compile_processes = engine->threads,
        .progress = options->progress,
    };
    struct build_report report;
    TRY(plan_build(engine->model->graph, &build, &engine->plan, &report, diagnostic));
    engine->report.kernels = report.kernels;
    engine->report.kernels_compiled = report.compiled;
    return STATUS_OK;
}

static status create_pages(struct engine *engine, struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &engine->plan->bounds;
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(bounds, symbols);
    return page_pool_create(bounds->pages, bounds->page_tokens, bounds->sequences,
                            symbols[SYMBOL_STRIDE], engine->arena, &engine->pages, diagnostic);
}

static status open_parts(struct engine *engine, const char *path,
                         const struct engine_options *options, struct diagnostic *diagnostic)
{
    const struct device_options device_options = {.threads = options->threads, .cpu = options->cpu};
    TRY(read_model(engine, path, options, diagnostic));
    TRY(device_open_list(options->devices ? options->devices : "cpu", &device_options,
                         engine->arena, &engine->devices, &engine->device_count, diagnostic));
    engine->threads = options->threads > 0 ? options->threads : thread_count_default();
    TRY(build_plan(engine, options, diagnostic));
    TRY(executor_create(engine->plan, engine->devices, &engine->model->weights, options->progress,
                        &engine->executor, diagnostic));
    TRY(create_pages(engine, diagnostic));
    return feed_prepare(engine, diagnostic);
}

static void count_bytes(struct engine *engine)
{
    for (int d = 0; d < engine->plan->device_count; d++) {
        engine->report.weight_bytes += engine->plan->devices[d].weight_bytes;
        engine->report.state_bytes += engine->plan->devices[d].state_bytes;
        engine->report.arena_bytes += engine->plan->devices[d].arena_bytes;
    }
    engine->report.weight_bytes_per_token = plan_decode_weight_bytes(engine->plan);
}

status engine_open(const char *path, const struct engine_options *options, struct engine **result,
                   struct diagnostic *diagnostic)
{
    double start = clock_seconds();
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct engine *engine = arena_allocate(arena, 1, sizeof *engine);
    if (!engine) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *engine);
    }
    engine->arena = arena;
    status code = open_parts(engine, path, options, diagnostic);
    if (code != STATUS_OK) {
        engine_close(engine);
        return code;
    }
    count_bytes(engine);
    engine->report.load_seconds = clock_seconds() - start;
    *result = engine;
    return STATUS_OK;
}

void engine_close(struct engine *engine)
{
    if (!engine) return;
    executor_destroy(engine->executor);
    plan_free(engine->plan);
    for (int d = 0; d < engine->device_count; d++) device_close(engine->devices[d]);
    if (engine->model) model_close(engine->model);
    arena_destroy(engine->arena);
}

const struct model *engine_model(const struct engine *engine) { return engine->model; }
const struct plan *engine_plan(const struct engine *engine) { return engine->plan; }
struct executor *engine_executor(struct engine *engine) { return engine->executor; }
const struct engine_report *engine_report(const struct engine *engine) { return &engine->report; }

struct device *const *engine_devices(const struct engine *engine, int *count)
{
    *count = engine->device_count;
    return engine->devices;
}
