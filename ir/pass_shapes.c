/* Shape inference.
 *
 * Requires: types of inputs, weights and states are right; order, operands and attributes are
 * legal. Provides: the types of all results are what the operators make of their operands. */
#include "ir/graph_edit.h"
#include "ir/pass.h"

status pass_shapes(struct graph *graph, struct diagnostic *diagnostic)
{
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        struct tensor_type types[OP_OUTPUTS_MAX];
        TRY(node_infer(graph, node, types, diagnostic));
        for (int o = 0; o < op_output_count(node->op); o++) {
            int v = node->outputs[o];
            if ((v != VALUE_NONE) != (types[o].rank > 0))
                return fail(diagnostic, STATUS_BAD_INPUT,
                            "node %d (%s): whether it has result %s changed with its operands", n,
                            node->op->name, node->op->outputs[o]);
            if (v != VALUE_NONE) graph->values[v].type = types[o];
        }
    }
    return STATUS_OK;
}
