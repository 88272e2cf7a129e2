/* Building graphs and looking things up in them. */
#include "ir/graph.h"

#include "base/hash.h"
#include "ir/graph_edit.h"

#include <string.h>

bool graph_name_legal(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@-";
    size_t length = strspn(name, allowed);
    return length > 0 && length <= GRAPH_NAME_BYTES_MAX && !name[length] && strcmp(name, "_");
}

/* The slot where `name` is, or where it belongs. */
static size_t name_slot(const struct graph *graph, const char *name)
{
    size_t mask = graph->name_slot_count - 1;
    size_t slot = (size_t)hash_text(name).low & mask;
    while (graph->name_slots[slot] && strcmp(graph->values[graph->name_slots[slot] - 1].name, name))
        slot = (slot + 1) & mask;
    return slot;
}

status graph_index_names(struct graph *graph, struct diagnostic *diagnostic)
{
    size_t count = 64;
    while (count < (size_t)graph->value_count * 4) count *= 2;
    TRY_NEW(graph->name_slots, graph->arena, count, diagnostic);
    graph->name_slot_count = count;
    for (int v = 0; v < graph->value_count; v++)
        graph->name_slots[name_slot(graph, graph->values[v].name)] = v + 1;
    return STATUS_OK;
}

int graph_find_value(const struct graph *graph, const char *name)
{
    return graph->name_slots[name_slot(graph, name)] - 1;
}

status graph_create(struct arena *arena, const char *name, const struct op *const *ops,
                    struct graph **graph, struct diagnostic *diagnostic)
{
    struct graph *made;
    if (!graph_name_legal(name))
        return fail(diagnostic, STATUS_BAD_INPUT, "\"%.64s\" is not a name for a graph", name);
    TRY_NEW(made, arena, 1, diagnostic);
    made->arena = arena;
    made->ops = ops;
    made->name = arena_text(arena, name);
    TRY_MEMORY(made->name, diagnostic);
    TRY(graph_index_names(made, diagnostic));
    *graph = made;
    return STATUS_OK;
}

static status copy_array(struct arena *arena, const void *items, int count, size_t item_bytes,
                         void *copy, size_t *capacity, struct diagnostic *diagnostic)
{
    void *bytes = arena_copy(arena, items, (size_t)count * item_bytes);
    TRY_MEMORY(bytes, diagnostic);
    memcpy(copy, &bytes, sizeof bytes);
    *capacity = (size_t)count;
    return STATUS_OK;
}

static status copy_names(struct graph *graph, struct diagnostic *diagnostic)
{
    for (int v = 0; v < graph->value_count; v++) {
        struct value *value = &graph->values[v];
        value->name = arena_text(graph->arena, value->name);
        TRY_MEMORY(value->name, diagnostic);
        if (!value->source) continue;
        value->source = arena_text(graph->arena, value->source);
        TRY_MEMORY(value->source, diagnostic);
    }
    return graph_index_names(graph, diagnostic);
}

status graph_copy(const struct graph *graph, struct arena *arena, struct graph **copy,
                  struct diagnostic *diagnostic)
{
    struct graph *made;
    TRY_NEW(made, arena, 1, diagnostic);
    *made = *graph;
    made->arena = arena;
    made->name = arena_text(arena, graph->name);
    TRY_MEMORY(made->name, diagnostic);
    TRY(copy_array(arena, graph->values, graph->value_count, sizeof *graph->values, &made->values,
                   &made->value_capacity, diagnostic));
    TRY(copy_array(arena, graph->nodes, graph->node_count, sizeof *graph->nodes, &made->nodes,
                   &made->node_capacity, diagnostic));
    TRY(copy_array(arena, graph->outputs, graph->output_count, sizeof *graph->outputs,
                   &made->outputs, &made->output_capacity, diagnostic));
    TRY(copy_names(made, diagnostic));
    *copy = made;
    return STATUS_OK;
}

/* Appends `value`; its name is copied. */
static status value_append(struct graph *graph, const struct value *value, int *number,
                           struct diagnostic *diagnostic)
{
    struct arena *arena = graph->arena;
    const char *name = value->name;
    if (!graph_name_legal(name))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "\"%.64s\" is not a name: use up to %d letters, digits and _ . / @ -", name,
                    GRAPH_NAME_BYTES_MAX);
    if (graph_find_value(graph, name) != VALUE_NONE)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s is there twice", name);
    if (graph->value_count >= GRAPH_VALUES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "more than %d values in graph %s",
                    GRAPH_VALUES_MAX, graph->name);
    struct diagnostic reason = {0};
    if (tensor_check(&value->type, &reason) != STATUS_OK)
        return fail(diagnostic, reason.code, "%s: %s", name, reason.text);
    name = arena_text(arena, name);
    TRY_MEMORY(name, diagnostic);
    TRY_APPEND(graph->values, graph->value_count, graph->value_capacity, arena, diagnostic);
    *number = graph->value_count - 1;
    graph->values[*number] = *value;
    graph->values[*number].name = name;
    graph->values[*number].source = value->kind == VALUE_WEIGHT ? name : NULL;
    if ((size_t)graph->value_count * 2 > graph->name_slot_count)
        return graph_index_names(graph, diagnostic);
    graph->name_slots[name_slot(graph, name)] = graph->value_count;
    return STATUS_OK;
}

status graph_add_value(struct graph *graph, enum value_kind kind, const char *name,
                       const struct tensor_type *type, int layer, int *value,
                       struct diagnostic *diagnostic)
{
    if (kind != VALUE_INPUT && kind != VALUE_WEIGHT && kind != VALUE_STATE)
        return fail(diagnostic, STATUS_BAD_INPUT, "%.64s: results are made by nodes", name);
    if (layer < -1 || layer >= GRAPH_LAYERS_MAX || (kind == VALUE_INPUT && layer != -1))
        return fail(diagnostic, STATUS_BAD_INPUT, "%.64s: %d is not a layer for it", name, layer);
    struct value made = {.name = name, .kind = kind, .type = *type, .producer = -1, .layer = layer};
    return value_append(graph, &made, value, diagnostic);
}

status graph_add_result(struct graph *graph, const char *name, const struct tensor_type *type,
                        int *value, struct diagnostic *diagnostic)
{
    struct value made = {
        .name = name, .kind = VALUE_RESULT, .type = *type, .producer = -1, .layer = -1};
    return value_append(graph, &made, value, diagnostic);
}

status graph_free_name(const struct graph *graph, const char *name, const char **free_name,
                       struct diagnostic *diagnostic)
{
    *free_name = name;
    for (int i = 2; graph_find_value(graph, *free_name) != VALUE_NONE; i++) {
        *free_name = arena_print(graph->arena, "%s.%d", name, i);
        TRY_MEMORY(*free_name, diagnostic);
    }
    return STATUS_OK;
}

status graph_append_node(struct graph *graph, const struct node *node,
                         struct diagnostic *diagnostic)
{
    if (graph->node_count >= GRAPH_NODES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "more than %d nodes in graph %s", GRAPH_NODES_MAX,
                    graph->name);
    TRY_APPEND(graph->nodes, graph->node_count, graph->node_capacity, graph->arena, diagnostic);
    int number = graph->node_count - 1;
    graph->nodes[number] = *node;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (node->outputs[o] != VALUE_NONE) graph->values[node->outputs[o]].producer = number;
    return STATUS_OK;
}

/* Makes output `o` of `node`, which is about to be appended. */
static status add_output_value(struct graph *graph, struct node *node, int o, const char *name,
                               const struct tensor_type *type, struct diagnostic *diagnostic)
{
    if (!name) {
        const char *own = arena_print(graph->arena, "%s.%d", node->op->name, graph->value_count);
        TRY_MEMORY(own, diagnostic);
        TRY(graph_free_name(graph, own, &name, diagnostic));
    }
    TRY(graph_add_result(graph, name, type, &node->outputs[o], diagnostic));
    graph->values[node->outputs[o]].device = node->device;
    return STATUS_OK;
}

status graph_add_node(struct graph *graph, const struct node *node, const char *const *output_names,
                      struct diagnostic *diagnostic)
{
    struct node made = *node;
    struct tensor_type types[OP_OUTPUTS_MAX];
    attributes_normalize(made.op, made.attributes);
    for (int i = op_input_count(made.op); i < OP_INPUTS_MAX; i++) made.inputs[i] = VALUE_NONE;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) made.outputs[o] = VALUE_NONE;
    if (made.layer < -1 || made.layer >= GRAPH_LAYERS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%d is not a layer", made.layer);
    if (made.device < 0 || made.device >= GRAPH_DEVICES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%d is not a device", made.device);
    TRY(node_infer(graph, &made, types, diagnostic));
    for (int o = 0; o < op_output_count(made.op); o++)
        if (types[o].rank)
            TRY(add_output_value(graph, &made, o, output_names ? output_names[o] : NULL, &types[o],
                                 diagnostic));
    if (made.layer >= graph->layer_count) graph->layer_count = made.layer + 1;
    return graph_append_node(graph, &made, diagnostic);
}

status graph_add_output(struct graph *graph, int value, struct diagnostic *diagnostic)
{
    if (value < 0 || value >= graph->value_count || graph->values[value].kind != VALUE_RESULT)
        return fail(diagnostic, STATUS_BAD_INPUT, "only results of nodes can be outputs");
    if (graph->output_count >= GRAPH_OUTPUTS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "more than %d outputs in graph %s",
                    GRAPH_OUTPUTS_MAX, graph->name);
    for (int o = 0; o < graph->output_count; o++)
        if (graph->outputs[o] == value)
            return fail(diagnostic, STATUS_BAD_INPUT, "%s is an output already",
                        graph->values[value].name);
    TRY_APPEND(graph->outputs, graph->output_count, graph->output_capacity, graph->arena,
               diagnostic);
    graph->outputs[graph->output_count - 1] = value;
    return STATUS_OK;
}

int graph_use_count(const struct graph *graph, int value)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++) count += graph->nodes[n].inputs[i] == value;
    for (int o = 0; o < graph->output_count; o++) count += graph->outputs[o] == value;
    return count;
}

int op_input_by_name(const struct op *op, const char *name)
{
    for (int i = 0; op->inputs[i].name; i++)
        if (!strcmp(op->inputs[i].name, name)) return i;
    return -1;
}

int node_find_input(const struct node *node, const char *name)
{
    int input = op_input_by_name(node->op, name);
    return input < 0 ? VALUE_NONE : node->inputs[input];
}

bool node_writes_state(const struct node *node)
{
    for (int i = 0; node->op->inputs[i].name; i++)
        if (node->op->inputs[i].written && node->inputs[i] != VALUE_NONE) return true;
    return false;
}
