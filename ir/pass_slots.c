/* Slots for experts on cards.
 *
 * Requires: a legal, partitioned graph before fusion, each layer's experts whole on one device.
 * Provides: where these are a card's, the card has the weights of `slots` experts only (a slice, that of the first ones, which
 * is what its slots hold at the start), and the host all of them. Every `dispatch` sorts places instead of experts: a
 * `resolve` on the host says for each assignment which slot has its expert, or that the host computes it. What works on sorted
 * rows is there twice, on the card for slots and on the host for the rest, each giving zeros for the other's rows; their sum
 * is what it was, bit for bit, as the order of the rows is the same on both.
 *
 *     card:  route -> ids     places -> dispatch (own: slots)   -> grouped ... -> y -> add -> combine
 *     host:           resolve        -> dispatch (own: experts) -> grouped ... -> y'                    */
#include "ir/graph_edit.h"
#include "ir/pass.h"

struct slotting {
    const bool *apart;
    int host;
    int64_t slots;
    int *twins;    /* [values of the graph before] the same on the host, plus 1; 0: not there yet */
    bool *follows; /* [the same] rows in the order of a resolved dispatch */
    int64_t *whole; /* [the same] of offsets: experts that there are; 0: of no resolved dispatch */
    int value_count;
};

static bool is_old(const struct slotting *slotting, int value)
{
    return value != VALUE_NONE && value < slotting->value_count;
}

static status add_named(struct graph *graph, const struct node *node, int like, int *made,
                        struct diagnostic *diagnostic)
{
    const char *names[OP_OUTPUTS_MAX] = {
        arena_print(graph->arena, "%s@%d", graph->values[like].name, node->device)};
    TRY_MEMORY(names[0], diagnostic);
    TRY(graph_free_name(graph, names[0], &names[0], diagnostic));
    TRY(graph_add_node(graph, node, names, diagnostic));
    *made = graph->nodes[graph->node_count - 1].outputs[0];
    return STATUS_OK;
}

/* A node with one operand, or two. */
static status add_simple(struct graph *graph, const char *op_name, const struct node *user,
                         int device, int a, int b, int *made, struct diagnostic *diagnostic)
{
    struct node node = {
        .op = op_by_name(graph->ops, op_name), .layer = user->layer, .device = device};
    if (!node.op)
        return fail(diagnostic, STATUS_FAILED, "graph %s has no operator %s for expert slots",
                    graph->name, op_name);
    attributes_default(node.op, node.attributes);
    for (int i = 0; i < OP_INPUTS_MAX; i++) node.inputs[i] = VALUE_NONE;
    node.inputs[0] = a;
    node.inputs[1] = b;
    return add_named(graph, &node, a, made, diagnostic);
}

static status add_resolve(struct graph *graph, const struct slotting *slotting,
                          const struct node *dispatch, int ids, int64_t experts, int *made,
                          struct diagnostic *diagnostic)
{
    struct node node = {.op = op_by_name(graph->ops, "resolve"),
                        .layer = dispatch->layer,
                        .device = slotting->host};
    if (!node.op)
        return fail(diagnostic, STATUS_FAILED, "graph %s has no operator resolve", graph->name);
    attributes_default(node.op, node.attributes);
    node.attributes[attribute_by_name(node.op, "experts")].integer = experts;
    node.attributes[attribute_by_name(node.op, "slots")].integer = slotting->slots;
    for (int i = 0; i < OP_INPUTS_MAX; i++) node.inputs[i] = i ? VALUE_NONE : ids;
    return add_named(graph, &node, ids, made, diagnostic);
}

/* Where a value is on the host; results come by a transfer, weights are moved there. */
static status on_host(struct graph *graph, struct slotting *slotting, int value,
                      const struct node *user, int *number, struct diagnostic *diagnostic)
{
    struct value *described = &graph->values[value];
    *number = value;
    if (value == VALUE_NONE || described->kind == VALUE_INPUT) return STATUS_OK;
    if (described->kind != VALUE_RESULT) {
        described->device = slotting->host;
        return STATUS_OK;
    }
    int *twin = &slotting->twins[value];
    if (!*twin) {
        TRY(add_simple(graph, "transfer", user, slotting->host, value, VALUE_NONE, number,
                       diagnostic));
        *twin = *number + 1;
    }
    *number = *twin - 1;
    return STATUS_OK;
}

/* The node once more, on the host. */
static status add_twin(struct graph *graph, struct slotting *slotting, const struct node *node,
                       struct diagnostic *diagnostic)
{
    struct node twin = *node;
    int first;
    twin.device = slotting->host;
    for (int i = 0; i < op_input_count(node->op); i++)
        TRY(on_host(graph, slotting, node->inputs[i], node, &twin.inputs[i], diagnostic));
    TRY(add_named(graph, &twin, node->outputs[0], &first, diagnostic));
    const struct node *made = &graph->nodes[graph->node_count - 1];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (node->outputs[o] != VALUE_NONE)
            slotting->twins[node->outputs[o]] = made->outputs[o] + 1;
    return STATUS_OK;
}

static void set_dispatch(struct node *node, int64_t experts, int64_t first, int64_t own)
{
    node->attributes[attribute_by_name(node->op, "experts")].integer = experts;
    node->attributes[attribute_by_name(node->op, "first")].integer = first;
    node->attributes[attribute_by_name(node->op, "own")].integer = own;
}

static int64_t attribute_of(const struct node *node, const char *name)
{
    return node->attributes[attribute_by_name(node->op, name)].integer;
}

static status split_dispatch(struct graph *graph, struct slotting *slotting, const struct node *old,
                             struct diagnostic *diagnostic)
{
    struct node card = *old, host = *old;
    int64_t experts = attribute_of(old, "experts"), slots = slotting->slots;
    int ids, places;
    if (attribute_of(old, "own") && attribute_of(old, "own") != experts)
        return fail(diagnostic, STATUS_USAGE,
                    "--expert-slots: the experts of layer %d are split over devices already; leave "
                    "--split experts and tensor away, or give all shares to one card",
                    old->layer);
    TRY(on_host(graph, slotting, old->inputs[0], old, &ids, diagnostic));
    TRY(add_resolve(graph, slotting, old, ids, experts, &places, diagnostic));
    set_dispatch(&host, slots + experts, slots, experts);
    set_dispatch(&card, slots + experts, 0, slots);
    TRY(attributes_check(card.op, card.attributes, diagnostic));
    host.inputs[0] = places;
    host.device = slotting->host;
    TRY(add_simple(graph, "transfer", old, old->device, places, VALUE_NONE, &card.inputs[0],
                   diagnostic));
    graph->values[old->outputs[1]].type.shape[0] = dimension_fixed(slots + 1);
    TRY(graph_append_node(graph, &card, diagnostic));
    TRY(graph_add_node(graph, &host, NULL, diagnostic));
    const struct node *made = &graph->nodes[graph->node_count - 1];
    for (int o = 0; o < 3; o++) slotting->twins[old->outputs[o]] = made->outputs[o] + 1;
    slotting->whole[old->outputs[1]] = experts;
    return STATUS_OK;
}

/* The card's part of a weight; equal names find one that another virtual layer has made. */
static status slice_weight(struct graph *graph, const struct slotting *slotting,
                           const struct node *user, int *input, struct diagnostic *diagnostic)
{
    const struct value original = graph->values[*input];
    struct tensor_type type = original.type;
    const char *name = arena_print(graph->arena, "%s@%d/0-%lld", original.name, user->device,
                                   (long long)slotting->slots);
    int slice;
    TRY_MEMORY(name, diagnostic);
    slice = graph_find_value(graph, name);
    if (slice == VALUE_NONE) {
        type.shape[0] = dimension_fixed(slotting->slots);
        TRY(graph_add_value(graph, VALUE_WEIGHT, name, &type, original.layer, &slice, diagnostic));
        struct value *made = &graph->values[slice];
        made->device = user->device;
        made->source = original.source ? original.source : original.name;
        made->slice_whole = original.type.shape[0].scale;
    }
    *input = slice;
    return STATUS_OK;
}

/* Rows in the order of a dispatch: on the card those of its slots, on the host the others. */
static status split_node(struct graph *graph, struct slotting *slotting, const struct node *old,
                         struct diagnostic *diagnostic)
{
    struct node card = *old;
    int offsets = node_find_input(old, "offsets");
    for (int i = 0; i < op_input_count(old->op) && offsets != VALUE_NONE; i++)
        if (old->inputs[i] != VALUE_NONE && graph->values[old->inputs[i]].kind == VALUE_WEIGHT)
            TRY(slice_weight(graph, slotting, old, &card.inputs[i], diagnostic));
    TRY(graph_append_node(graph, &card, diagnostic));
    TRY(add_twin(graph, slotting, old, diagnostic));
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (old->outputs[o] != VALUE_NONE) slotting->follows[old->outputs[o]] = true;
    return STATUS_OK;
}

/* Both parts of the sorted rows. */
static status join_rows(struct graph *graph, struct slotting *slotting, const struct node *old,
                        struct diagnostic *diagnostic)
{
    struct node node = *old;
    int y = op_input_by_name(old->op, "y"), theirs;
    TRY(add_simple(graph, "transfer", old, old->device, slotting->twins[old->inputs[y]] - 1,
                   VALUE_NONE, &theirs, diagnostic));
    TRY(add_simple(graph, "add", old, old->device, old->inputs[y], theirs, &node.inputs[y],
                   diagnostic));
    return graph_append_node(graph, &node, diagnostic);
}

static bool follows(const struct slotting *slotting, const struct node *node)
{
    for (int i = 0; i < op_input_count(node->op); i++)
        if (is_old(slotting, node->inputs[i]) &&
            (slotting->follows[node->inputs[i]] || slotting->whole[node->inputs[i]]))
            return true;
    return false;
}

static status add_node(struct graph *graph, struct slotting *slotting, const struct node *old,
                       struct diagnostic *diagnostic)
{
    if (node_is(old, "dispatch") && slotting->apart[old->device] &&
        attribute_of(old, "experts") > slotting->slots)
        return split_dispatch(graph, slotting, old, diagnostic);
    if (!follows(slotting, old)) return graph_append_node(graph, old, diagnostic);
    if (node_is(old, "combine")) return join_rows(graph, slotting, old, diagnostic);
    return split_node(graph, slotting, old, diagnostic);
}

static status slot(struct graph *graph, void *context, struct arena *scratch,
                   struct diagnostic *diagnostic)
{
    struct slotting *slotting = context;
    const struct node *nodes = graph->nodes;
    int count = graph->node_count;
    slotting->value_count = graph->value_count;
    TRY_NEW(slotting->twins, scratch, graph->value_count, diagnostic);
    TRY_NEW(slotting->follows, scratch, graph->value_count, diagnostic);
    TRY_NEW(slotting->whole, scratch, graph->value_count, diagnostic);
    graph->nodes = NULL;
    graph->node_count = 0;
    graph->node_capacity = 0;
    for (int n = 0; n < count; n++) TRY(add_node(graph, slotting, &nodes[n], diagnostic));
    return STATUS_OK;
}

status pass_slots(struct graph *graph, int64_t slots, int host, const bool *apart,
                  struct diagnostic *diagnostic)
{
    struct slotting slotting = {.slots = slots, .host = host, .apart = apart};
    return pass_run(graph, slot, &slotting, diagnostic);
}
