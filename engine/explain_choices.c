/* Choices are read off the lowered graph, not off the options, so that what is said is what will run; the options only say who
 * wanted it so. */
#include "engine/explain_choices.h"

#include "engine/engine_internal.h"
#include "ir/layout.h"
#include "planner/placement.h"

#include <string.h>

/* What lies on a device, and what runs there. */
struct held {
    bool *layers;
    int nodes;
    int64_t weight_bytes, state_bytes;
};

struct choosing {
    const struct engine *engine;
    const struct engine_options *options;
    const struct graph *graph;
    struct arena *arena;
    struct explained_choice *choices;
    int count;
    size_t capacity;
    struct held *held;   /* by each device */
    int64_t whole_bytes; /* by all of them */
};

/* Texts that could not be made are told here, once for all. */
static status add(struct choosing *choosing, const char *decision, const char *chosen,
                  const char *reason, const char *otherwise, struct diagnostic *diagnostic)
{
    TRY_MEMORY(chosen, diagnostic);
    TRY_MEMORY(reason, diagnostic);
    TRY_APPEND(choosing->choices, choosing->count, choosing->capacity, choosing->arena, diagnostic);
    choosing->choices[choosing->count - 1] = (struct explained_choice){
        .decision = decision, .chosen = chosen, .reason = reason, .otherwise = otherwise};
    return STATUS_OK;
}

static const char *asked_or(bool asked, const char *otherwise)
{
    return asked ? "asked for" : otherwise;
}

/* ---- Placement ---- */

static status find_held(const struct choosing *choosing, int device, struct held *held,
                        struct diagnostic *diagnostic)
{
    const struct graph *graph = choosing->graph;
    int64_t symbols[SYMBOL_COUNT];
    *held = (struct held){0};
    plan_symbols(&choosing->engine->plan->bounds, symbols);
    TRY_NEW(held->layers, choosing->arena, graph->layer_count + 1, diagnostic);
    for (int n = 0; n < graph->node_count; n++) {
        if (graph->nodes[n].device != device) continue;
        held->nodes++;
        if (graph->nodes[n].layer >= 0) held->layers[graph->nodes[n].layer] = true;
    }
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        if (value->device != device) continue;
        if (value->kind == VALUE_WEIGHT) held->weight_bytes += tensor_bytes(&value->type, symbols);
        if (value->kind == VALUE_STATE) held->state_bytes += tensor_bytes(&value->type, symbols);
    }
    return STATUS_OK;
}

/* "layers 0..3, 8; 1.2 GiB of weights, 64 MiB of KV cache" */
static const char *describe_held(const struct choosing *choosing, const char *name,
                                 const struct held *held)
{
    char weights[32], states[32];
    int layers = choosing->graph->layer_count;
    struct text text = {.arena = choosing->arena};
    text_print(&text, "%s: ", name);
    for (int first = 0, end; first < layers; first = end + 1) {
        for (end = first; end < layers && held->layers[end];) end++;
        if (end == first) continue;
        text_print(&text, end - first == 1 ? "layer %d, " : "layers %d to %d, ", first, end - 1);
    }
    text_print(&text, "%d kernels a step, %s of weights, %s of KV cache", held->nodes,
               text_bytes((double)held->weight_bytes, weights),
               text_bytes((double)held->state_bytes, states));
    return text_finish(&text);
}

/* By the rule of layers in order: what there is room for. */
static const char *why_so_many(const struct choosing *choosing, int device, const struct held *held)
{
    const struct engine *engine = choosing->engine;
    int64_t limit = device_memory_limit(engine->devices[device]);
    char room[32], reserve[32];
    int64_t first = device_memory_limit(engine->devices[0]);
    if (choosing->whole_bytes <
        first - placement_reserve_bytes(choosing->graph, &engine->plan->bounds))
        return "in proportion to the memory sizes: the first device would hold them all";
    if (limit == INT64_MAX)
        return held->nodes ? "layers in order: what those before it do not hold"
                           : "layers in order: those before it hold them all";
    text_bytes((double)limit, room);
    text_bytes((double)placement_reserve_bytes(choosing->graph, &engine->plan->bounds), reserve);
    return arena_print(choosing->arena,
                       held->nodes
                           ? "layers in order: its %s hold so many beside some %s of activations"
                           : "layers in order: its %s hold none beside some %s of activations",
                       room, reserve);
}

static const char *why_placed(const struct choosing *choosing, int device, const struct held *held)
{
    const char *split = choosing->options->split;
    if (choosing->engine->device_count == 1) return "the only device";
    if (split && strncmp(split, "planned", 7) == 0)
        return "the planner's answer for the least time; `hone plan` says what every part's next "
               "best "
               "home would cost";
    if (split && strncmp(split, "tensor", 6) == 0)
        return "every matrix by its output features and attention by its heads, as asked for";
    if (split && strncmp(split, "experts", 7) == 0) return "experts by number, as asked for";
    return why_so_many(choosing, device, held);
}

static status add_placement(struct choosing *choosing, struct diagnostic *diagnostic)
{
    const struct engine *engine = choosing->engine;
    for (int d = 0; d < engine->device_count; d++) {
        const struct held *held = &choosing->held[d];
        TRY(add(choosing, "placement",
                describe_held(choosing, device_specification(engine->devices[d]), held),
                why_placed(choosing, d, held), "--devices, --split", diagnostic));
    }
    const char *stream = choosing->options->stream;
    if (engine->device_count > 1)
        TRY(add(choosing, "streaming", stream ? stream : "nothing",
                asked_or(stream, "every weight stays where it is used"), "--stream", diagnostic));
    return STATUS_OK;
}

/* ---- Weights, states ---- */

static status add_layouts(struct choosing *choosing, struct diagnostic *diagnostic)
{
    const struct graph *graph = choosing->graph;
    int counts[LAYOUT_COUNT] = {0};
    for (int v = 0; v < graph->value_count; v++)
        if (graph->values[v].kind == VALUE_WEIGHT) counts[graph->values[v].type.layout]++;
    for (int l = 0; l < LAYOUT_COUNT; l++) {
        if (!counts[l]) continue;
        TRY(add(
            choosing, "layout",
            arena_print(choosing->arena, "%s, %d weights", layout_name((enum layout)l), counts[l]),
            l == LAYOUT_ROWS ? "the order of the file, which every kernel of their problems reads"
                             : "what the kernels of their problems ask for; no bit is lost",
            "", diagnostic));
    }
    return STATUS_OK;
}

/* The type of most bytes of state, off the graph: a plan from a file has its own. */
static enum element_type state_type(const struct graph *graph)
{
    enum element_type found = ELEMENT_F16;
    int64_t most = -1;
    for (int v = 0; v < graph->value_count; v++) {
        const struct tensor_type *type = &graph->values[v].type;
        int64_t columns = type->rank ? type->shape[type->rank - 1].scale : 0;
        if (graph->values[v].kind != VALUE_STATE || columns <= most) continue;
        found = type->element;
        most = columns;
    }
    return found;
}

static bool is_rotated(const struct graph *graph)
{
    for (int n = 0; n < graph->node_count; n++)
        if (strcmp(graph->nodes[n].op->name, "hadamard") == 0) return true;
    return false;
}

/* What other types would take, by their bits. */
static const char *compare_types(const struct choosing *choosing, enum element_type chosen,
                                 int64_t bytes)
{
    static const enum element_type others[] = {ELEMENT_F16, ELEMENT_Q8_0, ELEMENT_Q4_0};
    const struct element *own = element_of(chosen);
    struct text text = {.arena = choosing->arena};
    text_append(&text, asked_or(choosing->options->states_given,
                                "the default: as many bits as models are trained with"));
    for (size_t t = 0; t < sizeof others / sizeof *others; t++) {
        const struct element *other = element_of(others[t]);
        char size[32];
        double ratio = (double)other->block_bytes / other->block_elements * own->block_elements /
                       own->block_bytes;
        if (others[t] == chosen) continue;
        text_print(&text, "; %s would take %s", other->name,
                   text_bytes((double)bytes * ratio, size));
    }
    return text_finish(&text);
}

static status add_states(struct choosing *choosing, struct diagnostic *diagnostic)
{
    enum element_type type = state_type(choosing->graph);
    int64_t bytes = 0;
    for (int d = 0; d < choosing->engine->device_count; d++) bytes += choosing->held[d].state_bytes;
    char size[32];
    if (!bytes) return STATUS_OK;
    TRY(add(choosing, "KV type",
            arena_print(choosing->arena, "%s%s, %s in all", element_of(type)->name,
                        is_rotated(choosing->graph) ? ", heads rotated" : "",
                        text_bytes((double)bytes, size)),
            compare_types(choosing, type, bytes), "--kv", diagnostic));
    const char *settings = choosing->engine->settings;
    if (settings)
        TRY(add(choosing, "latent attention", settings,
                "asked for, or the faster of both forms by the plans' predictions", "--mla",
                diagnostic));
    return STATUS_OK;
}

/* ---- Bounds, numerics ---- */

static status add_bounds(struct choosing *choosing, struct diagnostic *diagnostic)
{
    const struct engine_options *options = choosing->options;
    const struct plan_bounds *bounds = &choosing->engine->plan->bounds;
    const char *why_context =
        bounds->context == CONTEXT_DEFAULT
            ? "memory is paid for all of it, so a longer one is not taken unasked"
            : "what the model was trained for";
    TRY(add(choosing, "context",
            arena_print(choosing->arena, "%lld tokens", (long long)bounds->context),
            asked_or(options->context > 0, why_context), "--context", diagnostic));
    TRY(add(choosing, "chunk",
            arena_print(choosing->arena, "%lld tokens of a prompt in one step",
                        (long long)bounds->tokens),
            bounds->tokens == options->chunk ? "asked for"
            : bounds->tokens < CHUNK_DEFAULT ? "what memory leaves"
                                             : "the default: weights are read once for so many",
            "--chunk", diagnostic));
    return add(choosing, "layers",
               options->layer_map
                   ? options->layer_map
                   : arena_print(choosing->arena, "all %d once", choosing->graph->layer_count),
               asked_or(options->layer_map, "the model's own order"), "--layer-map", diagnostic);
}

static const char *why_numerics(const struct engine_options *options)
{
    if (options->references) return "references were asked for: slow, exact";
    if (options->deterministic) return "asked for: the same bits for any split and chunk";
    return asked_or(options->fast, "nothing coarser than the weights' type");
}

static status add_numerics(struct choosing *choosing, struct diagnostic *diagnostic)
{
    const struct engine_options *options = choosing->options;
    const char *chosen = options->references      ? "references"
                         : options->deterministic ? "deterministic"
                         : options->fast          ? "fast"
                                                  : "default";
    return add(choosing, "numerics", chosen, why_numerics(options), "--numerics, --deterministic",
               diagnostic);
}

static status add_given_up(struct choosing *choosing, struct diagnostic *diagnostic)
{
    const struct engine_report *report = &choosing->engine->report;
    for (int i = 0; i < report->demotion_count; i++)
        TRY(add(choosing, "given up", report->demotions[i].text, report->demotions[i].reason, "",
                diagnostic));
    return STATUS_OK;
}

status engine_explain_choices(const struct engine *engine, const struct engine_options *options,
                              struct arena *arena, struct explained_choice **choices, int *count,
                              struct diagnostic *diagnostic)
{
    struct choosing choosing = {
        .engine = engine, .options = options, .graph = engine->plan->graph, .arena = arena};
    TRY_NEW(choosing.held, arena, engine->device_count, diagnostic);
    for (int d = 0; d < engine->device_count; d++) {
        TRY(find_held(&choosing, d, &choosing.held[d], diagnostic));
        choosing.whole_bytes += choosing.held[d].weight_bytes + choosing.held[d].state_bytes;
    }
    TRY(add_placement(&choosing, diagnostic));
    TRY(add_layouts(&choosing, diagnostic));
    TRY(add_states(&choosing, diagnostic));
    TRY(add_bounds(&choosing, diagnostic));
    TRY(add_numerics(&choosing, diagnostic));
    TRY(add_given_up(&choosing, diagnostic));
    *choices = choosing.choices;
    *count = choosing.count;
    return STATUS_OK;
}
