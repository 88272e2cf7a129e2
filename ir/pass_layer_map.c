/* Layer maps: virtual layer v runs layer map[v].
 *
 * Requires: a legal graph on one device whose nodes stand in order: those before the layers, layer
 * 0, layer 1, ..., those after; each layer takes from the one before exactly one value, all of one
 * type; results from before the first layer may be used in every layer.  Run it before fusion,
 * which joins layers by more than one value. Provides: the layers in the map's order.  Weights are
 * shared; each virtual layer has states of its own, named and numbered after it.  Weights of layers
 * that are not in the map stay until pass_dead_code. */
#include "ir/graph_edit.h"
#include "ir/pass.h"

#include <string.h>

struct layer_mapping {
    const int *map;
    int count;
    const struct graph *old;
    int *regions; /* per old node: -1 before the layers, the layer, layer_count after them */
    int *starts; /* [layer_count + 2]: first node of layer l; the last two: of what comes after, and
                    the end */
    int *joins;  /* [layer_count + 1]: what layer l takes from before it; the last one: what follows
                    the layers */
    int *first_layer, *last_layer; /* per old value: the first and last region that uses it */
    struct graph *made;
    int *numbers; /* per old value: its number in `made` at this point of the map */
};

static status find_regions(struct layer_mapping *mapping, struct diagnostic *diagnostic)
{
    const struct graph *old = mapping->old;
    int region = -1;
    for (int n = 0; n < old->node_count; n++) {
        int layer = old->nodes[n].layer;
        if (layer < 0 && region >= 0) layer = old->layer_count;
        bool next = layer == region + 1 || (layer == old->layer_count && region == layer - 1);
        if (layer != region && !next)
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "layer map: node %d (%s) of layer %d comes after layer %d; layers must "
                        "stand in order",
                        n, old->nodes[n].op->name, old->nodes[n].layer, region);
        for (; region < layer; region++) mapping->starts[region + 1] = n;
        mapping->regions[n] = region;
    }
    if (region < old->layer_count - 1 || old->layer_count == 0)
        return fail(diagnostic, STATUS_UNSUPPORTED, "layer map: graph %s has no nodes in layer %d",
                    old->name, region + 1);
    for (; region <= old->layer_count; region++) mapping->starts[region + 1] = old->node_count;
    return STATUS_OK;
}

static int region_of_value(const struct layer_mapping *mapping, int value)
{
    return mapping->regions[mapping->old->values[value].producer];
}

static void find_users(struct layer_mapping *mapping)
{
    const struct graph *old = mapping->old;
    for (int v = 0; v < old->value_count; v++) {
        mapping->first_layer[v] = old->layer_count;
        mapping->last_layer[v] = -1;
    }
    for (int n = 0; n < old->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++) {
            int v = old->nodes[n].inputs[i], region = mapping->regions[n];
            if (v == VALUE_NONE) continue;
            if (region < mapping->first_layer[v]) mapping->first_layer[v] = region;
            if (region > mapping->last_layer[v]) mapping->last_layer[v] = region;
        }
}

/* `region` uses `value` of an earlier one: this must be the join of the two, or come from before
 * the layers. */
static status note_join(struct layer_mapping *mapping, int value, int region,
                        struct diagnostic *diagnostic)
{
    const struct graph *old = mapping->old;
    int from = region_of_value(mapping, value);
    bool shared = from < 0 && mapping->last_layer[value] > 0;
    if (from == region || shared) return STATUS_OK;
    if (from != region - 1)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "layer map: %s of layer %d is used in layer %d, not in the next one alone",
                    old->values[value].name, from, region);
    int *join = &mapping->joins[region];
    if (*join != VALUE_NONE && *join != value)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "layer map: layer %d takes both %s and %s; layers must be joined by one value",
                    region, old->values[*join].name, old->values[value].name);
    *join = value;
    return STATUS_OK;
}

static status check_joins(const struct layer_mapping *mapping, struct diagnostic *diagnostic)
{
    const struct graph *old = mapping->old;
    for (int l = 0; l <= old->layer_count; l++) {
        if (mapping->joins[l] == VALUE_NONE && l == 0)
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "layer map: nothing is made for the first layer alone");
        if (mapping->joins[l] == VALUE_NONE)
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "layer map: nothing goes from layer %d to what follows it", l - 1);
        if (!tensor_type_equal(&old->values[mapping->joins[l]].type,
                               &old->values[mapping->joins[0]].type))
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "layer map: %s and %s join layers but differ in type",
                        old->values[mapping->joins[0]].name, old->values[mapping->joins[l]].name);
    }
    return STATUS_OK;
}

static status find_joins(struct layer_mapping *mapping, struct diagnostic *diagnostic)
{
    const struct graph *old = mapping->old;
    for (int l = 0; l <= old->layer_count; l++) mapping->joins[l] = VALUE_NONE;
    for (int n = 0; n < old->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++) {
            int v = old->nodes[n].inputs[i];
            if (v != VALUE_NONE && old->values[v].kind == VALUE_RESULT && mapping->regions[n] >= 0)
                TRY(note_join(mapping, v, mapping->regions[n], diagnostic));
        }
    for (int o = 0; o < old->output_count; o++)
        if (region_of_value(mapping, old->outputs[o]) >= 0)
            TRY(note_join(mapping, old->outputs[o], old->layer_count, diagnostic));
    return check_joins(mapping, diagnostic);
}

/* A state that layers use belongs to one of them and is made anew for each virtual one. */
static bool state_is_layered(const struct layer_mapping *mapping, int value)
{
    return mapping->old->values[value].kind == VALUE_STATE && mapping->last_layer[value] >= 0 &&
           mapping->first_layer[value] < mapping->old->layer_count;
}

static status copy_value(struct layer_mapping *mapping, int v, const char *name, int layer,
                         struct diagnostic *diagnostic)
{
    const struct value *value = &mapping->old->values[v];
    TRY(graph_add_value(mapping->made, value->kind, name, &value->type, layer, &mapping->numbers[v],
                        diagnostic));
    mapping->made->values[mapping->numbers[v]].source = value->source;
    mapping->made->values[mapping->numbers[v]].slice_first = value->slice_first;
    mapping->made->values[mapping->numbers[v]].slice_whole = value->slice_whole;
    return STATUS_OK;
}

static status copy_shared_values(struct layer_mapping *mapping, struct diagnostic *diagnostic)
{
    const struct graph *old = mapping->old;
    for (int v = 0; v < old->value_count; v++) {
        const struct value *value = &old->values[v];
        if (value->kind == VALUE_RESULT) continue;
        if (state_is_layered(mapping, v)) {
            if (mapping->first_layer[v] == mapping->last_layer[v]) continue;
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "layer map: state %s is used in layers %d and %d", value->name,
                        mapping->first_layer[v], mapping->last_layer[v]);
        }
        TRY(copy_value(mapping, v, value->name, value->layer, diagnostic));
    }
    return STATUS_OK;
}

static status clone_states(struct layer_mapping *mapping, int layer, int new_layer,
                           struct diagnostic *diagnostic)
{
    const struct graph *old = mapping->old;
    for (int v = 0; v < old->value_count; v++) {
        if (!state_is_layered(mapping, v) || mapping->first_layer[v] != layer) continue;
        const char *name =
            graph_name_in_layer(mapping->made->arena, old->values[v].name, layer, new_layer);
        TRY_MEMORY(name, diagnostic);
        TRY(graph_free_name(mapping->made, name, &name, diagnostic));
        TRY(copy_value(mapping, v, name, new_layer, diagnostic));
    }
    return STATUS_OK;
}

/* The name of a result in its new place. */
static status result_name(const struct layer_mapping *mapping, int value, int layer, int new_layer,
                          const char **name, struct diagnostic *diagnostic)
{
    *name = mapping->old->values[value].name;
    if (new_layer >= 0) *name = graph_name_in_layer(mapping->made->arena, *name, layer, new_layer);
    TRY_MEMORY(*name, diagnostic);
    return graph_free_name(mapping->made, *name, name, diagnostic);
}

static status clone_node(struct layer_mapping *mapping, const struct node *old_node, int new_layer,
                         struct diagnostic *diagnostic)
{
    struct node node = *old_node;
    const char *names[OP_OUTPUTS_MAX] = {0};
    node.layer = new_layer;
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node.inputs[i] != VALUE_NONE) node.inputs[i] = mapping->numbers[node.inputs[i]];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (old_node->outputs[o] != VALUE_NONE)
            TRY(result_name(mapping, old_node->outputs[o], old_node->layer, new_layer, &names[o],
                            diagnostic));
    TRY(graph_add_node(mapping->made, &node, names, diagnostic));
    const struct node *made = &mapping->made->nodes[mapping->made->node_count - 1];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (old_node->outputs[o] != VALUE_NONE)
            mapping->numbers[old_node->outputs[o]] = made->outputs[o];
    return STATUS_OK;
}

static status clone_range(struct layer_mapping *mapping, int begin, int end, int new_layer,
                          struct diagnostic *diagnostic)
{
    for (int n = begin; n < end; n++)
        TRY(clone_node(mapping, &mapping->old->nodes[n], new_layer, diagnostic));
    return STATUS_OK;
}

/* Between layers only `current`, the join's value, lives on: layer l finds it under the number of
 * its own join. */
static status clone_layers(struct layer_mapping *mapping, struct diagnostic *diagnostic)
{
    int current = mapping->numbers[mapping->joins[0]];
    for (int v = 0; v < mapping->count; v++) {
        int layer = mapping->map[v];
        TRY(clone_states(mapping, layer, v, diagnostic));
        mapping->numbers[mapping->joins[layer]] = current;
        TRY(clone_range(mapping, mapping->starts[layer], mapping->starts[layer + 1], v,
                        diagnostic));
        current = mapping->numbers[mapping->joins[layer + 1]];
    }
    mapping->numbers[mapping->joins[mapping->old->layer_count]] = current;
    return STATUS_OK;
}

static status map_layers(struct graph *graph, void *context, struct arena *scratch,
                         struct diagnostic *diagnostic)
{
    struct layer_mapping *mapping = context;
    int layers = graph->layer_count, values = graph->value_count;
    mapping->old = graph;
    TRY_NEW(mapping->regions, scratch, graph->node_count, diagnostic);
    TRY_NEW(mapping->starts, scratch, layers + 2, diagnostic);
    TRY_NEW(mapping->joins, scratch, layers + 1, diagnostic);
    TRY_NEW(mapping->first_layer, scratch, values, diagnostic);
    TRY_NEW(mapping->last_layer, scratch, values, diagnostic);
    TRY_NEW(mapping->numbers, scratch, values, diagnostic);
    TRY(find_regions(mapping, diagnostic));
    find_users(mapping);
    TRY(find_joins(mapping, diagnostic));
    TRY(graph_create(graph->arena, graph->name, graph->ops, &mapping->made, diagnostic));
    TRY(copy_shared_values(mapping, diagnostic));
    TRY(clone_range(mapping, 0, mapping->starts[0], -1, diagnostic));
    TRY(clone_layers(mapping, diagnostic));
    TRY(clone_range(mapping, mapping->starts[layers], graph->node_count, -1, diagnostic));
    for (int o = 0; o < graph->output_count; o++)
        TRY(graph_add_output(mapping->made, mapping->numbers[graph->outputs[o]], diagnostic));
    *graph = *mapping->made;
    return STATUS_OK;
}

static status check_map(const struct graph *graph, const int *map, int count,
                        struct diagnostic *diagnostic)
{
    if (count < 1 || count > GRAPH_LAYERS_MAX)
        return fail(diagnostic, STATUS_USAGE, "a layer map of %d layers; it must have 1 to %d",
                    count, GRAPH_LAYERS_MAX);
    for (int v = 0; v < count; v++)
        if (map[v] < 0 || map[v] >= graph->layer_count)
            return fail(diagnostic, STATUS_USAGE,
                        "the layer map asks for layer %d; the model has layers 0 to %d", map[v],
                        graph->layer_count - 1);
    return STATUS_OK;
}

status pass_layer_map(struct graph *graph, const int *map, int count, struct diagnostic *diagnostic)
{
    struct layer_mapping mapping = {.map = map, .count = count};
    TRY(check_map(graph, map, count, diagnostic));
    return pass_run(graph, map_layers, &mapping, diagnostic);
}
