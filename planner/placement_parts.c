/* Which part of a model each node of an unpartitioned graph belongs to.
 *
 * Within a layer: what comes up to the first linear behind the attention operator is ATTENTION (a layer without attention
 * has none); dispatch, the grouped operators, what works on their results, and combine are EXPERTS; the rest is DENSE. */
#include "planner/placement.h"

#include <string.h>

static bool is_op(const struct node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* The last node of the layer's attention part; -1: none. */
static int attention_end(const struct graph *graph, int first, int layer)
{
    bool attended = false;
    for (int n = first; n < graph->node_count && graph->nodes[n].layer == layer; n++) {
        attended = attended || is_op(&graph->nodes[n], "attention");
        if (attended && is_op(&graph->nodes[n], "linear")) return n;
    }
    return -1;
}

/* Between dispatch and combine. */
static bool is_expert_work(const struct graph *graph, const enum placement_part *parts, int n)
{
    const struct node *node = &graph->nodes[n];
    if (is_op(node, "dispatch") || is_op(node, "combine") ||
        strncmp(node->op->name, "grouped", 7) == 0)
        return true;
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        if (node->inputs[i] == VALUE_NONE) continue;
        int producer = graph->values[node->inputs[i]].producer;
        if (producer >= 0 && parts[producer] == PLACEMENT_EXPERTS &&
            !is_op(&graph->nodes[producer], "combine"))
            return true;
    }
    return false;
}

status placement_parts(const struct graph *graph, enum placement_part *parts,
                       struct diagnostic *diagnostic)
{
    int end = -1, layer = -1;
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        if (node->layer < -1 || node->layer >= graph->layer_count)
            return fail(diagnostic, STATUS_MISMATCH, "node %d is of layer %d, which there is not",
                        n, node->layer);
        if (node->layer < 0) {
            parts[n] = layer < 0 ? PLACEMENT_EMBED : PLACEMENT_OUTPUT;
            continue;
        }
        if (node->layer != layer) {
            layer = node->layer;
            end = attention_end(graph, n, layer);
        }
        parts[n] = n <= end                          ? PLACEMENT_ATTENTION
                   : is_expert_work(graph, parts, n) ? PLACEMENT_EXPERTS
                                                     : PLACEMENT_DENSE;
    }
    return STATUS_OK;
}
