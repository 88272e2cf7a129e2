/* Graphs as text; graph_parse.c reads it back. */
#include "ir/graph_edit.h"
#include "ir/scanner.h"

#include <inttypes.h>
#include <string.h>

/* The layer count that the parser would find without being told. */
static int layers_of_nodes(const struct graph *graph)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].layer >= count) count = graph->nodes[n].layer + 1;
    return count;
}

static void placement_print(int layer, int device, struct text *text)
{
    if (layer >= 0) text_print(text, " layer %d", layer);
    if (device > 0) text_print(text, " device %d", device);
}

static void value_print(const struct value *value, struct text *text)
{
    static const char *const kinds[] = {"input", "weight", "state", "result"};
    text_print(text, "%s %s: ", kinds[value->kind], value->name);
    tensor_print(&value->type, text);
    placement_print(value->layer, value->device, text);
    if (value->source && strcmp(value->source, value->name))
        text_print(text, " source %s", value->source);
    if (value->slice_whole)
        text_print(text, " slice %" PRId64 " %" PRId64, value->slice_first, value->slice_whole);
    text_append(text, "\n");
}

static void names_print(const struct graph *graph, const int *values, int count, struct text *text)
{
    for (int i = 0; i < count; i++) {
        if (i) text_append(text, ", ");
        text_append(text, values[i] == VALUE_NONE ? "_" : graph->values[values[i]].name);
    }
}

/* Without the absent ones at the end. */
static int output_name_count(const struct node *node)
{
    int count = op_output_count(node->op);
    while (count > 0 && node->outputs[count - 1] == VALUE_NONE) count--;
    return count;
}

void node_print(const struct graph *graph, const struct node *node, struct text *text)
{
    int outputs = output_name_count(node);
    names_print(graph, node->outputs, outputs, text);
    text_print(text, "%s%s(", outputs ? " = " : "", node->op->name);
    names_print(graph, node->inputs, op_input_count(node->op), text);
    text_append(text, ")");
    attributes_print(node->op, node->attributes, false, text);
    placement_print(node->layer, node->device, text);
}

void graph_print(const struct graph *graph, struct text *text)
{
    text_print(text, "graph %s", graph->name);
    if (graph->layer_count != layers_of_nodes(graph))
        text_print(text, " layers %d", graph->layer_count);
    text_append(text, "\n");
    for (int v = 0; v < graph->value_count; v++)
        if (graph->values[v].kind != VALUE_RESULT) value_print(&graph->values[v], text);
    for (int n = 0; n < graph->node_count; n++) {
        node_print(graph, &graph->nodes[n], text);
        text_append(text, "\n");
    }
    for (int o = 0; o < graph->output_count; o++)
        text_print(text, "output %s\n", graph->values[graph->outputs[o]].name);
}
