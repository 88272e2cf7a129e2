/* Streaming weights.
 *
 * Requires: a legal, partitioned graph; streamed weights are used on devices other than their home.
 * Provides: each use of a streamed weight has a `transfer` of its own.  The transfers of a device stand in the order of their
 * users, each before the user of the one that is `ahead` transfers before it: memory planning then gives it room from there
 * to its user, and at most `ahead` + 1 of them are there at once. */
#include "ir/graph_edit.h"
#include "ir/pass.h"

struct fetch {
    int node, input; /* the user */
    int before;      /* the node that it stands before */
};

struct streaming {
    const bool *streamed;
    int home, ahead;
    const struct op *transfer;
    struct fetch *fetches; /* by `before`, then by user */
    int count;
    size_t capacity;
};

/* The user of the transfer of that device that is `ahead` before the new one of `user`; the graph's begin where there are
 * fewer. */
static int place_of(const struct streaming *streaming, const struct graph *graph, int user)
{
    int left = streaming->ahead;
    if (left == 0) return user;
    for (int f = streaming->count - 1; f >= 0; f--)
        if (graph->nodes[streaming->fetches[f].node].device == graph->nodes[user].device &&
            --left == 0)
            return streaming->fetches[f].node;
    return 0;
}

static status find_fetches(struct streaming *streaming, const struct graph *graph,
                           struct arena *scratch, struct diagnostic *diagnostic)
{
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        for (int i = 0; i < op_input_count(node->op); i++) {
            int value = node->inputs[i];
            if (value == VALUE_NONE || !streaming->streamed[value] ||
                node->device == streaming->home)
                continue;
            int before = place_of(streaming, graph, n);
            TRY_APPEND(streaming->fetches, streaming->count, streaming->capacity, scratch,
                       diagnostic);
            streaming->fetches[streaming->count - 1] = (struct fetch){n, i, before};
        }
    }
    return STATUS_OK;
}

static status add_fetch(struct graph *graph, const struct streaming *streaming,
                        const struct node *user, int input, int *made,
                        struct diagnostic *diagnostic)
{
    struct node node = {.op = streaming->transfer, .layer = user->layer, .device = user->device};
    int value = user->inputs[input];
    const char *name = arena_print(graph->arena, "%s@%d", graph->values[value].name, user->device);
    TRY_MEMORY(name, diagnostic);
    TRY(graph_free_name(graph, name, &name, diagnostic));
    attributes_default(node.op, node.attributes);
    for (int i = 0; i < OP_INPUTS_MAX; i++) node.inputs[i] = i ? VALUE_NONE : value;
    graph->values[value].device = streaming->home;
    TRY(graph_add_node(graph, &node, &name, diagnostic));
    *made = graph->nodes[graph->node_count - 1].outputs[0];
    return STATUS_OK;
}

/* The nodes again, with transfers between them. */
static status add_nodes(struct graph *graph, const struct streaming *streaming, struct node *nodes,
                        int node_count, struct diagnostic *diagnostic)
{
    graph->nodes = NULL;
    graph->node_count = 0;
    graph->node_capacity = 0;
    for (int n = 0; n < node_count; n++) {
        for (int f = 0; f < streaming->count; f++) {
            const struct fetch *fetch = &streaming->fetches[f];
            struct node *user = &nodes[fetch->node];
            if (fetch->before == n)
                TRY(add_fetch(graph, streaming, user, fetch->input, &user->inputs[fetch->input],
                              diagnostic));
        }
        TRY(graph_append_node(graph, &nodes[n], diagnostic));
    }
    return STATUS_OK;
}

static status stream(struct graph *graph, void *context, struct arena *scratch,
                     struct diagnostic *diagnostic)
{
    struct streaming *streaming = context;
    streaming->transfer = op_by_name(graph->ops, "transfer");
    if (!streaming->transfer)
        return fail(diagnostic, STATUS_FAILED, "graph %s has no operator to move values by",
                    graph->name);
    TRY(find_fetches(streaming, graph, scratch, diagnostic));
    return add_nodes(graph, streaming, graph->nodes, graph->node_count, diagnostic);
}

status pass_stream(struct graph *graph, const bool *streamed, int home, int ahead,
                   struct diagnostic *diagnostic)
{
    struct streaming streaming = {.streamed = streamed, .home = home, .ahead = ahead};
    return pass_run(graph, stream, &streaming, diagnostic);
}
