/* What a legal graph is.  Runs between passes and on every graph from a file. */
#include "ir/graph_edit.h"

#include <stdio.h>
#include <string.h>

/* Messages begin with the node: "node 5 (rmsnorm): ", without a number when it is not in the graph
 * yet. */
static status node_fail(const struct graph *graph, const struct node *node, const char *message,
                        struct diagnostic *diagnostic)
{
    uintptr_t offset_bytes = (uintptr_t)node - (uintptr_t)graph->nodes;
    if (offset_bytes >= (size_t)graph->node_count * sizeof *node)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: %s", node->op->name, message);
    return fail(diagnostic, STATUS_BAD_INPUT, "node %zu (%s): %s", offset_bytes / sizeof *node,
                node->op->name, message);
}

static status operand_fail(const struct graph *graph, const struct node *node, int input,
                           const char *message, struct diagnostic *diagnostic)
{
    char text[160];
    snprintf(text, sizeof text, "operand %s %s", node->op->inputs[input].name, message);
    return node_fail(graph, node, text, diagnostic);
}

static bool op_known(const struct graph *graph, const struct op *op)
{
    for (int i = 0; graph->ops[i]; i++)
        if (graph->ops[i] == op) return true;
    return false;
}

static status node_check_operands(const struct graph *graph, const struct node *node,
                                  struct diagnostic *diagnostic)
{
    int count = op_input_count(node->op);
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        int value = node->inputs[i];
        if (i >= count && value != VALUE_NONE)
            return node_fail(graph, node, "has too many operands", diagnostic);
        if (i >= count) continue;
        if (value < VALUE_NONE || value >= graph->value_count)
            return operand_fail(graph, node, i, "is no value of the graph", diagnostic);
        if (value == VALUE_NONE && !node->op->inputs[i].optional)
            return operand_fail(graph, node, i, "is missing", diagnostic);
        if (value != VALUE_NONE && node->op->inputs[i].written &&
            graph->values[value].kind != VALUE_STATE)
            return operand_fail(graph, node, i, "is written, so it must be a state", diagnostic);
    }
    return STATUS_OK;
}

status node_infer(const struct graph *graph, const struct node *node,
                  struct tensor_type types[OP_OUTPUTS_MAX], struct diagnostic *diagnostic)
{
    const struct tensor_type *inputs[OP_INPUTS_MAX] = {0};
    struct diagnostic reason = {0};
    if (!op_known(graph, node->op))
        return fail(diagnostic, STATUS_BAD_INPUT, "graph %s does not have this operator",
                    graph->name);
    TRY(node_check_operands(graph, node, diagnostic));
    if (attributes_check(node->op, node->attributes, &reason) != STATUS_OK)
        return node_fail(graph, node, reason.text, diagnostic);
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node->inputs[i] != VALUE_NONE) inputs[i] = &graph->values[node->inputs[i]].type;
    memset(types, 0, OP_OUTPUTS_MAX * sizeof *types);
    if (node->op->infer(node->attributes, inputs, types, &reason) != STATUS_OK)
        return fail(diagnostic, reason.code, "%s", reason.text); /* names the operator itself */
    for (int o = 0; o < op_output_count(node->op); o++)
        if (types[o].rank && tensor_check(&types[o], &reason) != STATUS_OK)
            return node_fail(graph, node, reason.text, diagnostic);
    return STATUS_OK;
}

/* A slice has whole rows, or experts, within its source. */
static status verify_slice(const struct value *value, struct diagnostic *diagnostic)
{
    if (!value->slice_whole && !value->slice_first) return STATUS_OK;
    if (value->kind == VALUE_WEIGHT && value->type.shape[0].symbol == SYMBOL_NONE &&
        value->slice_first >= 0 && value->slice_first < value->slice_whole &&
        value->type.shape[0].scale <= value->slice_whole - value->slice_first)
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%s is no slice of its source", value->name);
}

static status verify_value(const struct graph *graph, int v, struct diagnostic *diagnostic)
{
    const struct value *value = &graph->values[v];
    struct diagnostic reason = {0};
    if (!value->name || !graph_name_legal(value->name))
        return fail(diagnostic, STATUS_BAD_INPUT, "value %d has no legal name", v);
    if (graph_find_value(graph, value->name) != v)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s is there twice", value->name);
    if ((unsigned)value->kind > VALUE_RESULT)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s has no known kind", value->name);
    if (tensor_check(&value->type, &reason) != STATUS_OK)
        return fail(diagnostic, reason.code, "%s: %s", value->name, reason.text);
    if ((value->kind == VALUE_RESULT) !=
        (value->producer >= 0 && value->producer < graph->node_count))
        return fail(diagnostic, STATUS_BAD_INPUT, "%s has no proper producer", value->name);
    if (value->device < 0 || value->device >= GRAPH_DEVICES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s is on no device", value->name);
    if (value->layer < -1 || value->layer >= GRAPH_LAYERS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s has no legal layer", value->name);
    if ((value->kind == VALUE_WEIGHT) != (value->source != NULL))
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: a weight, and nothing else, has a source",
                    value->name);
    return verify_slice(value, diagnostic);
}

/* Every operand is there before the node, and on its device. */
static status verify_inputs(const struct graph *graph, int n, struct diagnostic *diagnostic)
{
    const struct node *node = &graph->nodes[n];
    for (int i = 0; i < op_input_count(node->op); i++) {
        if (node->inputs[i] == VALUE_NONE) continue;
        const struct value *value = &graph->values[node->inputs[i]];
        if (value->kind == VALUE_RESULT && value->producer >= n)
            return operand_fail(graph, node, i, "is used before it is made", diagnostic);
        if (value->kind != VALUE_INPUT && value->device != node->device &&
            !node_is(node, "transfer"))
            return operand_fail(graph, node, i, "is on another device", diagnostic);
    }
    return STATUS_OK;
}

static status verify_outputs(const struct graph *graph, int n, struct diagnostic *diagnostic)
{
    const struct node *node = &graph->nodes[n];
    struct tensor_type types[OP_OUTPUTS_MAX];
    TRY(node_infer(graph, node, types, diagnostic));
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        int v = node->outputs[o];
        bool expected = o < op_output_count(node->op) && types[o].rank;
        if (expected != (v != VALUE_NONE) || v < VALUE_NONE || v >= graph->value_count)
            return node_fail(graph, node, "has the wrong results", diagnostic);
        if (!expected) continue;
        const struct value *value = &graph->values[v];
        if (value->producer != n || value->device != node->device)
            return node_fail(graph, node, "has a result that is not its own", diagnostic);
        for (int other = 0; other < o; other++)
            if (node->outputs[other] == v)
                return node_fail(graph, node, "has a result twice", diagnostic);
        if (!tensor_type_equal(&value->type, &types[o]))
            return node_fail(graph, node, "has a result of another type", diagnostic);
    }
    return STATUS_OK;
}

static status verify_node(const struct graph *graph, int n, struct diagnostic *diagnostic)
{
    const struct node *node = &graph->nodes[n];
    if (!node->op || !op_known(graph, node->op))
        return fail(diagnostic, STATUS_BAD_INPUT, "node %d has no known operator", n);
    if (node->layer < -1 || node->layer >= graph->layer_count)
        return node_fail(graph, node, "is in no layer of the graph", diagnostic);
    if (node->device < 0 || node->device >= GRAPH_DEVICES_MAX)
        return node_fail(graph, node, "is on no device", diagnostic);
    TRY(verify_outputs(graph, n, diagnostic));
    return verify_inputs(graph, n, diagnostic);
}

/* Producers point at nodes; the nodes must point back. */
static status verify_producer(const struct graph *graph, int v, struct diagnostic *diagnostic)
{
    const struct value *value = &graph->values[v];
    if (value->kind != VALUE_RESULT) return STATUS_OK;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (graph->nodes[value->producer].outputs[o] == v) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%s is not made by its producer", value->name);
}

status graph_verify(const struct graph *graph, struct diagnostic *diagnostic)
{
    if (graph->value_count > GRAPH_VALUES_MAX || graph->node_count > GRAPH_NODES_MAX ||
        graph->output_count > GRAPH_OUTPUTS_MAX || graph->layer_count < 0 ||
        graph->layer_count > GRAPH_LAYERS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "graph %s is too large", graph->name);
    for (int v = 0; v < graph->value_count; v++) TRY(verify_value(graph, v, diagnostic));
    for (int n = 0; n < graph->node_count; n++) TRY(verify_node(graph, n, diagnostic));
    for (int v = 0; v < graph->value_count; v++) TRY(verify_producer(graph, v, diagnostic));
    for (int o = 0; o < graph->output_count; o++) {
        int v = graph->outputs[o];
        if (v < 0 || v >= graph->value_count || graph->values[v].kind != VALUE_RESULT)
            return fail(diagnostic, STATUS_BAD_INPUT, "output %d is not a result", o);
        for (int other = 0; other < o; other++)
            if (graph->outputs[other] == v)
                return fail(diagnostic, STATUS_BAD_INPUT, "%s is an output twice",
                            graph->values[v].name);
    }
    return STATUS_OK;
}
