/* Which nodes are cut, and by what.
 *
 * Experts are cut where `dispatch` sorts them, and what works on their slots follows.  Columns are found backwards: cached
 * attention is cut by key and value heads (by query heads where all of them share one key), and what leads to its operands
 * by the same units, so that nothing crosses devices between.  Any other linear is cut by its output features. */
#include "ir/split.h"

#include <math.h>
#include <string.h>

/* Linears are cut into pieces of so many features at least, for which kernels have tiles; fewer are not worth a transfer. */
enum { FEATURES_PER_UNIT = 32, FEATURES_LEAST = 64 };

static double share_of(const struct split_part *part, int device)
{
    if (!part->shares) return device == part->owner ? 1 : 0;
    return part->shares[device];
}

int split_part_devices(const struct split_part *part, int device_count, int *only)
{
    int count = 0;
    for (int d = 0; d < device_count; d++) {
        if (share_of(part, d) <= 0) continue;
        *only = d;
        count++;
    }
    return count;
}

int split_part_owner(const struct split_part *part, int device_count)
{
    int only = part->owner;
    return split_part_devices(part, device_count, &only) == 1 ? only : part->owner;
}

/* The device that is furthest below its exact share (sign 1), or above it and has more than one unit (sign -1). */
static int most_off(const double *exact, const int64_t *counts, int device_count, int sign)
{
    int found = -1;
    for (int d = 0; d < device_count; d++) {
        if (exact[d] <= 0 || (sign < 0 && counts[d] < 2)) continue;
        double off = sign * (exact[d] - (double)counts[d]);
        if (found < 0 || off > sign * (exact[found] - (double)counts[found])) found = d;
    }
    return found;
}

/* By largest remainders; whoever has a share gets a unit where there are enough. */
static void count_units(const struct cut *cut, int device_count, int64_t *counts)
{
    double exact[GRAPH_DEVICES_MAX], total = 0;
    int only = 0, devices = split_part_devices(cut->part, device_count, &only);
    int64_t given = 0;
    for (int d = 0; d < device_count; d++) total += share_of(cut->part, d);
    for (int d = 0; d < device_count; d++) {
        exact[d] = (double)cut->units * share_of(cut->part, d) / total;
        counts[d] = (int64_t)floor(exact[d]);
        if (exact[d] > 0 && counts[d] == 0 && cut->units >= devices) counts[d] = 1;
        given += counts[d];
    }
    for (; given < cut->units; given++) counts[most_off(exact, counts, device_count, 1)]++;
    for (; given > cut->units; given--) counts[most_off(exact, counts, device_count, -1)]--;
}

struct cut_share cut_share_of(const struct cut *cut, int device_count, int device)
{
    int64_t counts[GRAPH_DEVICES_MAX];
    struct cut_share share = {0};
    count_units(cut, device_count, counts);
    for (int d = 0; d < device; d++) share.first += counts[d];
    share.count = counts[device];
    return share;
}

bool cut_equal(const struct cut *a, const struct cut *b)
{
    return a->kind == b->kind && (!a->kind || (a->units == b->units && a->part == b->part));
}

/* ---- Who does what ---- */

/* In each layer what comes up to the first linear behind attention is attention's, the rest the dense part's. */
static void find_parts(struct split *split)
{
    const struct split_request *request = split->request;
    bool begun = false, attended = false, dense = false;
    for (int n = 0, layer = -1; n < split->from->node_count; n++) {
        const struct node *node = &split->from->nodes[n];
        begun = begun || node->layer >= 0;
        if (node->layer != layer) attended = dense = false;
        layer = node->layer;
        if (layer < 0)
            split->node_parts[n] = begun ? &request->after : &request->before;
        else
            split->node_parts[n] =
                dense ? &request->layers[layer].dense : &request->layers[layer].attention;
        dense = dense || (attended && node_is(node, "linear"));
        attended = attended || node_is(node, "attention");
    }
}

/* ---- Experts ---- */

static struct cut experts_of(const struct split *split, const struct node *node)
{
    int offsets = node_find_input(node, "offsets");
    if (offsets != VALUE_NONE) return split->value_cuts[offsets];
    if (node_is(node, "combine")) return (struct cut){0};
    for (int i = 0; i < op_input_count(node->op); i++)
        if (node->inputs[i] != VALUE_NONE && split->value_cuts[node->inputs[i]].kind == CUT_EXPERTS)
            return split->value_cuts[node->inputs[i]];
    return (struct cut){0};
}

/* Outputs of dispatch: only the second is a device's own. */
static void cut_dispatch(struct split *split, int n)
{
    const struct node *node = &split->from->nodes[n];
    int count = attribute_by_name(node->op, "experts");
    if (node->layer < 0) return;
    split->node_cuts[n] = (struct cut){CUT_EXPERTS, node->attributes[count].integer,
                                       &split->request->layers[node->layer].experts};
    split->value_cuts[node->outputs[1]] = split->node_cuts[n];
}

/* Experts that are all on one device are summed up there. */
static void place_combine(struct split *split, int n)
{
    const struct node *node = &split->from->nodes[n];
    const struct cut *cut = &split->value_cuts[node_find_input(node, "y")];
    int only;
    if (cut->kind == CUT_EXPERTS &&
        split_part_devices(cut->part, split->request->device_count, &only) == 1)
        split->node_parts[n] = cut->part;
}

static void cut_experts(struct split *split)
{
    for (int n = 0; n < split->from->node_count; n++) {
        const struct node *node = &split->from->nodes[n];
        if (node_is(node, "dispatch")) cut_dispatch(split, n);
        if (node_is(node, "combine")) place_combine(split, n);
        if (split->node_cuts[n].kind) continue;
        split->node_cuts[n] = experts_of(split, node);
        for (int o = 0; o < OP_OUTPUTS_MAX && split->node_cuts[n].kind; o++)
            if (node->outputs[o] != VALUE_NONE)
                split->value_cuts[node->outputs[o]] = split->node_cuts[n];
    }
}

/* ---- Columns ---- */

static bool is_shared(const struct split *split, const struct split_part *part)
{
    int only;
    return split_part_devices(part, split->request->device_count, &only) > 1;
}

static int64_t columns_of(const struct split *split, int value)
{
    return tensor_columns(&split->from->values[value].type);
}

static int64_t integer_of(const struct node *node, const char *name)
{
    return node->attributes[attribute_by_name(node->op, name)].integer;
}

static bool feeds_router(const struct split *split, int value)
{
    for (int n = 0; n < split->from->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++)
            if (split->from->nodes[n].inputs[i] == value &&
                node_is(&split->from->nodes[n], "route"))
                return true;
    return false;
}

/* By output features, where nobody asks for anything else. */
static struct cut natural_cut(const struct split *split, int n)
{
    if (!is_shared(split, split->node_parts[n])) return (struct cut){0};
    int value = split->from->nodes[n].outputs[0];
    int64_t columns = columns_of(split, value);
    if (columns < FEATURES_LEAST || feeds_router(split, value)) return (struct cut){0};
    return (struct cut){CUT_COLUMNS,
                        columns % FEATURES_PER_UNIT ? columns : columns / FEATURES_PER_UNIT,
                        split->node_parts[n]};
}

/* By the heads that attention before it was cut by. */
static struct cut heads_cut(const struct split *split, int n)
{
    const struct node *node = &split->from->nodes[n];
    int64_t heads = split->from->values[node_find_input(node, "weight")].type.shape[0].scale;
    if (!is_shared(split, split->node_parts[n])) return (struct cut){0};
    return (struct cut){CUT_COLUMNS, heads, split->node_parts[n]};
}

/* Whether a state's tokens fall into pieces of whole blocks. */
static bool state_divides(const struct split *split, int state, int64_t units)
{
    const struct tensor_type *type = &split->from->values[state].type;
    int64_t width = type->shape[2].scale;
    return width % units == 0 && width / units % element_of(type->element)->block_elements == 0;
}

/* A state that a cut attention reads whole is kept by every device of the cut. */
static void keep_everywhere(struct split *split, int attention)
{
    const struct node *reader = &split->from->nodes[attention];
    for (int n = 0; n < attention; n++) {
        const struct node *node = &split->from->nodes[n];
        int state = node_is(node, "append") ? node_find_input(node, "state") : VALUE_NONE;
        if (state != VALUE_NONE && (state == node_find_input(reader, "k_state") ||
                                    state == node_find_input(reader, "v_state")))
            split->everywhere[n] = true;
    }
}

static void cut_attention(struct split *split, int n)
{
    const struct node *node = &split->from->nodes[n];
    int64_t heads = integer_of(node, "heads"), kv_heads = integer_of(node, "kv_heads");
    int keys = node_find_input(node, "k_state"), values = node_find_input(node, "v_state");
    struct cut cut = {CUT_COLUMNS, kv_heads > 1 ? kv_heads : heads, split->node_parts[n]};
    bool own_states = kv_heads > 1;
    if (!is_shared(split, cut.part)) return;
    if (own_states &&
        !(state_divides(split, keys, kv_heads) && state_divides(split, values, kv_heads)))
        return;
    split->node_cuts[n] = cut;
    split->value_cuts[node->outputs[0]] = cut;
    split->value_cuts[node->inputs[0]] = cut;
    if (!own_states) keep_everywhere(split, n);
    if (!own_states) return;
    split->value_cuts[keys] = cut;
    split->value_cuts[values] = cut;
}

static void cut_append(struct split *split, int n)
{
    const struct node *node = &split->from->nodes[n];
    int x = node_find_input(node, "x");
    split->node_cuts[n] = split->value_cuts[node_find_input(node, "state")];
    if (split->node_cuts[n].kind) split->value_cuts[x] = split->node_cuts[n];
}

/* Whether the node can work on a piece of its columns alone. */
static bool follows(const struct split *split, const struct node *node, int64_t units)
{
    int64_t columns = columns_of(split, node->outputs[0]);
    if (columns % units) return false;
    if (node_is(node, "rope") || node_is(node, "part") || node_is(node, "join"))
        return integer_of(node, "heads") % units == 0;
    if (node_is(node, "rmsnorm"))
        return columns / units % columns_of(split, node_find_input(node, "weight")) == 0;
    if (node_is(node, "hadamard")) return columns / units % integer_of(node, "size") == 0;
    if (node_is(node, "head_linear")) {
        int weight = node_find_input(node, "weight");
        return split->from->values[weight].type.shape[0].scale % units == 0;
    }
    return node_is(node, "gate") || node_is(node, "add") || node_is(node, "softcap") ||
           (node_is(node, "linear") && node_find_input(node, "residual") == VALUE_NONE);
}

/* The operands that have as many columns as the result, or heads of their own, are cut as it is. */
static bool passes_on(const struct split *split, const struct node *node, int input)
{
    const char *name = node->op->inputs[input].name;
    if (split->from->values[node->inputs[input]].kind != VALUE_RESULT || node_is(node, "linear"))
        return false;
    if (node_is(node, "head_linear")) return !integer_of(node, "shared");
    if (node_is(node, "join")) return !strcmp(name, "x") || !integer_of(node, "shared");
    if (node_is(node, "part")) return true;
    return columns_of(split, node->inputs[input]) == columns_of(split, node->outputs[0]);
}

static void cut_columns_of(struct split *split, int n)
{
    const struct node *node = &split->from->nodes[n];
    struct cut *cut = &split->value_cuts[node->outputs[0]];
    if (!cut->kind && node_is(node, "head_linear")) *cut = heads_cut(split, n);
    if (!cut->kind && (node_is(node, "linear") || node_is(node, "gate")))
        *cut = natural_cut(split, n);
    if (cut->kind && !follows(split, node, cut->units)) *cut = (struct cut){0};
    split->node_cuts[n] = *cut;
    for (int i = 0; i < op_input_count(node->op) && cut->kind; i++) {
        int input = node->inputs[i];
        if (input != VALUE_NONE && !split->value_cuts[input].kind && passes_on(split, node, i))
            split->value_cuts[input] = *cut;
    }
}

status split_find_cuts(struct split *split, struct diagnostic *diagnostic)
{
    const struct graph *graph = split->from;
    TRY_NEW(split->node_cuts, split->scratch, graph->node_count, diagnostic);
    TRY_NEW(split->value_cuts, split->scratch, graph->value_count, diagnostic);
    TRY_NEW(split->node_parts, split->scratch, graph->node_count, diagnostic);
    TRY_NEW(split->everywhere, split->scratch, graph->node_count, diagnostic);
    find_parts(split);
    cut_experts(split);
    for (int n = graph->node_count - 1; n >= 0; n--) {
        if (split->node_cuts[n].kind) continue;
        if (node_is(&graph->nodes[n], "attention"))
            cut_attention(split, n);
        else if (node_is(&graph->nodes[n], "append"))
            cut_append(split, n);
        else if (graph->nodes[n].outputs[0] != VALUE_NONE)
            cut_columns_of(split, n);
    }
    return STATUS_OK;
}
