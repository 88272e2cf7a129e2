/* Layers in order onto devices in order.
 *
 * Bytes of a layer: its weights and its states.  What comes before the layers is counted to the first device, what comes
 * after to the last.  A reserve per device covers activations: the widest row of the graph times the bound of tokens,
 * for a handful of live values. */
#include "base/text.h"
#include "planner/placement.h"

/* Live activations at once in a transformer block: residual, norm, q/k/v, gate/up. */
enum { LIVE_VALUES = 6 };

struct layer_bytes {
    int64_t before, after, reserve;
    int64_t *layers;
    int64_t *spared; /* of each layer's, where a device keeps `expert_slots` of its experts */
};

static bool weight_used_by(const struct graph *graph, int node, int value)
{
    const struct node *user = &graph->nodes[node];
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (user->inputs[i] == value) return true;
    return false;
}

/* What is not kept of experts' weights: a dispatch sorts rows for them. */
static int64_t spared_bytes(const struct graph *graph, int node, int v, int64_t bytes,
                            int64_t expert_slots)
{
    const struct value *value = &graph->values[v];
    int64_t experts = value->type.shape[0].scale;
    if (value->kind != VALUE_WEIGHT || expert_slots < 1 || expert_slots >= experts ||
        node_find_input(&graph->nodes[node], "offsets") == VALUE_NONE)
        return 0;
    return bytes / experts * (experts - expert_slots);
}

/* A weight or state counts where it is used first. */
static void count_value(const struct graph *graph, int v, int64_t bytes, int64_t expert_slots,
                        struct layer_bytes *count)
{
    bool layers_seen = false;
    for (int n = 0; n < graph->node_count; n++) {
        int layer = graph->nodes[n].layer;
        layers_seen = layers_seen || layer >= 0;
        if (!weight_used_by(graph, n, v)) continue;
        if (layer >= 0) {
            count->layers[layer] += bytes;
            count->spared[layer] += spared_bytes(graph, n, v, bytes, expert_slots);
        } else if (layers_seen)
            count->after += bytes;
        else
            count->before += bytes;
        return;
    }
}

int64_t placement_reserve_bytes(const struct graph *graph, const struct plan_bounds *bounds)
{
    int64_t symbols[SYMBOL_COUNT], widest = 0;
    plan_symbols(bounds, symbols);
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        if (value->kind != VALUE_RESULT || graph->nodes[value->producer].layer < 0) continue;
        int64_t bytes = tensor_bytes(&value->type, symbols);
        if (bytes > widest) widest = bytes;
    }
    return LIVE_VALUES * widest;
}

static status count_bytes(const struct graph *graph, const struct plan_bounds *bounds,
                          int64_t expert_slots, struct layer_bytes *count,
                          struct diagnostic *diagnostic)
{
    TRY_NEW(count->spared, graph->arena, graph->layer_count + 1, diagnostic);
    TRY_NEW(count->layers, graph->arena, graph->layer_count + 1, diagnostic);
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(bounds, symbols);
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        if (value->kind == VALUE_WEIGHT || value->kind == VALUE_STATE)
            count_value(graph, v, tensor_bytes(&value->type, symbols), expert_slots, count);
    }
    count->reserve = placement_reserve_bytes(graph, bounds);
    return STATUS_OK;
}

/* What device `d` may hold of the layers when the model is shared in proportion to memory. */
static int64_t fair_share(const struct placement_device *devices, int device_count, int d,
                          int64_t total)
{
    double limited = 0;
    for (int e = 0; e < device_count; e++) {
        if (devices[e].memory_bytes == INT64_MAX) return devices[d].memory_bytes;
        limited += (double)devices[e].memory_bytes;
    }
    return (int64_t)((double)total * (double)devices[d].memory_bytes / limited) + 1;
}

static status too_small(const struct placement_device *device, int layer, int layer_count,
                        int64_t missing, struct diagnostic *diagnostic)
{
    char text[32];
    return fail(
        diagnostic, STATUS_NO_MEMORY,
        "the model does not fit on the devices: %s has no room for layer %d of %d, %s are missing; "
        "add a device (cpu), or lower --context",
        device->specification, layer, layer_count, text_bytes((double)missing, text));
}

static int64_t most_slots(const struct placement_device *devices, int device_count)
{
    int64_t most = 0;
    for (int d = 0; d < device_count; d++)
        if (devices[d].expert_slots > most) most = devices[d].expert_slots;
    return most;
}

status placement_by_layers(const struct graph *graph, const struct plan_bounds *bounds,
                           const struct placement_device *devices, int device_count,
                           int *device_of_layer, int64_t *missing_bytes,
                           struct diagnostic *diagnostic)
{
    struct layer_bytes count = {0};
    *missing_bytes = 0;
    TRY(count_bytes(graph, bounds, most_slots(devices, device_count), &count, diagnostic));
    int64_t total = count.before + count.after;
    for (int l = 0; l < graph->layer_count; l++) total += count.layers[l];
    int device = 0;
    int64_t used = count.before;
    for (int l = 0; l < graph->layer_count; l++) {
        int64_t whole = count.layers[l] + (l == graph->layer_count - 1 ? count.after : 0), bytes;
        for (;;) {
            bytes = whole - (devices[device].expert_slots ? count.spared[l] : 0);
            int64_t limit = devices[device].memory_bytes;
            bool last = device == device_count - 1;
            int64_t share = fair_share(devices, device_count, device, total);
            bool fits = limit == INT64_MAX || used + bytes <= limit - count.reserve;
            if (fits && (last || used + bytes / 2 <= share)) break;
            if (last) {
                *missing_bytes = used + bytes + count.reserve - limit;
                return too_small(&devices[device], l, graph->layer_count, *missing_bytes,
                                 diagnostic);
            }
            device++;
            used = 0;
        }
        device_of_layer[l] = device;
        used += bytes;
    }
    return STATUS_OK;
}
