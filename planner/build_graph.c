/* From a model's graph to the graph of a plan: layer map, devices, fusion, streams. */
#include "planner/build.h"
#include "planner/lower_placement.h"
#include "planner/offload.h"
#include "planner/placement.h"

#include <string.h>

static void find_apart(const struct build_options *options, bool apart[GRAPH_DEVICES_MAX])
{
    for (int d = 0; d < options->device_count; d++) apart[d] = options->devices[d].apart;
}

static status share(struct plan *plan, const struct build_options *options,
                    struct diagnostic *diagnostic)
{
    bool apart[GRAPH_DEVICES_MAX];
    find_apart(options, apart);
    return share_graph(plan->graph, &options->share, apart, options->device_count, diagnostic);
}

static status slots(struct plan *plan, const struct build_options *options,
                    struct diagnostic *diagnostic)
{
    bool apart[GRAPH_DEVICES_MAX];
    if (options->expert_slots && options->share.kind == SHARE_PLANNED)
        return fail(
            diagnostic, STATUS_USAGE,
            "--expert-slots: the planner places experts itself; leave --split planned away");
    find_apart(options, apart);
    return stream_slots(plan->graph, options->expert_slots, apart, options->device_count,
                        diagnostic);
}

static status stream(struct plan *plan, const struct build_options *options,
                     struct diagnostic *diagnostic)
{
    bool apart[GRAPH_DEVICES_MAX];
    find_apart(options, apart);
    return stream_weights(plan->graph, &options->stream, apart, options->device_count, diagnostic);
}

/* All devices together are too small. */
static void tell_shortage(const struct build_options *options, int64_t missing_bytes)
{
    if (options->shortage)
        *options->shortage =
            (struct build_shortage){.found = true, .device = -1, .missing_bytes = missing_bytes};
}

bool build_has_state(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node->inputs[i] != VALUE_NONE && graph->values[node->inputs[i]].kind == VALUE_STATE)
            return true;
    return false;
}

/* A state is where it is used: what writes it and what attends to it go to the host together. */
static status move_states(struct plan *plan, const struct build_options *options,
                          struct diagnostic *diagnostic)
{
    const struct graph *graph = plan->graph;
    int *devices, host = 0, moved = 0;
    TRY_NEW(devices, plan->arena, graph->node_count, diagnostic);
    while (host < options->device_count && options->devices[host].apart) host++;
    for (int n = 0; n < graph->node_count && host < options->device_count; n++) {
        const struct node *node = &graph->nodes[n];
        bool moves = options->devices[node->device].host_states && build_has_state(graph, node);
        devices[n] = moves ? host : node->device;
        moved += moves;
    }
    return moved ? pass_place(plan->graph, devices, options->device_count, diagnostic) : STATUS_OK;
}

static status place(struct plan *plan, const struct build_options *options,
                    struct diagnostic *diagnostic)
{
    struct placement_device *devices;
    int *device_of_layer;
    if (options->share.kind != SHARE_LAYERS) return share(plan, options, diagnostic);
    TRY_NEW(devices, plan->arena, options->device_count, diagnostic);
    TRY_NEW(device_of_layer, plan->arena, plan->graph->layer_count + 1, diagnostic);
    for (int d = 0; d < options->device_count; d++)
        devices[d] = (struct placement_device){
            .specification = options->devices[d].specification,
            .memory_bytes = options->devices[d].memory_bytes,
            .expert_slots = options->devices[d].apart ? options->expert_slots : 0};
    int64_t missing_bytes;
    status code = placement_by_layers(plan->graph, &plan->bounds, devices, options->device_count,
                                      device_of_layer, &missing_bytes, diagnostic);
    if (code != STATUS_OK && missing_bytes > 0) tell_shortage(options, missing_bytes);
    TRY(code);
    return pass_partition(plan->graph, device_of_layer, plan->graph->layer_count,
                          options->device_count, diagnostic);
}

/* Whoever samples from the largest logits need not read the others: they become outputs beside them (enum plan_output). */
static status add_top(struct plan *plan, const struct build_options *options,
                      struct diagnostic *diagnostic)
{
    struct graph *graph = plan->graph;
    const struct op *top = op_by_name(graph->ops, "top");
    int logits = graph->outputs[PLAN_LOGITS];
    const struct value value = graph->values[logits];
    if (options->largest < 1 || !top || !options->devices[value.device].apart ||
        value.type.rank != 2)
        return STATUS_OK;
    static const char *const names[] = {"top_ids", "top_values", "top_not_numbers"};
    struct node node = {.op = top, .layer = -1, .device = value.device};
    int64_t vocabulary = value.type.shape[1].scale;
    attributes_default(top, node.attributes);
    node.attributes[attribute_by_name(top, "count")].integer =
        options->largest < vocabulary ? options->largest : vocabulary;
    for (int i = 0; i < OP_INPUTS_MAX; i++) node.inputs[i] = i ? VALUE_NONE : logits;
    TRY(graph_add_node(graph, &node, names, diagnostic));
    for (int o = 0; o < 3; o++) {
        int output = graph->nodes[graph->node_count - 1].outputs[o];
        graph->values[output].device = value.device;
        TRY(graph_add_output(graph, output, diagnostic));
    }
    return STATUS_OK;
}

/* The graph that is to be placed. */
static status copy_graph(const struct graph *graph, const struct build_options *options,
                         struct plan *plan, struct diagnostic *diagnostic)
{
    TRY(graph_copy(graph, plan->arena, &plan->graph, diagnostic));
    if (options->layer_map) {
        TRY(pass_layer_map(plan->graph, options->layer_map, options->layer_map_count, diagnostic));
        TRY(graph_verify(plan->graph, diagnostic));
    }
    TRY(pass_dead_code(plan->graph, diagnostic));
    return graph_verify(plan->graph, diagnostic);
}

/* `memory_bytes`: what the planner may count on; NULL: it is not asked. */
static status lower_once(const struct graph *graph, const struct build_options *options,
                         const int64_t *memory_bytes, struct plan *plan,
                         struct diagnostic *diagnostic)
{
    struct lowered lowered;
    TRY(copy_graph(graph, options, plan, diagnostic));
    /* Before fusion, so that no fused operator straddles a border and moves two values over it. */
    TRY(memory_bytes ? lower_planned(plan, options, memory_bytes, &lowered, diagnostic)
                     : place(plan, options, diagnostic));
    TRY(graph_verify(plan->graph, diagnostic));
    TRY(move_states(plan, options, diagnostic));
    TRY(graph_verify(plan->graph, diagnostic));
    TRY(slots(plan, options, diagnostic));
    TRY(offload_fuse(plan, options, diagnostic));
    TRY(memory_bytes ? lower_streams(plan, options, &lowered, diagnostic)
                     : stream(plan, options, diagnostic));
    TRY(add_top(plan, options, diagnostic));
    return graph_verify(plan->graph, diagnostic);
}

/* The graph of the prompts' schedule; NULL: there is none. */
static status lower_second(const struct graph *graph, const struct build_options *options,
                           const int64_t *memory_bytes, const struct plan *plan,
                           const struct graph **second, struct diagnostic *diagnostic)
{
    struct plan prefill = {.arena = plan->arena,
                           .bounds = plan->bounds,
                           .device_count = plan->device_count,
                           .devices = plan->devices};
    struct build_options asked = *options;
    *second = NULL;
    if (!lower_differs(options, plan->placement)) return STATUS_OK;
    asked.placement = plan->placement;
    asked.prompts = true;
    TRY(lower_once(graph, &asked, memory_bytes, &prefill, diagnostic));
    *second = prefill.graph;
    return STATUS_OK;
}

/* The planner estimates what activations take; where the lowered graph says more, it plans again with less memory. */
enum { PLANNED_ROUNDS_MAX = 4 };

status build_lower_graph(const struct graph *graph, const struct build_options *options,
                         struct plan *plan, struct diagnostic *diagnostic)
{
    int64_t memory_bytes[GRAPH_DEVICES_MAX];
    bool fits = false;
    if (options->device_count > GRAPH_DEVICES_MAX)
        return fail(diagnostic, STATUS_USAGE, "%d devices; Hone takes 1 to %d",
                    options->device_count, GRAPH_DEVICES_MAX);
    if (options->share.kind != SHARE_PLANNED)
        return lower_once(graph, options, NULL, plan, diagnostic);
    for (int d = 0; d < options->device_count; d++)
        memory_bytes[d] = options->devices[d].memory_bytes;
    if (options->placement) return lower_once(graph, options, memory_bytes, plan, diagnostic);
    for (int round = 0; round < PLANNED_ROUNDS_MAX && !fits; round++) {
        status code = lower_once(graph, options, memory_bytes, plan, diagnostic);
        if (code == STATUS_NO_MEMORY) tell_shortage(options, 1);
        TRY(code);
        const struct graph *second;
        TRY(lower_second(graph, options, memory_bytes, plan, &second, diagnostic));
        TRY(lower_check_memory(plan, second, options, memory_bytes, &fits, diagnostic));
    }
    if (fits) return STATUS_OK;
    tell_shortage(options, 1);
    return fail(diagnostic, STATUS_NO_MEMORY,
                "the planner finds no placement that fits with its activations; lower --context or "
                "--chunk, or add a device");
}
