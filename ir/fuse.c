/* Replacing nodes by one that does their work, where that is legal (ir/fuse.h). */
#include "ir/fuse.h"

#include <string.h>

bool fuse_begin(const struct fuser *fuser, const char *op_name, struct fusion *fusion)
{
    memset(fusion, 0, sizeof *fusion);
    fusion->node.op = op_by_name(fuser->graph->ops, op_name);
    if (!fusion->node.op) return false;
    attributes_default(fusion->node.op, fusion->node.attributes);
    for (int i = 0; i < OP_INPUTS_MAX; i++) fusion->node.inputs[i] = VALUE_NONE;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) fusion->node.outputs[o] = VALUE_NONE;
    return true;
}

void fuse_add_member(struct fusion *fusion, int node)
{
    fusion->members[fusion->member_count++] = node;
}

bool fuse_input(struct fusion *fusion, const char *name, int value)
{
    int input = op_input_by_name(fusion->node.op, name);
    if (input < 0) return value == VALUE_NONE;
    fusion->node.inputs[input] = value;
    return true;
}

/* Choices are matched by their words, which two operators may number differently. */
static bool copy_attribute(struct node *to, const struct node *from, int row)
{
    const struct attribute_rule *rule = &from->op->attributes[row];
    int target = attribute_by_name(to->op, rule->name);
    if (target < 0) return attribute_is_default(from->op, from->attributes, row);
    const struct attribute_rule *target_rule = &to->op->attributes[target];
    if (target_rule->kind != rule->kind) return false;
    to->attributes[target] = from->attributes[row];
    if (rule->kind != ATTRIBUTE_CHOICE) return true;
    const char *word = rule->choices[from->attributes[row].integer];
    for (int c = 0; target_rule->choices[c]; c++) {
        if (strcmp(target_rule->choices[c], word)) continue;
        to->attributes[target].integer = c;
        return true;
    }
    return false;
}

bool fuse_attributes(struct fusion *fusion, const struct node *source)
{
    for (int a = 0; a < op_attribute_count(source->op); a++)
        if (!copy_attribute(&fusion->node, source, a)) return false;
    return true;
}

bool fuse_is_plain(const struct node *node)
{
    for (int a = 0; a < op_attribute_count(node->op); a++)
        if (!attribute_is_default(node->op, node->attributes, a)) return false;
    return true;
}

static int living_node(const struct fuser *fuser, int node)
{
    while (fuser->dead[node]) node = fuser->moved_to[node];
    return node;
}

int fuse_producer(const struct fuser *fuser, int value, const char *op_name)
{
    if (value == VALUE_NONE || fuser->graph->values[value].kind != VALUE_RESULT) return -1;
    int node = fuser->graph->values[value].producer;
    return node_is(&fuser->graph->nodes[node], op_name) ? node : -1;
}

int fuse_user(const struct fuser *fuser, int value, int u)
{
    int at = fuser->users.starts[value] + u;
    return at < fuser->users.starts[value + 1] ? living_node(fuser, fuser->users.users[at]) : -1;
}

static bool is_member(const struct fusion *fusion, int node)
{
    for (int m = 0; m < fusion->member_count; m++)
        if (fusion->members[m] == node) return true;
    return false;
}

static bool is_result(const struct fusion *fusion, int value)
{
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (fusion->node.outputs[o] == value) return true;
    return false;
}

/* A value that members make and the joined node does not must have no user but members. */
static bool hides_nothing(const struct fuser *fuser, const struct fusion *fusion, int member)
{
    const struct node *node = &fuser->graph->nodes[member];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        int v = node->outputs[o];
        if (v == VALUE_NONE || is_result(fusion, v)) continue;
        if (fuser->is_output[v]) return false;
        for (int u = 0, user; (user = fuse_user(fuser, v, u)) >= 0; u++)
            if (!is_member(fusion, user)) return false;
    }
    return true;
}

static bool uses_state_of(const struct graph *graph, const struct node *node,
                          const struct node *other)
{
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        if (node->inputs[i] == VALUE_NONE) continue;
        if (graph->values[node->inputs[i]].kind != VALUE_STATE) continue;
        for (int j = 0; j < OP_INPUTS_MAX; j++)
            if (other->inputs[j] == node->inputs[i]) return true;
    }
    return false;
}

/* Moving `member` to `position` must not pass a node that works on the same state. */
static bool keeps_state_order(const struct fuser *fuser, const struct fusion *fusion, int member,
                              int position)
{
    const struct graph *graph = fuser->graph;
    int begin = member < position ? member : position, end = member < position ? position : member;
    for (int n = begin + 1; n < end; n++)
        if (!fuser->dead[n] && !is_member(fusion, n) &&
            uses_state_of(graph, &graph->nodes[member], &graph->nodes[n]))
            return false;
    return true;
}

/* Operands are made before `position`, results used after it. */
static bool position_is_legal(const struct fuser *fuser, const struct fusion *fusion, int position)
{
    const struct graph *graph = fuser->graph;
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        int v = fusion->node.inputs[i];
        if (v != VALUE_NONE && graph->values[v].kind == VALUE_RESULT &&
            graph->values[v].producer >= position)
            return false;
    }
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        int v = fusion->node.outputs[o];
        for (int u = 0, user; v != VALUE_NONE && (user = fuse_user(fuser, v, u)) >= 0; u++)
            if (user <= position && !is_member(fusion, user)) return false;
    }
    for (int m = 0; m < fusion->member_count; m++)
        if (!keeps_state_order(fuser, fusion, fusion->members[m], position)) return false;
    return true;
}

/* The latest member's place that is legal, or -1. */
static int find_position(const struct fuser *fuser, const struct fusion *fusion)
{
    int best = -1;
    for (int m = 0; m < fusion->member_count; m++)
        if (fusion->members[m] > best && position_is_legal(fuser, fusion, fusion->members[m]))
            best = fusion->members[m];
    return best;
}

static bool types_stay(const struct fuser *fuser, const struct fusion *fusion)
{
    struct tensor_type types[OP_OUTPUTS_MAX];
    struct diagnostic refused = {0}; /* not fitting is no failure */
    if (node_infer(fuser->graph, &fusion->node, types, &refused) != STATUS_OK) return false;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        int v = fusion->node.outputs[o];
        if ((v != VALUE_NONE) != (types[o].rank > 0)) return false;
        if (v != VALUE_NONE && !tensor_type_equal(&types[o], &fuser->graph->values[v].type))
            return false;
    }
    return true;
}

static bool members_fit(const struct fuser *fuser, const struct fusion *fusion)
{
    const struct node *nodes = fuser->graph->nodes;
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        int v = fusion->node.inputs[i];
        if (v != VALUE_NONE && is_member(fusion, fuser->graph->values[v].producer)) return false;
    }
    for (int m = 0; m < fusion->member_count; m++) {
        int member = fusion->members[m];
        if (fuser->dead[member] || !hides_nothing(fuser, fusion, member)) return false;
        if (nodes[member].device != nodes[fusion->members[0]].device) return false;
    }
    return true;
}

/* All members but the one at `position` are dead.  The values between them are left to one of the
 * dead, so that the sweep takes them away. */
static void bury_members(struct fuser *fuser, const struct fusion *fusion, int position)
{
    struct graph *graph = fuser->graph;
    int grave = fusion->members[fusion->members[0] == position];
    for (int m = 0; m < fusion->member_count; m++) {
        int member = fusion->members[m];
        fuser->dead[member] = member != position;
        fuser->moved_to[member] = position;
        for (int o = 0; o < OP_OUTPUTS_MAX; o++)
            if (graph->nodes[member].outputs[o] != VALUE_NONE)
                graph->values[graph->nodes[member].outputs[o]].producer = grave;
    }
}

status fuse_replace(struct fuser *fuser, struct fusion *fusion)
{
    struct graph *graph = fuser->graph;
    if (!members_fit(fuser, fusion)) return STATUS_OK;
    int position = find_position(fuser, fusion);
    if (position < 0) return STATUS_OK;
    fusion->node.layer = graph->nodes[position].layer;
    fusion->node.device = graph->nodes[position].device;
    attributes_normalize(fusion->node.op, fusion->node.attributes);
    if (!types_stay(fuser, fusion)) return STATUS_OK;
    const struct fuse_filter *filter = fuser->filter;
    if (filter && !filter->allows(filter->context, graph, &fusion->node)) return STATUS_OK;
    bury_members(fuser, fusion, position);
    graph->nodes[position] = fusion->node;
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (fusion->node.outputs[o] != VALUE_NONE)
            graph->values[fusion->node.outputs[o]].producer = position;
    fusion->done = true;
    return STATUS_OK;
}
