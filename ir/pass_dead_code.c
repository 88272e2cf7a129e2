/* Dead code.
 *
 * Requires: a legal graph.
 * Provides: every node reaches an output or writes a state; weights and states that no node uses
 * are gone, so that they are never loaded.  Inputs stay: they are the graph's face. */
#include "ir/graph_edit.h"
#include "ir/pass.h"

static bool node_is_live(const struct node *node, const bool *needed)
{
    if (node_writes_state(node)) return true;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (node->outputs[o] != VALUE_NONE && needed[node->outputs[o]]) return true;
    return false;
}

static status remove_dead(struct graph *graph, void *context, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    bool *needed, *keep;
    (void)context;
    TRY_NEW(needed, scratch, graph->value_count, diagnostic);
    TRY_NEW(keep, scratch, graph->node_count, diagnostic);
    for (int o = 0; o < graph->output_count; o++) needed[graph->outputs[o]] = true;
    for (int n = graph->node_count - 1; n >= 0; n--) {
        const struct node *node = &graph->nodes[n];
        keep[n] = node_is_live(node, needed);
        for (int i = 0; keep[n] && i < OP_INPUTS_MAX; i++)
            if (node->inputs[i] != VALUE_NONE) needed[node->inputs[i]] = true;
    }
    return graph_sweep(graph, keep, true, scratch, diagnostic);
}

status pass_dead_code(struct graph *graph, struct diagnostic *diagnostic)
{
    return pass_run(graph, remove_dead, NULL, diagnostic);
}
