/* The tools with which passes rewrite graphs. */
#include "ir/graph_edit.h"

#include <stdio.h>
#include <string.h>

bool node_is(const struct node *node, const char *op_name)
{
    return !strcmp(node->op->name, op_name);
}

bool node_is_launched(const struct node *node)
{
    return !node_is(node, "transfer") && !node_is(node, "resolve");
}

status pass_run(struct graph *graph, pass_body *body, void *context, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = body(graph, context, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}

const char *graph_name_in_layer(struct arena *arena, const char *name, int layer, int new_layer)
{
    char suffix[16];
    size_t length = strlen(name);
    size_t suffix_length = (size_t)snprintf(suffix, sizeof suffix, ".%d", layer);
    if (length > suffix_length && !strcmp(name + length - suffix_length, suffix))
        length -= suffix_length;
    return arena_print(arena, "%.*s.%d", (int)length, name, new_layer);
}

/* Visits every use: inputs of nodes in order. */
static void count_users(const struct graph *graph, int *starts)
{
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++)
            if (graph->nodes[n].inputs[i] != VALUE_NONE) starts[graph->nodes[n].inputs[i] + 1]++;
    for (int v = 0; v < graph->value_count; v++) starts[v + 1] += starts[v];
}

status graph_find_users(const struct graph *graph, struct arena *arena, struct graph_users *users,
                        struct diagnostic *diagnostic)
{
    int *next;
    TRY_NEW(users->starts, arena, graph->value_count + 1, diagnostic);
    count_users(graph, users->starts);
    TRY_NEW(users->users, arena, users->starts[graph->value_count], diagnostic);
    TRY_NEW(next, arena, graph->value_count, diagnostic);
    memcpy(next, users->starts, (size_t)graph->value_count * sizeof *next);
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++)
            if (graph->nodes[n].inputs[i] != VALUE_NONE)
                users->users[next[graph->nodes[n].inputs[i]]++] = n;
    return STATUS_OK;
}

/* New numbers, -1 for what goes. */
struct renumbering {
    int *nodes, *values;
};

static void mark_used(const struct graph *graph, const bool *keep, int *values)
{
    for (int n = 0; n < graph->node_count; n++) {
        if (!keep[n]) continue;
        for (int i = 0; i < OP_INPUTS_MAX; i++)
            if (graph->nodes[n].inputs[i] != VALUE_NONE) values[graph->nodes[n].inputs[i]] = 1;
    }
}

static void renumber(const struct graph *graph, const bool *keep, bool drop_unused,
                     struct renumbering *numbers)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++) numbers->nodes[n] = keep[n] ? count++ : -1;
    mark_used(graph, keep, numbers->values);
    count = 0;
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        bool stays = value->kind == VALUE_INPUT || !drop_unused || numbers->values[v];
        if (value->kind == VALUE_RESULT) stays = keep[value->producer];
        numbers->values[v] = stays ? count++ : -1;
    }
}

static void renumber_list(const struct renumbering *numbers, int *values, int count)
{
    for (int i = 0; i < count; i++)
        if (values[i] != VALUE_NONE) values[i] = numbers->values[values[i]];
}

static void move_values(struct graph *graph, const struct renumbering *numbers)
{
    int count = 0;
    for (int v = 0; v < graph->value_count; v++) {
        if (numbers->values[v] < 0) continue;
        struct value *value = &graph->values[count++];
        *value = graph->values[v];
        if (value->producer >= 0) value->producer = numbers->nodes[value->producer];
    }
    graph->value_count = count;
}

static void move_nodes(struct graph *graph, const struct renumbering *numbers)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++) {
        if (numbers->nodes[n] < 0) continue;
        struct node *node = &graph->nodes[count++];
        *node = graph->nodes[n];
        renumber_list(numbers, node->inputs, OP_INPUTS_MAX);
        renumber_list(numbers, node->outputs, OP_OUTPUTS_MAX);
    }
    graph->node_count = count;
}

status graph_sweep(struct graph *graph, const bool *keep, bool drop_unused, struct arena *scratch,
                   struct diagnostic *diagnostic)
{
    struct renumbering numbers;
    TRY_NEW(numbers.nodes, scratch, graph->node_count, diagnostic);
    TRY_NEW(numbers.values, scratch, graph->value_count, diagnostic);
    renumber(graph, keep, drop_unused, &numbers);
    move_values(graph, &numbers);
    move_nodes(graph, &numbers);
    renumber_list(&numbers, graph->outputs, graph->output_count);
    return graph_index_names(graph, diagnostic);
}
