/* Placements become requests for pass_split and lists of streamed weights for pass_stream. */
#include "planner/lower_placement.h"

#include "planner/place.h"
#include "planner/stream.h"

#include <string.h>

/* The work that is planned for, as far as the context allows: a prompt and an answer. */
static const double prompt_usual = 2048, generated_usual = 512;

static bool is_host(const struct build_options *options, int device)
{
    return !options->devices[device].apart;
}

static enum placement_phase phase_of(const struct build_options *options)
{
    return options->prompts ? PLACEMENT_PREFILL : PLACEMENT_DECODE;
}

static int first_host(const struct build_options *options)
{
    for (int d = 0; d < options->device_count; d++)
        if (is_host(options, d)) return d;
    return -1;
}

/* ---- Asking ---- */

static status describe_machine(const struct build_options *options, const int64_t *memory_bytes,
                               struct arena *arena, struct machine **machine,
                               struct diagnostic *diagnostic)
{
    struct machine_member *members;
    TRY_NEW(members, arena, options->device_count, diagnostic);
    for (int d = 0; d < options->device_count; d++)
        members[d] = (struct machine_member){.name = options->devices[d].specification,
                                             .facts = options->devices[d].facts,
                                             .memory_bytes = memory_bytes[d],
                                             .host = is_host(options, d)};
    TRY(machine_create(members, options->device_count, arena, machine, diagnostic));
    (*machine)->disk_rate = 0; /* nothing can be computed on from the disk yet */
    return STATUS_OK;
}

static status ask_planner(struct plan *plan, const struct build_options *options,
                          const int64_t *memory_bytes, struct lowered *lowered,
                          struct diagnostic *diagnostic)
{
    struct machine *machine;
    struct place_result result;
    TRY(describe_machine(options, memory_bytes, plan->arena, &machine, diagnostic));
    double context = (double)plan->bounds.context;
    const struct place_request request = {
        .graph = plan->graph,
        .machine = machine,
        .bounds = plan->bounds,
        .prompt_tokens = prompt_usual < context * 0.75 ? prompt_usual : context * 0.75,
        .generated_tokens = generated_usual < context * 0.25 ? generated_usual : context * 0.25,
        .deterministic = true, /* pass_split gathers and never adds over devices */
        .whole_streams = true,
        .chooser = &options->chooser,
    };
    TRY(place_model(&request, plan->arena, &result, diagnostic));
    lowered->placement = result.placement;
    return STATUS_OK;
}

/* ---- Splitting ---- */

/* The part of each weight, by its source: after the split its slices have that source still. */
static status list_sources(const struct plan *plan, struct lowered *lowered,
                           struct diagnostic *diagnostic)
{
    const struct graph *graph = plan->graph;
    enum placement_part *parts;
    TRY_NEW(parts, plan->arena, graph->node_count, diagnostic);
    TRY_NEW(lowered->sources, plan->arena, graph->value_count, diagnostic);
    TRY_NEW(lowered->parts, plan->arena, graph->value_count, diagnostic);
    TRY(placement_parts(graph, parts, diagnostic));
    lowered->source_count = 0;
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++) {
            int v = graph->nodes[n].inputs[i];
            if (v == VALUE_NONE || graph->values[v].kind != VALUE_WEIGHT ||
                lowered->source_count == graph->value_count)
                continue;
            lowered->sources[lowered->source_count] = graph->values[v].source;
            lowered->parts[lowered->source_count++] = parts[n];
        }
    return STATUS_OK;
}

/* Streamed whole: no card keeps a unit, and cards do all the work. */
static bool is_streamed(const struct build_options *options, const struct placement_piece *piece)
{
    for (int d = 0; d < options->device_count; d++) {
        if (is_host(options, d) && piece->work[phase_of(options)][d]) return false;
        if (!is_host(options, d) && piece->home[d]) return false;
    }
    return piece->units > 0;
}

static status split_piece(const struct build_options *options, const struct placement_piece *piece,
                          struct arena *arena, struct split_part *part,
                          struct diagnostic *diagnostic)
{
    int host = first_host(options), devices = 0, owner = 0;
    double *shares;
    TRY_NEW(shares, arena, options->device_count, diagnostic);
    bool streamed = is_streamed(options, piece);
    for (int d = 0; d < options->device_count; d++) {
        int64_t units = piece->work[phase_of(options)][d];
        int64_t kept = is_host(options, d) || streamed ? units : piece->home[d];
        shares[d] += (double)kept;
        if (units > kept && host >= 0) shares[host] += (double)(units - kept);
    }
    for (int d = 0; d < options->device_count; d++) {
        devices += shares[d] > 0;
        if (shares[d] > shares[owner]) owner = d;
    }
    *part = (struct split_part){.owner = owner, .shares = devices > 1 ? shares : NULL};
    return STATUS_OK;
}

/* What a layer does not have, its attention's owner would have. */
static status split_layer(const struct build_options *options, const struct placement_layer *layer,
                          struct arena *arena, struct split_layer *split,
                          struct diagnostic *diagnostic)
{
    const struct placement_piece *pieces = layer->pieces;
    TRY(split_piece(options, &pieces[PLACEMENT_ATTENTION], arena, &split->attention, diagnostic));
    split->dense = split->experts = (struct split_part){.owner = split->attention.owner};
    if (pieces[PLACEMENT_DENSE].units)
        TRY(split_piece(options, &pieces[PLACEMENT_DENSE], arena, &split->dense, diagnostic));
    if (pieces[PLACEMENT_EXPERTS].units)
        TRY(split_piece(options, &pieces[PLACEMENT_EXPERTS], arena, &split->experts, diagnostic));
    return STATUS_OK;
}

static status split_graph(struct plan *plan, const struct build_options *options,
                          const struct placement *placement, struct diagnostic *diagnostic)
{
    struct split_layer *layers;
    struct split_request request = {.device_count = options->device_count,
                                    .layer_count = placement->layer_count};
    TRY_NEW(layers, plan->arena, placement->layer_count + 1, diagnostic);
    for (int l = 0; l < placement->layer_count; l++)
        TRY(split_layer(options, &placement->layers[l], plan->arena, &layers[l], diagnostic));
    request.layers = layers;
    TRY(split_piece(options, &placement->embed, plan->arena, &request.before, diagnostic));
    TRY(split_piece(options, &placement->output, plan->arena, &request.after, diagnostic));
    return pass_split(plan->graph, &request, diagnostic);
}

static bool piece_differs(const struct build_options *options, const struct placement_piece *piece)
{
    struct build_options decode = *options, prefill = *options;
    decode.prompts = false;
    prefill.prompts = true;
    return is_streamed(&decode, piece) != is_streamed(&prefill, piece);
}

bool lower_differs(const struct build_options *options, const struct placement *placement)
{
    bool differs = piece_differs(options, &placement->output);
    for (int l = 0; l < placement->layer_count; l++)
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            differs = differs || piece_differs(options, &placement->layers[l].pieces[part]);
    return differs && placement->stream_rows <= options->bounds.tokens;
}

status lower_planned(struct plan *plan, const struct build_options *options,
                     const int64_t *memory_bytes, struct lowered *lowered,
                     struct diagnostic *diagnostic)
{
    *lowered = (struct lowered){.placement = options->placement};
    if (!lowered->placement) TRY(ask_planner(plan, options, memory_bytes, lowered, diagnostic));
    plan->placement = lowered->placement;
    TRY(list_sources(plan, lowered, diagnostic));
    return split_graph(plan, options, lowered->placement, diagnostic);
}

/* ---- Streaming ---- */

static bool is_streamed_here(const struct build_options *options, const struct lowered *lowered,
                             const struct node *node, const struct value *value)
{
    if (value->kind != VALUE_WEIGHT || value->type.rank < 2 || is_host(options, node->device))
        return false;
    for (int s = 0; s < lowered->source_count; s++) {
        if (strcmp(lowered->sources[s], value->source) != 0) continue;
        const struct placement *placement = lowered->placement;
        const struct placement_piece *piece =
            lowered->parts[s] == PLACEMENT_EMBED    ? &placement->embed
            : lowered->parts[s] == PLACEMENT_OUTPUT ? &placement->output
            : node->layer < 0                       ? &placement->output
                              : &placement->layers[node->layer].pieces[lowered->parts[s]];
        return is_streamed(options, piece);
    }
    return false;
}

status lower_streams(struct plan *plan, const struct build_options *options,
                     const struct lowered *lowered, struct diagnostic *diagnostic)
{
    struct graph *graph = plan->graph;
    bool *streamed, any = false;
    int host = first_host(options);
    if (host < 0) return STATUS_OK;
    TRY_NEW(streamed, plan->arena, graph->value_count, diagnostic);
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++) {
            int v = graph->nodes[n].inputs[i];
            if (v == VALUE_NONE || streamed[v]) continue;
            streamed[v] = is_streamed_here(options, lowered, &graph->nodes[n], &graph->values[v]);
            any = any || streamed[v];
        }
    return any ? pass_stream(graph, streamed, host, STREAM_AHEAD, diagnostic) : STATUS_OK;
}

/* ---- Memory ---- */

/* What does not fit is taken off with a little more, so that few rounds are enough. */
static const double shrink_factor = 1.1;

/* Weights and states of a graph, but for those that `first` has as well. */
static void add_homes(const struct graph *graph, const struct graph *first, const int64_t *symbols,
                      int64_t *needed)
{
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        if (value->kind != VALUE_WEIGHT && value->kind != VALUE_STATE) continue;
        if (first && plan_find_home(first, value) != VALUE_NONE) continue;
        needed[value->device] += tensor_bytes(&value->type, symbols);
    }
}

/* Schedules take turns, so they share the room of the one that needs more. */
static status count_needed(const struct plan *plan, const struct graph *second, int device_count,
                           int64_t **result, struct diagnostic *diagnostic)
{
    const struct graph *graphs[] = {plan->graph, second};
    int64_t symbols[SYMBOL_COUNT], *needed, *results;
    plan_symbols(&plan->bounds, symbols);
    TRY_NEW(needed, plan->arena, device_count, diagnostic);
    TRY_NEW(results, plan->arena, device_count, diagnostic);
    for (int g = 0; g < 2 && graphs[g]; g++) {
        struct memory_layout layout;
        TRY(pass_memory(graphs[g], symbols, device_count, plan->arena, &layout, diagnostic));
        for (int d = 0; d < device_count; d++)
            if (layout.device_bytes[d] > results[d]) results[d] = layout.device_bytes[d];
        add_homes(graphs[g], g ? graphs[0] : NULL, symbols, needed);
    }
    for (int d = 0; d < device_count; d++) needed[d] += results[d];
    *result = needed;
    return STATUS_OK;
}

status lower_check_memory(const struct plan *plan, const struct graph *second,
                          const struct build_options *options, int64_t *memory_bytes, bool *fits,
                          struct diagnostic *diagnostic)
{
    int64_t *needed;
    TRY(count_needed(plan, second, options->device_count, &needed, diagnostic));
    *fits = true;
    for (int d = 0; d < options->device_count; d++) {
        int64_t limit = options->devices[d].memory_bytes;
        if (limit == INT64_MAX || needed[d] <= limit) continue;
        *fits = false;
        double less = (double)(needed[d] - limit) * shrink_factor;
        memory_bytes[d] = less < (double)memory_bytes[d] ? memory_bytes[d] - (int64_t)less : 0;
    }
    return STATUS_OK;
}
