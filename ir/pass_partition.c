/* Partition over devices.
 *
 * Requires: a legal graph without transfers, all on device 0.
 * Provides: every node has the device of its layer; results used on another device come there
 * through a `transfer` node before their first user; weights used on several devices have a copy on
 * each (NAME@DEVICE, with the same source); states are where their users are.  Inputs stay shared:
 * the runtime puts them on every device. */
#include "ir/graph_edit.h"
#include "ir/pass.h"

struct partition {
    const int *device_of_layer; /* pass_place: of each node */
    int layer_count, device_count;
    const struct op *transfer;
    int *copies; /* [value_count, device_count] value + 1 on that device; 0: none yet */
};

static status check_devices(const struct graph *graph, const struct partition *partition,
                            struct diagnostic *diagnostic)
{
    if (partition->layer_count != graph->layer_count)
        return fail(diagnostic, STATUS_FAILED, "devices for %d layers were given; the graph has %d",
                    partition->layer_count, graph->layer_count);
    if (partition->device_count < 1 || partition->device_count > GRAPH_DEVICES_MAX)
        return fail(diagnostic, STATUS_USAGE, "%d devices; Hone takes 1 to %d",
                    partition->device_count, GRAPH_DEVICES_MAX);
    for (int l = 0; l < partition->layer_count; l++)
        if (partition->device_of_layer[l] < 0 ||
            partition->device_of_layer[l] >= partition->device_count)
            return fail(diagnostic, STATUS_FAILED, "layer %d is to run on device %d of %d", l,
                        partition->device_of_layer[l], partition->device_count);
    for (int n = 0; n < graph->node_count; n++)
        if (node_is(&graph->nodes[n], "transfer"))
            return fail(diagnostic, STATUS_FAILED, "graph %s is partitioned already", graph->name);
    return STATUS_OK;
}

/* A node outside the layers goes with the first layer until the layers have begun, then with the
 * last. */
static int device_of_node(const struct partition *partition, int layer, bool begun)
{
    if (!partition->layer_count) return 0;
    if (layer < 0) layer = begun ? partition->layer_count - 1 : 0;
    return partition->device_of_layer[layer];
}

static status name_on_device(const struct graph *graph, int value, int device, const char **name,
                             struct diagnostic *diagnostic)
{
    *name = arena_print(graph->arena, "%s@%d", graph->values[value].name, device);
    TRY_MEMORY(*name, diagnostic);
    return graph_free_name(graph, *name, name, diagnostic);
}

static status copy_weight(struct graph *graph, int value, int device, int *copy,
                          struct diagnostic *diagnostic)
{
    const char *name;
    struct value original = graph->values[value];
    TRY(name_on_device(graph, value, device, &name, diagnostic));
    TRY(graph_add_value(graph, VALUE_WEIGHT, name, &original.type, original.layer, copy,
                        diagnostic));
    graph->values[*copy].device = device;
    graph->values[*copy].source = original.source;
    graph->values[*copy].slice_first = original.slice_first;
    graph->values[*copy].slice_whole = original.slice_whole;
    return STATUS_OK;
}

static status transfer_result(struct graph *graph, const struct partition *partition, int value,
                              const struct node *user, int *copy, struct diagnostic *diagnostic)
{
    const char *name;
    struct node node = {.op = partition->transfer, .layer = user->layer, .device = user->device};
    if (!node.op)
        return fail(diagnostic, STATUS_FAILED, "graph %s has no operator to move values by",
                    graph->name);
    TRY(name_on_device(graph, value, user->device, &name, diagnostic));
    attributes_default(node.op, node.attributes);
    for (int i = 0; i < OP_INPUTS_MAX; i++) node.inputs[i] = i ? VALUE_NONE : value;
    TRY(graph_add_node(graph, &node, &name, diagnostic));
    *copy = graph->nodes[graph->node_count - 1].outputs[0];
    return STATUS_OK;
}

/* Gives `*input` of `node` the number it has on the node's device. */
static status place_input(struct graph *graph, struct partition *partition, const struct node *node,
                          int *input, struct diagnostic *diagnostic)
{
    const struct value *value = &graph->values[*input];
    int *copies = &partition->copies[(size_t)*input * (size_t)partition->device_count];
    bool first = true;
    if (value->kind == VALUE_INPUT) return STATUS_OK;
    for (int d = 0; d < partition->device_count; d++) first = first && !copies[d];
    if (first && value->kind != VALUE_RESULT) {
        copies[node->device] = *input + 1;
        graph->values[*input].device = node->device;
    }
    int copy = copies[node->device] - 1;
    if (copy < 0 && value->kind == VALUE_STATE)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "state %s would be used on devices %d and %d; put its layers on one device",
                    value->name, value->device, node->device);
    if (copy < 0 && value->kind == VALUE_WEIGHT)
        TRY(copy_weight(graph, *input, node->device, &copy, diagnostic));
    if (copy < 0) TRY(transfer_result(graph, partition, *input, node, &copy, diagnostic));
    copies[node->device] = copy + 1;
    *input = copy;
    return STATUS_OK;
}

static status place_node(struct graph *graph, struct partition *partition, struct node node,
                         struct diagnostic *diagnostic)
{
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node.inputs[i] != VALUE_NONE)
            TRY(place_input(graph, partition, &node, &node.inputs[i], diagnostic));
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        if (node.outputs[o] == VALUE_NONE) continue;
        size_t row = (size_t)node.outputs[o] * (size_t)partition->device_count;
        partition->copies[row + (size_t)node.device] = node.outputs[o] + 1;
        graph->values[node.outputs[o]].device = node.device;
    }
    return graph_append_node(graph, &node, diagnostic);
}

/* Places nodes that know their devices. */
static status place_nodes(struct graph *graph, struct partition *partition, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    const struct node *nodes = graph->nodes;
    int node_count = graph->node_count;
    TRY_NEW(partition->copies, scratch,
            (size_t)graph->value_count * (size_t)partition->device_count, diagnostic);
    graph->nodes = NULL;
    graph->node_count = 0;
    graph->node_capacity = 0;
    for (int n = 0; n < node_count; n++) TRY(place_node(graph, partition, nodes[n], diagnostic));
    return STATUS_OK;
}

static status place_by_layers(struct graph *graph, void *context, struct arena *scratch,
                              struct diagnostic *diagnostic)
{
    struct partition *partition = context;
    bool begun = false;
    TRY(check_devices(graph, partition, diagnostic));
    for (int n = 0; n < graph->node_count; n++) {
        struct node *node = &graph->nodes[n];
        begun = begun || node->layer >= 0;
        node->device = device_of_node(partition, node->layer, begun);
    }
    return place_nodes(graph, partition, scratch, diagnostic);
}

status pass_partition(struct graph *graph, const int *device_of_layer, int layer_count,
                      int device_count, struct diagnostic *diagnostic)
{
    struct partition partition = {
        .device_of_layer = device_of_layer,
        .layer_count = layer_count,
        .device_count = device_count,
        .transfer = op_by_name(graph->ops, "transfer"),
    };
    return pass_run(graph, place_by_layers, &partition, diagnostic);
}

/* Whoever reads what a transfer brought reads the original. */
static status drop_transfers(struct graph *graph, struct arena *scratch,
                             struct diagnostic *diagnostic)
{
    int *originals;
    bool *keep;
    TRY_NEW(originals, scratch, graph->value_count, diagnostic);
    TRY_NEW(keep, scratch, graph->node_count, diagnostic);
    for (int v = 0; v < graph->value_count; v++) originals[v] = v;
    for (int n = 0; n < graph->node_count; n++) {
        struct node *node = &graph->nodes[n];
        for (int i = 0; i < OP_INPUTS_MAX; i++)
            if (node->inputs[i] != VALUE_NONE) node->inputs[i] = originals[node->inputs[i]];
        keep[n] = !node_is(node, "transfer");
        if (!keep[n]) originals[node->outputs[0]] = node->inputs[0];
    }
    for (int o = 0; o < graph->output_count; o++) graph->outputs[o] = originals[graph->outputs[o]];
    return graph_sweep(graph, keep, false, scratch, diagnostic);
}

static status place_again(struct graph *graph, void *context, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    struct partition *partition = context;
    for (int n = 0; n < graph->node_count; n++) {
        graph->nodes[n].device = partition->device_of_layer[n];
        if (graph->nodes[n].device < 0 || graph->nodes[n].device >= partition->device_count)
            return fail(diagnostic, STATUS_FAILED, "node %d is to run on device %d of %d", n,
                        graph->nodes[n].device, partition->device_count);
    }
    TRY(drop_transfers(graph, scratch, diagnostic));
    return place_nodes(graph, partition, scratch, diagnostic);
}

status pass_place(struct graph *graph, const int *device_of_node, int device_count,
                  struct diagnostic *diagnostic)
{
    struct partition partition = {
        .device_of_layer = device_of_node,
        .device_count = device_count,
        .transfer = op_by_name(graph->ops, "transfer"),
    };
    return pass_run(graph, place_again, &partition, diagnostic);
}
