/* From a query to a placement: model, machine, store, planner. */
#include "engine/plan_model.h"

#include "base/clock.h"
#include "base/file.h"
#include "engine/engine_internal.h"
#include "engine/layer_map.h"
#include "models/synth.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"

static status open_model(const char *path, const struct engine_options *options,
                         const struct plan_query *query, struct model **model,
                         struct diagnostic *diagnostic)
{
    const struct model_options model_options = engine_model_options(options);
    const struct synth_options preset = {.ops = op_table(),
                                         .preset = path,
                                         .element = query->element,
                                         .layers = query->layers,
                                         .architecture_folder = options->models_folder};
    if (file_exists(path)) return model_open(path, &model_options, model, diagnostic);
    struct diagnostic reason = {0};
    status code = model_describe(&preset, &model_options, model, &reason);
    if (code == STATUS_OK) return STATUS_OK;
    if (code != STATUS_USAGE) return fail(diagnostic, code, "%s", reason.text);
    return fail(diagnostic, STATUS_USAGE, "%.300s is no file, and as a shape: %s", path,
                reason.text);
}

/* The facts of devices stay after they are closed: names and values are copied. */
static status describe_machine(const struct engine_options *options, struct arena *arena,
                               struct machine **machine, struct diagnostic *diagnostic)
{
    const struct device_options device_options = {
        .threads = options->threads, .cpu = options->cpu, .rates_folder = options->cache_folder};
    struct device **devices;
    struct machine_member *members;
    int count;
    TRY(device_open_list(options->devices ? options->devices : "cpu", &device_options, arena,
                         &devices, &count, diagnostic));
    members = arena_allocate(arena, (size_t)count, sizeof *members);
    for (int d = 0; members && d < count; d++)
        members[d] = (struct machine_member){
            .name = arena_text(arena, device_specification(devices[d])),
            .facts = device_facts(devices[d]),
            .memory_bytes = device_memory_limit(devices[d]),
            .host = device_is_host(devices[d]),
        };
    status code = members ? machine_create(members, count, arena, machine, diagnostic)
                          : fail_memory(diagnostic, 0);
    for (int d = 0; d < count && code == STATUS_OK; d++) {
        struct device_facts *facts = &(*machine)->devices[d].facts;
        facts->name = arena_text(arena, facts->name);
        facts->class_name = arena_text(arena, facts->class_name);
    }
    for (int d = 0; d < count; d++) device_close(devices[d]);
    return code;
}

static status make_machine(const struct engine_options *options, const struct plan_query *query,
                           struct arena *arena, struct machine **machine,
                           struct diagnostic *diagnostic)
{
    if (query->machine) {
        struct yaml *root;
        if (options->devices)
            return fail(diagnostic, STATUS_USAGE,
                        "--machine describes the devices already; leave --devices out");
        TRY(yaml_read(query->machine, arena, &root, diagnostic));
        TRY(machine_read(root, arena, machine, diagnostic));
    } else {
        TRY(describe_machine(options, arena, machine, diagnostic));
    }
    return query->what_if ? machine_change(*machine, query->what_if, arena, diagnostic) : STATUS_OK;
}

/* The model's graph with the layers that are asked for. */
static status map_layers(struct planned_model *planned, const struct engine_options *options,
                         const struct graph **graph, struct diagnostic *diagnostic)
{
    int *map = NULL, count = 0;
    struct graph *copy;
    *graph = planned->model->graph;
    if (!options->layer_map) return STATUS_OK;
    TRY(layer_map_parse(options->layer_map, planned->model->layer_count, planned->arena, &map,
                        &count, diagnostic));
    TRY(graph_copy(planned->model->graph, planned->arena, &copy, diagnostic));
    TRY(pass_layer_map(copy, map, count, diagnostic));
    *graph = copy;
    return STATUS_OK;
}

static status make_request(struct planned_model *planned, const struct engine_options *options,
                           const struct plan_query *query, struct diagnostic *diagnostic)
{
    struct place_request *request = &planned->request;
    int64_t trained = planned->model->context;
    int64_t context = trained > 0 && trained < CONTEXT_DEFAULT ? trained : CONTEXT_DEFAULT;
    *request = (struct place_request){
        .machine = planned->machine,
        .bounds = {.tokens = options->chunk,
                   .outputs = 1,
                   .sequences = options->sequences > 0 ? options->sequences : 1,
                   .context = options->context > 0 ? options->context : context,
                   .page_tokens = PAGE_TOKENS},
        .prompt_tokens = query->prompt_tokens,
        .generated_tokens = query->generated_tokens,
        .deterministic = query->deterministic,
    };
    struct plan_bounds *bounds = &request->bounds;
    bounds->outputs = bounds->sequences;
    bounds->pages = (bounds->context + PAGE_TOKENS - 1) / PAGE_TOKENS * bounds->sequences;
    if (query->prompt_tokens + query->generated_tokens > (double)bounds->context)
        return fail(diagnostic, STATUS_USAGE,
                    "a prompt of %.0f tokens and %.0f generated ones do not fit into a context of "
                    "%lld; raise --context",
                    query->prompt_tokens, query->generated_tokens, (long long)bounds->context);
    return map_layers(planned, options, &request->graph, diagnostic);
}

/* With the times that the store has. */
static status run_planner(struct planned_model *planned, const struct engine_options *options,
                          struct diagnostic *diagnostic)
{
    struct catalogue catalogue;
    struct chooser chooser = {.catalogue = &catalogue, .fast = options->fast};
    const char *folder =
        options->cache_folder ? options->cache_folder : file_cache_folder(planned->arena);
    TRY(catalogue_read(options->variants_folder, planned->arena, &catalogue, diagnostic));
    if (folder && *folder && !options->references)
        TRY(store_open(folder, options->progress, &chooser.store, diagnostic));
    planned->request.chooser = &chooser;
    double start = clock_seconds();
    status code = place_model(&planned->request, planned->arena, &planned->result, diagnostic);
    planned->seconds = clock_seconds() - start;
    planned->request.chooser = NULL;
    store_close(chooser.store);
    return code;
}

static status plan_parts(struct planned_model *planned, const char *path,
                         const struct engine_options *options, const struct plan_query *query,
                         struct diagnostic *diagnostic)
{
    struct machine *machine = NULL;
    TRY(open_model(path, options, query, &planned->model, diagnostic));
    TRY(make_machine(options, query, planned->arena, &machine, diagnostic));
    planned->machine = machine;
    TRY(make_request(planned, options, query, diagnostic));
    return run_planner(planned, options, diagnostic);
}

status plan_model(const char *path, const struct engine_options *options,
                  const struct plan_query *query, struct planned_model **result,
                  struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct planned_model *planned = arena_allocate(arena, 1, sizeof *planned);
    if (!planned) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *planned);
    }
    planned->arena = arena;
    status code = plan_parts(planned, path, options, query, diagnostic);
    if (code != STATUS_OK) {
        planned_model_close(planned);
        return code;
    }
    *result = planned;
    return STATUS_OK;
}

void planned_model_close(struct planned_model *planned)
{
    if (!planned) return;
    if (planned->model) model_close(planned->model);
    arena_destroy(planned->arena);
}
