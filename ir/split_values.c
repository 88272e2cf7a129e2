/* Where the values of a split graph are: transfers, joins and copies of weights are made when they are asked for. */
#include "ir/split.h"

static status new_name(struct split *split, int value, int device, const char **name,
                       struct diagnostic *diagnostic)
{
    const char *own = split->from->values[value].name;
    *name = arena_print(split->to->arena, "%s@%d", own, device);
    TRY_MEMORY(*name, diagnostic);
    return graph_free_name(split->to, *name, name, diagnostic);
}

/* Appends a node of one result and gives its number. */
static status add_node(struct split *split, const struct node *node, const char *name, int *number,
                       struct diagnostic *diagnostic)
{
    TRY(graph_add_node(split->to, node, &name, diagnostic));
    *number = split->to->nodes[split->to->node_count - 1].outputs[0];
    return STATUS_OK;
}

static status node_of(struct split *split, const char *op_name, const struct node *user, int device,
                      struct node *node, struct diagnostic *diagnostic)
{
    *node = (struct node){
        .op = op_by_name(split->to->ops, op_name), .layer = user->layer, .device = device};
    if (!node->op)
        return fail(diagnostic, STATUS_FAILED, "graph %s has no operator %s to split it by",
                    split->to->name, op_name);
    attributes_default(node->op, node->attributes);
    for (int i = 0; i < OP_INPUTS_MAX; i++) node->inputs[i] = VALUE_NONE;
    return STATUS_OK;
}

/* `value` names the result only. */
static status move_to(struct split *split, int moved, int value, const struct node *user,
                      int device, int *number, struct diagnostic *diagnostic)
{
    struct node node;
    const char *name;
    TRY(node_of(split, "transfer", user, device, &node, diagnostic));
    TRY(new_name(split, value, device, &name, diagnostic));
    node.inputs[0] = moved;
    return add_node(split, &node, name, number, diagnostic);
}

/* Two pieces become one: columns behind columns, or slots whose other experts gave zeros. */
static status join_pieces(struct split *split, int a, int b, int value, const struct node *user,
                          int device, int *number, struct diagnostic *diagnostic)
{
    bool experts = split->value_cuts[value].kind == CUT_EXPERTS;
    struct node node;
    const char *name;
    TRY(node_of(split, experts ? "add" : "join", user, device, &node, diagnostic));
    TRY(new_name(split, value, device, &name, diagnostic));
    if (!experts) node.attributes[attribute_by_name(node.op, "heads")].integer = 1;
    node.inputs[0] = a;
    node.inputs[1] = b;
    return add_node(split, &node, name, number, diagnostic);
}

/* All pieces, in the order of the devices. */
static status gather(struct split *split, int value, const struct node *user, int device,
                     int *number, struct diagnostic *diagnostic)
{
    int whole = VALUE_NONE;
    for (int d = 0; d < split->request->device_count; d++) {
        int piece = *split_slot(split, split->local, value, d) - 1;
        if (piece < 0) continue;
        if (d != device) TRY(move_to(split, piece, value, user, device, &piece, diagnostic));
        if (whole == VALUE_NONE)
            whole = piece;
        else
            TRY(join_pieces(split, whole, piece, value, user, device, &whole, diagnostic));
    }
    *number = whole;
    return STATUS_OK;
}

/* A weight or state of its own for each device that uses it; the first has the name. */
static status copy_constant(struct split *split, int value, int device,
                            const struct tensor_type *type, int *number,
                            struct diagnostic *diagnostic)
{
    const struct value *original = &split->from->values[value];
    const char *name = original->name;
    if (graph_find_value(split->to, name) != VALUE_NONE)
        TRY(new_name(split, value, device, &name, diagnostic));
    TRY(graph_add_value(split->to, original->kind, name, type, original->layer, number,
                        diagnostic));
    struct value *copy = &split->to->values[*number];
    copy->device = device;
    if (original->kind == VALUE_WEIGHT) copy->source = original->source;
    copy->slice_first = original->slice_first;
    copy->slice_whole = original->slice_whole;
    return STATUS_OK;
}

/* Where a whole result is already: its owner's device comes first. */
static int find_whole(const struct split *split, int value)
{
    for (int d = 0; d < split->request->device_count; d++) {
        int number = *split_slot(split, split->whole, value, d) - 1;
        if (number >= 0 &&
            !node_is(&split->to->nodes[split->to->values[number].producer], "transfer"))
            return number;
    }
    return VALUE_NONE;
}

status split_whole(struct split *split, int value, const struct node *node, int device, int *number,
                   struct diagnostic *diagnostic)
{
    const struct value *described = &split->from->values[value];
    int *slot = split_slot(split, split->whole, value, device);
    if (*slot) {
        *number = *slot - 1;
        return STATUS_OK;
    }
    if (described->kind != VALUE_RESULT) {
        TRY(copy_constant(split, value, device, &described->type, number, diagnostic));
    } else if (split->value_cuts[value].kind) {
        TRY(gather(split, value, node, device, number, diagnostic));
    } else {
        int there = find_whole(split, value);
        if (there == VALUE_NONE)
            return fail(diagnostic, STATUS_FAILED, "%s is on no device yet", described->name);
        TRY(move_to(split, there, value, node, device, number, diagnostic));
    }
    *slot = *number + 1;
    return STATUS_OK;
}

/* Its columns out of the whole. */
static status take_part(struct split *split, int value, const struct cut *cut,
                        const struct node *user, int device, int *number,
                        struct diagnostic *diagnostic)
{
    struct cut_share share = cut_share_of(cut, split->request->device_count, device);
    int64_t unit = tensor_columns(&split->from->values[value].type) / cut->units;
    int whole;
    struct node node;
    const char *name;
    TRY(split_whole(split, value, user, device, &whole, diagnostic));
    TRY(node_of(split, "part", user, device, &node, diagnostic));
    TRY(new_name(split, value, device, &name, diagnostic));
    node.attributes[attribute_by_name(node.op, "heads")].integer = 1;
    node.attributes[attribute_by_name(node.op, "first")].integer = share.first * unit;
    node.attributes[attribute_by_name(node.op, "size")].integer = share.count * unit;
    node.inputs[0] = whole;
    return add_node(split, &node, name, number, diagnostic);
}

static status state_piece(struct split *split, int value, const struct cut *cut, int device,
                          int *number, struct diagnostic *diagnostic)
{
    struct tensor_type type = split->from->values[value].type;
    struct cut_share share = cut_share_of(cut, split->request->device_count, device);
    type.shape[2] = dimension_fixed(type.shape[2].scale / cut->units * share.count);
    return copy_constant(split, value, device, &type, number, diagnostic);
}

status split_local(struct split *split, int value, const struct cut *cut, const struct node *node,
                   int device, int *number, struct diagnostic *diagnostic)
{
    int *slot = split_slot(split, split->local, value, device);
    if (!cut_equal(cut, &split->value_cuts[value]))
        return take_part(split, value, cut, node, device, number, diagnostic);
    if (!*slot) {
        if (split->from->values[value].kind != VALUE_STATE)
            return fail(diagnostic, STATUS_FAILED, "%s has no piece on device %d",
                        split->from->values[value].name, device);
        TRY(state_piece(split, value, cut, device, number, diagnostic));
        *slot = *number + 1;
    }
    *number = *slot - 1;
    return STATUS_OK;
}

/* Slices have names that say which, so that all users of one find it. */
status split_weight(struct split *split, int value, const struct cut *cut, int device, int *number,
                    struct diagnostic *diagnostic)
{
    const struct value *original = &split->from->values[value];
    struct cut_share share = cut_share_of(cut, split->request->device_count, device);
    struct tensor_type type = original->type;
    int64_t whole = type.shape[0].scale, unit = whole / cut->units;
    if (share.count == cut->units)
        return split_whole(split, value, NULL, device, number, diagnostic);
    const char *name = arena_print(split->to->arena, "%s@%d/%lld-%lld", original->name, device,
                                   (long long)(share.first * unit),
                                   (long long)((share.first + share.count) * unit));
    TRY_MEMORY(name, diagnostic);
    *number = graph_find_value(split->to, name);
    if (*number != VALUE_NONE) return STATUS_OK;
    type.shape[0] = dimension_fixed(share.count * unit);
    TRY(graph_add_value(split->to, VALUE_WEIGHT, name, &type, original->layer, number, diagnostic));
    struct value *slice = &split->to->values[*number];
    slice->device = device;
    slice->source = original->source;
    slice->slice_first = original->slice_first + share.first * unit;
    slice->slice_whole = original->slice_whole ? original->slice_whole : whole;
    return STATUS_OK;
}

bool split_is_cheap(const struct node *node)
{
    static const char *const names[] = {"rmsnorm", "add_rmsnorm", "add",  "softcap",  "select",
                                        "rope",    "part",        "join", "hadamard", "gate"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (node_is(node, names[i])) return true;
    return false;
}

bool split_is_near(const struct split *split, int value, int device)
{
    const struct value *described = &split->from->values[value];
    if (described->kind != VALUE_RESULT || split->value_cuts[value].kind) return true;
    if (*split_slot(split, split->whole, value, device)) return true;
    return !split_is_cheap(&split->from->nodes[described->producer]);
}
