/* Rotation of states.
 *
 * Requires: a legal graph before fusion, whose states are written by `append` and read by
 * `attention`. Provides: what is appended goes through `hadamard`, and so do the queries of every
 * attention and its results.  The matrix H is symmetric and its own inverse, so (H q) . (H k) =
 * q . k and H (sum of p H v) = sum of p v: only the rounding of what is stored changes.  An element
 * of a rotated head is a mean over the head, which has no outliers of its own (QuaRot, Ashkboos et
 * al. 2024); a block of a coarse type then wastes no range on one of them.
 *
 * A head of s elements is rotated in stretches of the largest power of two that divides s. */
#include "ir/graph_edit.h"
#include "ir/pass.h"

struct rotation_plan {
    const struct op *hadamard;
    int64_t *sizes; /* per value: of the stretches of this state; 0: not rotated */
};

static int64_t attribute_of(const struct node *node, const char *name)
{
    int row = attribute_by_name(node->op, name);
    return row < 0 ? 0 : node->attributes[row].integer;
}

static int64_t power_within(int64_t size)
{
    return size & -size;
}

static status set_size(const struct graph *graph, const struct rotation_plan *plan, int state,
                       int64_t size, struct diagnostic *diagnostic)
{
    const char *name = graph->values[state].name;
    if (size < 2)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "the heads of %s have an odd size and cannot be rotated; leave \",rotate\" out",
                    name);
    if (plan->sizes[state] && plan->sizes[state] != size)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%s is read as heads of different sizes and cannot be rotated", name);
    plan->sizes[state] = size;
    return STATUS_OK;
}

/* Values that lie within the keys are rotated with them, in stretches that divide both. */
static status measure_attention(const struct graph *graph, const struct rotation_plan *plan,
                                const struct node *node, struct diagnostic *diagnostic)
{
    int64_t head = attribute_of(node, "head_size"), value = attribute_of(node, "value_size");
    if (!value) value = head;
    int64_t key_size = power_within(head), value_size = power_within(value);
    if (attribute_of(node, "values_in_keys"))
        key_size = value_size = key_size < value_size ? key_size : value_size;
    TRY(set_size(graph, plan, node_find_input(node, "k_state"), key_size, diagnostic));
    return set_size(graph, plan, node_find_input(node, "v_state"), value_size, diagnostic);
}

static status rotation_node(const struct rotation_plan *plan, const struct node *user, int64_t size,
                            int input, struct node *node, struct diagnostic *diagnostic)
{
    *node = (struct node){.op = plan->hadamard, .layer = user->layer, .device = user->device};
    for (int i = 0; i < OP_INPUTS_MAX; i++) node->inputs[i] = VALUE_NONE;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) node->outputs[o] = VALUE_NONE;
    node->inputs[0] = input;
    int row = attribute_by_name(plan->hadamard, "size");
    if (row < 0) return fail(diagnostic, STATUS_FAILED, "hadamard has no attribute size");
    attributes_default(plan->hadamard, node->attributes);
    node->attributes[row].integer = size;
    return STATUS_OK;
}

/* Input `name` of `node` becomes its rotation. */
static status rotate_input(struct graph *graph, const struct rotation_plan *plan, struct node *node,
                           const char *name, int64_t size, struct diagnostic *diagnostic)
{
    int input = op_input_by_name(node->op, name);
    struct node rotation;
    const char *rotated;
    TRY(rotation_node(plan, node, size, node->inputs[input], &rotation, diagnostic));
    rotated = arena_print(graph->arena, "%s.rotated", graph->values[node->inputs[input]].name);
    TRY_MEMORY(rotated, diagnostic);
    TRY(graph_free_name(graph, rotated, &rotated, diagnostic));
    TRY(graph_add_node(graph, &rotation, &rotated, diagnostic));
    node->inputs[input] = graph->nodes[graph->node_count - 1].outputs[0];
    return STATUS_OK;
}

/* The node's own result keeps its name, behind the rotation. */
static status rotate_output(struct graph *graph, const struct rotation_plan *plan,
                            struct node *node, int64_t size, struct diagnostic *diagnostic)
{
    int original = node->outputs[0];
    struct node rotation;
    const char *name = arena_print(graph->arena, "%s.rotated", graph->values[original].name);
    TRY_MEMORY(name, diagnostic);
    TRY(graph_free_name(graph, name, &name, diagnostic));
    TRY(graph_add_result(graph, name, &graph->values[original].type, &node->outputs[0],
                         diagnostic));
    TRY(graph_append_node(graph, node, diagnostic));
    TRY(rotation_node(plan, node, size, node->outputs[0], &rotation, diagnostic));
    rotation.outputs[0] = original;
    return graph_append_node(graph, &rotation, diagnostic);
}

static status rotate_node(struct graph *graph, const struct rotation_plan *plan, struct node node,
                          struct diagnostic *diagnostic)
{
    if (node_is(&node, "append")) {
        int64_t size = plan->sizes[node_find_input(&node, "state")];
        if (size) TRY(rotate_input(graph, plan, &node, "x", size, diagnostic));
        return graph_append_node(graph, &node, diagnostic);
    }
    if (!node_is(&node, "attention")) return graph_append_node(graph, &node, diagnostic);
    int64_t key_size = plan->sizes[node_find_input(&node, "k_state")];
    int64_t value_size = plan->sizes[node_find_input(&node, "v_state")];
    TRY(rotate_input(graph, plan, &node, "q", key_size, diagnostic));
    return rotate_output(graph, plan, &node, value_size, diagnostic);
}

static status rotate_states(struct graph *graph, void *context, struct arena *scratch,
                            struct diagnostic *diagnostic)
{
    struct rotation_plan *plan = context;
    const struct node *nodes = graph->nodes;
    int node_count = graph->node_count;
    TRY_NEW(plan->sizes, scratch, graph->value_count, diagnostic);
    for (int n = 0; n < node_count; n++)
        if (node_is(&nodes[n], "attention"))
            TRY(measure_attention(graph, plan, &nodes[n], diagnostic));
    for (int n = 0; n < node_count; n++)
        if (node_is(&nodes[n], "rope_append"))
            return fail(diagnostic, STATUS_FAILED, "graph %s is fused already", graph->name);
    graph->nodes = NULL;
    graph->node_count = 0;
    graph->node_capacity = 0;
    for (int n = 0; n < node_count; n++) TRY(rotate_node(graph, plan, nodes[n], diagnostic));
    return STATUS_OK;
}

status pass_rotate_states(struct graph *graph, struct diagnostic *diagnostic)
{
    struct rotation_plan plan = {.hadamard = op_by_name(graph->ops, "hadamard")};
    if (!plan.hadamard)
        return fail(diagnostic, STATUS_FAILED, "graph %s has no operator to rotate by",
                    graph->name);
    TRY(pass_run(graph, rotate_states, &plan, diagnostic));
    return graph_verify(graph, diagnostic);
}
