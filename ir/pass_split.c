/* Splitting over devices.
 *
 * Requires: a legal graph without transfers and before fusion, whose layers the request names.
 * Provides: every node on a device.  Nodes that are cut (split_cut.c) are there once per device that has a share, on slices
 * of their weights and states of their own; the others on their owner, and, where it costs no transfer, on every device that
 * shares the part, so that what comes next need not be moved.  Results of pieces are put together where somebody wants the
 * whole.  Inputs stay shared: the runtime puts them on every device. */
#include "ir/split.h"

#include <string.h>

static bool is_one_of(const char *op, const char *input, const char *const (*rows)[2], size_t count)
{
    for (size_t r = 0; r < count; r++)
        if (!strcmp(rows[r][0], op) && !strcmp(rows[r][1], input)) return true;
    return false;
}

/* Operands that fall into units along their first dimension. */
static bool is_sliced(const struct node *node, int input)
{
    static const char *const rows[][2] = {
        {"linear", "weight"},         {"linear", "bias"},       {"head_linear", "weight"},
        {"attention", "sinks"},       {"grouped_gated", "up"},  {"grouped_gated", "gate"},
        {"grouped_linear", "weight"}, {"grouped_bias", "bias"},
    };
    return is_one_of(node->op->name, node->op->inputs[input].name, rows,
                     sizeof rows / sizeof *rows);
}

/* Columns that the node reads all of though it is cut: a linear's input, one gate for all columns. */
static bool reads_all(const struct split *split, const struct node *node, int input)
{
    const struct value *values = split->from->values;
    const char *name = node->op->inputs[input].name;
    if (node_is(node, "linear")) return !strcmp(name, "x");
    if (node_is(node, "gate"))
        return tensor_columns(&values[node->inputs[input]].type) !=
               tensor_columns(&values[node->outputs[0]].type);
    if (node_is(node, "join") && strcmp(name, "tail")) return false;
    int shared = attribute_by_name(node->op, "shared");
    return shared >= 0 && node->attributes[shared].integer;
}

static status piece_input(struct split *split, const struct node *node, const struct cut *cut,
                          int input, int device, int *number, struct diagnostic *diagnostic)
{
    int value = node->inputs[input];
    const struct value *described = &split->from->values[value];
    if (is_sliced(node, input)) return split_weight(split, value, cut, device, number, diagnostic);
    bool local = split->value_cuts[value].kind != CUT_NONE;
    if (cut->kind == CUT_COLUMNS && described->kind == VALUE_RESULT)
        local = !reads_all(split, node, input);
    return local ? split_local(split, value, cut, node, device, number, diagnostic)
                 : split_whole(split, value, node, device, number, diagnostic);
}

/* Heads are counted per device; those of keys only where these are cut too. */
static void scale_attributes(const struct split *split, struct node *node, const struct node *from,
                             const struct cut *cut, const struct cut_share *share)
{
    static const char *const names[] = {"heads", "kv_heads"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int row = attribute_by_name(node->op, names[i]);
        int keys = node_find_input(from, "k_state");
        if (row < 0 || (i == 1 && !split->value_cuts[keys].kind)) continue;
        node->attributes[row].integer = node->attributes[row].integer / cut->units * share->count;
    }
    if (!node_is(node, "dispatch") || share->count == cut->units) return;
    node->attributes[attribute_by_name(node->op, "first")].integer = share->first;
    node->attributes[attribute_by_name(node->op, "own")].integer = share->count;
}

/* The first of a result's copies has its name. */
static status name_outputs(struct split *split, const struct node *node, bool piece, int device,
                           const char **names, struct diagnostic *diagnostic)
{
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        names[o] = NULL;
        if (node->outputs[o] == VALUE_NONE) continue;
        names[o] = split->from->values[node->outputs[o]].name;
        if (!piece && graph_find_value(split->to, names[o]) == VALUE_NONE) continue;
        names[o] = arena_print(split->to->arena, "%s@%d", names[o], device);
        TRY_MEMORY(names[o], diagnostic);
        TRY(graph_free_name(split->to, names[o], &names[o], diagnostic));
    }
    return STATUS_OK;
}

static status append(struct split *split, const struct node *from, struct node *node, bool piece,
                     struct diagnostic *diagnostic)
{
    const char *names[OP_OUTPUTS_MAX];
    TRY(name_outputs(split, from, piece, node->device, names, diagnostic));
    TRY(graph_add_node(split->to, node, names, diagnostic));
    const struct node *made = &split->to->nodes[split->to->node_count - 1];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        if (from->outputs[o] == VALUE_NONE) continue;
        bool cut = split->value_cuts[from->outputs[o]].kind != CUT_NONE;
        *split_slot(split, cut ? split->local : split->whole, from->outputs[o], node->device) =
            made->outputs[o] + 1;
    }
    return STATUS_OK;
}

static status emit_piece(struct split *split, int n, int device, struct diagnostic *diagnostic)
{
    const struct node *from = &split->from->nodes[n];
    const struct cut *cut = &split->node_cuts[n];
    struct cut_share share = cut_share_of(cut, split->request->device_count, device);
    struct node node = *from;
    if (!share.count) return STATUS_OK;
    node.device = device;
    for (int i = 0; i < op_input_count(node.op); i++)
        if (from->inputs[i] != VALUE_NONE)
            TRY(piece_input(split, from, cut, i, device, &node.inputs[i], diagnostic));
    scale_attributes(split, &node, from, cut, &share);
    return append(split, from, &node, true, diagnostic);
}

static status emit_whole(struct split *split, int n, int device, struct diagnostic *diagnostic)
{
    const struct node *from = &split->from->nodes[n];
    struct node node = *from;
    node.device = device;
    for (int i = 0; i < op_input_count(node.op); i++)
        if (from->inputs[i] != VALUE_NONE)
            TRY(split_whole(split, from->inputs[i], from, device, &node.inputs[i], diagnostic));
    return append(split, from, &node, false, diagnostic);
}

static bool is_worth_repeating(const struct split *split, int n, int device)
{
    const struct node *node = &split->from->nodes[n];
    if (!split_is_cheap(node)) return false;
    for (int i = 0; i < op_input_count(node->op); i++)
        if (node->inputs[i] != VALUE_NONE && !split_is_near(split, node->inputs[i], device))
            return false;
    return true;
}

static status emit(struct split *split, int n, struct diagnostic *diagnostic)
{
    const struct split_part *part = split->node_parts[n];
    int devices = split->request->device_count, owner = split_part_owner(part, devices);
    if (!split->node_cuts[n].kind) TRY(emit_whole(split, n, owner, diagnostic));
    for (int d = 0; d < devices; d++) {
        if (split->node_cuts[n].kind)
            TRY(emit_piece(split, n, d, diagnostic));
        else if (d != owner && part->shares && part->shares[d] > 0 &&
                 (split->everywhere[n] || is_worth_repeating(split, n, d)))
            TRY(emit_whole(split, n, d, diagnostic));
    }
    return STATUS_OK;
}

static status add_inputs(struct split *split, struct diagnostic *diagnostic)
{
    for (int v = 0; v < split->from->value_count; v++) {
        const struct value *value = &split->from->values[v];
        int number;
        if (value->kind != VALUE_INPUT) continue;
        TRY(graph_add_value(split->to, VALUE_INPUT, value->name, &value->type, -1, &number,
                            diagnostic));
        for (int d = 0; d < split->request->device_count; d++)
            *split_slot(split, split->whole, v, d) = number + 1;
    }
    return STATUS_OK;
}

static status add_outputs(struct split *split, struct diagnostic *diagnostic)
{
    const struct split_request *request = split->request;
    int owner = split_part_owner(&request->after, request->device_count), number;
    for (int o = 0; o < split->from->output_count; o++) {
        const struct node user = {.layer = -1};
        TRY(split_whole(split, split->from->outputs[o], &user, owner, &number, diagnostic));
        TRY(graph_add_output(split->to, number, diagnostic));
    }
    return STATUS_OK;
}

static status check_part(const struct split_request *request, const struct split_part *part,
                         struct diagnostic *diagnostic)
{
    bool any = !part->shares;
    bool legal = part->owner >= 0 && part->owner < request->device_count;
    for (int d = 0; part->shares && d < request->device_count; d++) {
        legal = legal && part->shares[d] >= 0 && part->shares[d] <= 1e6;
        any = any || part->shares[d] > 0;
    }
    if (legal && any) return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE,
                "the shares of the devices must be 0 to 1e6, and one of them above 0");
}

static status check_request(const struct graph *graph, const struct split_request *request,
                            struct diagnostic *diagnostic)
{
    if (request->device_count < 1 || request->device_count > GRAPH_DEVICES_MAX)
        return fail(diagnostic, STATUS_USAGE, "%d devices; Hone takes 1 to %d",
                    request->device_count, GRAPH_DEVICES_MAX);
    if (request->layer_count != graph->layer_count)
        return fail(diagnostic, STATUS_FAILED, "shares of %d layers were given; the graph has %d",
                    request->layer_count, graph->layer_count);
    TRY(check_part(request, &request->before, diagnostic));
    TRY(check_part(request, &request->after, diagnostic));
    for (int l = 0; l < request->layer_count; l++) {
        TRY(check_part(request, &request->layers[l].attention, diagnostic));
        TRY(check_part(request, &request->layers[l].dense, diagnostic));
        TRY(check_part(request, &request->layers[l].experts, diagnostic));
    }
    for (int n = 0; n < graph->node_count; n++)
        if (node_is(&graph->nodes[n], "transfer"))
            return fail(diagnostic, STATUS_FAILED, "graph %s is partitioned already", graph->name);
    return STATUS_OK;
}

static status split_graph(struct graph *graph, void *context, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    const struct split_request *request = context;
    struct split split = {.from = graph, .request = request, .scratch = scratch};
    int slots = graph->value_count * request->device_count;
    TRY(check_request(graph, request, diagnostic));
    TRY(graph_create(graph->arena, graph->name, graph->ops, &split.to, diagnostic));
    TRY_NEW(split.whole, scratch, slots, diagnostic);
    TRY_NEW(split.local, scratch, slots, diagnostic);
    TRY(split_find_cuts(&split, diagnostic));
    TRY(add_inputs(&split, diagnostic));
    for (int n = 0; n < graph->node_count; n++) TRY(emit(&split, n, diagnostic));
    TRY(add_outputs(&split, diagnostic));
    split.to->layer_count = graph->layer_count;
    *graph = *split.to;
    return STATUS_OK;
}

status pass_split(struct graph *graph, const struct split_request *request,
                  struct diagnostic *diagnostic)
{
    struct split_request own = *request;
    TRY(pass_run(graph, split_graph, &own, diagnostic));
    return pass_dead_code(graph, diagnostic);
}
