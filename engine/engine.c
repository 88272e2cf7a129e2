/* Opening and closing: the order in which a model comes to life. */
#include "base/clock.h"
#include "base/file.h"
#include "engine/engine_internal.h"
#include "engine/latent_form.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "planner/plan_file.h"

/* What the plan's header will say. */
static status keep_settings(struct engine *engine, const char *settings,
                            struct diagnostic *diagnostic)
{
    if (!settings) return STATUS_OK;
    engine->settings = arena_text(engine->arena, settings);
    TRY_MEMORY(engine->settings, diagnostic);
    return STATUS_OK;
}

struct model_options engine_model_options(const struct engine_options *options)
{
    return (struct model_options){
        .ops = op_table(),
        .state_element = options->state_element,
        .rotates_states = options->rotates_states,
        .page_tokens = PAGE_TOKENS,
        .context = options->context > 0 ? options->context : CONTEXT_DEFAULT,
        .settings = options->settings,
        .allow_unknown_keys = options->allow_unknown_keys,
        .check_numbers = options->check_numbers,
        .sums = options->sums,
        .threads = options->threads > 0 || !options->check_numbers ? options->threads
                                                                   : thread_count_default(),
        .architecture_folder = options->models_folder,
        .progress = options->progress,
    };
}

static status read_model(struct engine *engine, const char *path,
                         const struct engine_options *options, struct diagnostic *diagnostic)
{
    const struct model_options model_options = engine_model_options(options);
    TRY(keep_settings(engine, options->settings, diagnostic));
    return model_open(path, &model_options, &engine->model, diagnostic);
}

static status create_pages(struct engine *engine, struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &engine->plan->bounds;
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(bounds, symbols);
    return page_pool_create(bounds->pages, bounds->page_tokens, bounds->sequences,
                            symbols[SYMBOL_STRIDE], engine->arena, &engine->pages, diagnostic);
}

static status open_devices(struct engine *engine, const char *list,
                           const struct engine_options *options, struct diagnostic *diagnostic)
{
    const struct device_options device_options = {.threads = options->threads,
                                                  .ranks = options->ranks,
                                                  .cpu = options->cpu,
                                                  .check_copies = options->check_copies,
                                                  .watchdog_seconds = options->watchdog_seconds,
                                                  .rates_folder = engine->cache_folder};
    engine->threads = options->threads > 0 ? options->threads : thread_count_default();
    return device_open_list(list ? list : "cpu", &device_options, engine->arena, &engine->devices,
                            &engine->device_count, diagnostic);
}

/* What is to run needs cards that are here: said before anything is compiled. */
static status refuse_described(const struct engine *engine, struct diagnostic *diagnostic)
{
    for (int d = 0; d < engine->device_count; d++)
        TRY(device_refuse_described(engine->devices[d], diagnostic));
    return STATUS_OK;
}

static status prepare_model(struct engine *engine, const char *path,
                            const struct engine_options *options, enum purpose purpose,
                            struct diagnostic *diagnostic)
{
    struct engine_options settled = *options;
    TRY(latent_form_settle(path, &settled, diagnostic));
    TRY(read_model(engine, path, &settled, diagnostic));
    TRY(open_devices(engine, options->devices, options, diagnostic));
    if (purpose == PURPOSE_RUN) TRY(refuse_described(engine, diagnostic));
    engine->settled = settled;
    return demote_until_planned(engine, &settled, purpose, diagnostic);
}

/* Where the plan says, or, when it has travelled with its plan, beside that. */
static status find_model(struct engine *engine, const char *plan_path, const char *named,
                         const char **path, struct diagnostic *diagnostic)
{
    *path = named;
    if (file_exists(named)) return STATUS_OK;
    const char *folder = file_folder_of(engine->arena, plan_path);
    const char *beside = folder ? file_join(engine->arena, folder, file_name_of(named)) : NULL;
    TRY_MEMORY(beside, diagnostic);
    if (file_exists(beside)) *path = beside;
    return STATUS_OK;
}

static status refuse_settled(const char *path, const char *what, const char *option,
                             struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_USAGE,
                "%s is a plan, whose %s settled; give %s to `hone compile`, or name the model here",
                path, what, option);
}

/* Which layers a plan runs, what its cache holds and the form of its attention were settled when it was built. */
static status take_settled(struct engine *engine, const char *path,
                           const struct engine_options *options, const struct plan_header *header,
                           struct engine_options *merged, struct diagnostic *diagnostic)
{
    engine->report.layer_map = *header->layer_map ? header->layer_map : NULL;
    if (options->lock) return refuse_settled(path, "kernels are", "--lock", diagnostic);
    if (options->layer_map) return refuse_settled(path, "layers are", "--layer-map", diagnostic);
    if (options->stream)
        return refuse_settled(path, "streamed weights are", "--stream", diagnostic);
    if (options->expert_slots)
        return refuse_settled(path, "expert slots are", "--expert-slots", diagnostic);
    if (options->split) return refuse_settled(path, "split is", "--split", diagnostic);
    if (options->settings)
        return refuse_settled(path, "form of latent attention is", "--mla", diagnostic);
    if (options->states_given && (options->state_element != header->state_element ||
                                  options->rotates_states != header->rotates_states))
        return refuse_settled(path, "KV type is", "--kv", diagnostic);
    merged->state_element = header->state_element;
    merged->rotates_states = header->rotates_states;
    merged->settings = *header->settings ? header->settings : NULL;
    return STATUS_OK;
}

/* A plan brings its own numerics, context and KV type, and devices unless others of the same kinds are given; the command line adds
 * threads and progress. */
static status prepare_plan(struct engine *engine, const char *path,
                           const struct engine_options *options, enum purpose purpose,
                           struct diagnostic *diagnostic)
{
    struct plan_header header;
    struct engine_options merged = *options;
    TRY(plan_file_read(path, op_table(), &header, &engine->plan, diagnostic));
    engine->fixed_plan = true;
    TRY(take_settled(engine, path, options, &header, &merged, diagnostic));
    merged.cpu = header.cpu;
    merged.context = engine->plan->bounds.context; /* weights may depend on it */
    const char *model;
    TRY(find_model(engine, path, header.model_path, &model, diagnostic));
    TRY(read_model(engine, model, &merged, diagnostic));
    if (!hash_equal(engine->model->identity, header.model_identity))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: %s is not the model that the plan was made for: build the plan again with "
                    "`hone compile`",
                    path, model);
    engine->card_compiler = header.compiler;
    engine->report.signer = header.signer;
    const char *devices = options->devices;
    if (!devices) TRY(engine_plan_devices(engine, purpose == PURPOSE_RUN, &devices, diagnostic));
    TRY(open_devices(engine, devices, &merged, diagnostic));
    if (purpose == PURPOSE_RUN) TRY(refuse_described(engine, diagnostic));
    TRY(engine_check_plan(engine, path, &header, diagnostic));
    return purpose == PURPOSE_RUN ? engine_race_plan(engine, options, header.fast, diagnostic)
                                  : STATUS_OK;
}

static status start(struct engine *engine, const struct engine_options *options,
                    struct diagnostic *diagnostic)
{
    TRY(demote_until_bound(engine, options, diagnostic));
    TRY(engine_choose_experts(engine, options->routing, diagnostic));
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

/* NULL when nothing is to be kept, or the user has no home. */
static const char *choose_cache_folder(const char *asked, struct arena *arena)
{
    const char *folder = asked ? asked : file_cache_folder(arena);
    return folder && *folder ? folder : NULL;
}

static status create_engine(const struct engine_options *options, struct engine **result,
                            struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct engine *engine = arena_allocate(arena, 1, sizeof *engine);
    if (!engine) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *engine);
    }
    engine->arena = arena;
    engine->cache_folder = choose_cache_folder(options->cache_folder, arena);
    status code = catalogue_read(options->variants_folder, arena, &engine->catalogue, diagnostic);
    if (code != STATUS_OK) {
        engine_close(engine);
        return code;
    }
    *result = engine;
    return STATUS_OK;
}

static status create_for(const char *path, const struct engine_options *options,
                         enum purpose purpose, struct engine **result,
                         struct diagnostic *diagnostic)
{
    struct engine *engine = NULL;
    TRY(create_engine(options, &engine, diagnostic));
    bool planned = purpose != PURPOSE_LOWER && plan_file_recognise(path);
    status code = planned ? prepare_plan(engine, path, options, purpose, diagnostic)
                          : prepare_model(engine, path, options, purpose, diagnostic);
    if (code != STATUS_OK) {
        engine_close(engine);
        return code;
    }
    if (purpose != PURPOSE_LOWER && purpose != PURPOSE_RUN) count_bytes(engine);
    *result = engine;
    return STATUS_OK;
}

status engine_prepare(const char *path, const struct engine_options *options,
                      struct engine **result, struct diagnostic *diagnostic)
{
    return create_for(path, options, PURPOSE_PREPARE, result, diagnostic);
}

status engine_choose(const char *path, const struct engine_options *options, struct engine **result,
                     struct diagnostic *diagnostic)
{
    return create_for(path, options, PURPOSE_CHOOSE, result, diagnostic);
}

status engine_lower(const char *path, const struct engine_options *options, struct engine **result,
                    struct diagnostic *diagnostic)
{
    return create_for(path, options, PURPOSE_LOWER, result, diagnostic);
}

status engine_open(const char *path, const struct engine_options *options, struct engine **result,
                   struct diagnostic *diagnostic)
{
    double start_seconds = clock_seconds();
    struct engine *engine = NULL;
    TRY(create_for(path, options, PURPOSE_RUN, &engine, diagnostic));
    status code = start(engine, engine->fixed_plan ? options : &engine->settled, diagnostic);
    if (code != STATUS_OK) {
        engine_close(engine);
        return code;
    }
    demote_tell(engine, options->progress);
    count_bytes(engine);
    engine->report.load_seconds = clock_seconds() - start_seconds;
    *result = engine;
    return STATUS_OK;
}

static status replace_executor(struct engine *engine, const struct engine_options *options,
                               struct diagnostic *diagnostic)
{
    struct executor *before = engine->executor;
    engine->executor = NULL;
    return executor_replace(before, engine->plan, &engine->model->weights, options->progress,
                            &engine->executor, diagnostic);
}

status engine_change_layers(struct engine *engine, const struct engine_options *options,
                            struct diagnostic *diagnostic)
{
    struct plan *before = engine->plan;
    struct engine_report report = {.load_seconds = engine->report.load_seconds,
                                   .demotions = engine->report.demotions,
                                   .demotion_count = engine->report.demotion_count};
    if (!engine->first_plan) engine->first_plan = before;
    engine->report = report;
    TRY(engine_build_plan(engine, options, PURPOSE_RUN, diagnostic));
    status code = replace_executor(engine, options, diagnostic);
    if (before != engine->first_plan) plan_free(before);
    if (code == STATUS_OK) count_bytes(engine);
    if (code == STATUS_OK) code = engine_choose_experts(engine, options->routing, diagnostic);
    return code;
}

/* Work that was given up may go on, on whatever it uses. */
static bool hangs(const struct engine *engine)
{
    bool hangs = engine->executor && executor_hangs(engine->executor);
    for (int d = 0; d < engine->device_count; d++)
        hangs = hangs || device_hangs(engine->devices[d]);
    return hangs;
}

void engine_close(struct engine *engine)
{
    if (!engine || hangs(engine)) return;
    executor_destroy(engine->executor);
    if (engine->first_plan != engine->plan) plan_free(engine->first_plan);
    plan_free(engine->plan);
    for (int d = 0; d < engine->device_count; d++) device_close(engine->devices[d]);
    if (engine->model) model_close(engine->model);
    arena_destroy(engine->arena);
}

const struct model *engine_model(const struct engine *engine)
{
    return engine->model;
}
const struct plan *engine_plan(const struct engine *engine)
{
    return engine->plan;
}
struct executor *engine_executor(struct engine *engine)
{
    return engine->executor;
}
const struct engine_report *engine_report(const struct engine *engine)
{
    return &engine->report;
}

const struct catalogue *engine_catalogue(const struct engine *engine)
{
    return &engine->catalogue;
}

struct device *const *engine_devices(const struct engine *engine, int *count)
{
    *count = engine->device_count;
    return engine->devices;
}
