/* Placements as data: a graph's pieces, and what a legal placement is. */
#include "planner/placement.h"

#include "base/text.h"

#include <string.h>

static const char *const part_names[PLACEMENT_PARTS] = {"embed", "attention", "dense", "experts",
                                                        "output"};

const char *placement_part_name(enum placement_part part)
{
    return part_names[part];
}

/* Inner features and vocabulary rows are dealt in groups: blocks of quantised types have up to 256 elements. */
static int64_t group_of(int64_t rows)
{
    static const int64_t groups[] = {256, 64, 32};
    for (int g = 0; g < 3; g++)
        if (rows % groups[g] == 0 && rows > groups[g]) return groups[g];
    return rows;
}

struct counting {
    const struct graph *graph;
    struct placement *placement;
    const enum placement_part *parts;
    int64_t symbols[SYMBOL_COUNT];
    bool *counted; /* per value: bits of the parts that have it */
};

static struct placement_piece *piece_of(struct placement *placement, enum placement_part part,
                                        int layer)
{
    if (part == PLACEMENT_EMBED) return &placement->embed;
    if (part == PLACEMENT_OUTPUT) return &placement->output;
    return &placement->layers[layer].pieces[part];
}

static bool has_input(const struct node *node, int value)
{
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node->inputs[i] == value) return true;
    return false;
}

static bool is_op(const struct node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* Whether a node's result is what a router scores experts with. */
static bool feeds_route(const struct graph *graph, int n)
{
    for (int m = n + 1; m < graph->node_count; m++)
        if (is_op(&graph->nodes[m], "route") &&
            graph->nodes[m].inputs[0] == graph->nodes[n].outputs[0])
            return true;
    return false;
}

/* Bytes of units are summed in unit_bytes at first, and divided when their number is known. */
static void count_weight(struct counting *counting, struct placement_piece *piece, int n, int v)
{
    const struct value *value = &counting->graph->values[v];
    int64_t bytes = tensor_bytes(&value->type, counting->symbols);
    if (piece->part == PLACEMENT_EXPERTS) {
        piece->units = value->type.shape[0].scale;
        piece->unit_bytes += bytes;
    } else if (value->type.rank == 1 || feeds_route(counting->graph, n)) {
        piece->common_bytes += bytes;
    } else {
        piece->unit_bytes += bytes;
        if (piece->part == PLACEMENT_DENSE || piece->part == PLACEMENT_OUTPUT) {
            int64_t rows = value->type.shape[0].scale;
            if (piece->part == PLACEMENT_OUTPUT || !piece->unit_rows) piece->unit_rows = rows;
        }
    }
}

/* Attention is dealt by key/value heads.  Latent attention, whose heads share one key, stays whole. */
static void count_heads(struct placement_piece *piece, const struct node *node)
{
    int heads = attribute_by_name(node->op, "kv_heads");
    int latent = attribute_by_name(node->op, "values_in_keys");
    bool shared = latent >= 0 && node->attributes[latent].integer;
    piece->units = heads < 0 || shared ? 1 : node->attributes[heads].integer;
}

static void count_node(struct counting *counting, int n)
{
    const struct graph *graph = counting->graph;
    const struct node *node = &graph->nodes[n];
    struct placement_piece *piece = piece_of(counting->placement, counting->parts[n], node->layer);
    if (is_op(node, "attention")) count_heads(piece, node);
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        int v = node->inputs[i];
        if (v == VALUE_NONE) continue;
        bool *counted = &counting->counted[(int64_t)v * PLACEMENT_PARTS + piece->part];
        const struct value *value = &graph->values[v];
        if (*counted || (value->kind != VALUE_WEIGHT && value->kind != VALUE_STATE)) continue;
        if (value->kind == VALUE_STATE) {
            piece->unit_state_bytes += tensor_bytes(&value->type, counting->symbols);
            counting->placement->layers[node->layer].state_element = value->type.element;
            *counted = true;
            continue;
        }
        count_weight(counting, piece, n, v);
        /* With a layer map several virtual layers have one weight; each piece counts it. */
        *counted = piece->layer < 0;
    }
}

/* From sums to units. */
static void settle_units(struct placement_piece *piece)
{
    if (piece->part == PLACEMENT_DENSE || piece->part == PLACEMENT_OUTPUT) {
        int64_t group = piece->unit_rows ? group_of(piece->unit_rows) : 1;
        piece->units = piece->unit_rows ? piece->unit_rows / group : 1;
        piece->unit_rows = group;
        if (!piece->unit_bytes && !piece->common_bytes && piece->part == PLACEMENT_DENSE)
            piece->units = 0;
    } else {
        piece->unit_rows = 1;
    }
    if (piece->part == PLACEMENT_EMBED) piece->units = 1;
    if (piece->part == PLACEMENT_ATTENTION && !piece->units && piece->unit_bytes) piece->units = 1;
    int64_t units = piece->units > 0 ? piece->units : 1;
    piece->unit_bytes = (piece->unit_bytes + units - 1) / units;
    piece->unit_state_bytes = (piece->unit_state_bytes + units - 1) / units;
}

static status create_piece(struct placement *placement, enum placement_part part, int layer,
                           struct arena *arena, struct diagnostic *diagnostic)
{
    struct placement_piece *piece = piece_of(placement, part, layer);
    *piece = (struct placement_piece){.part = part, .layer = layer};
    TRY_NEW(piece->home, arena, placement->device_count + 1, diagnostic);
    TRY_NEW(piece->slots, arena, placement->device_count, diagnostic);
    for (int p = 0; p < PLACEMENT_PHASES; p++)
        TRY_NEW(piece->work[p], arena, placement->device_count, diagnostic);
    return STATUS_OK;
}

static status create_pieces(struct placement *placement, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    TRY(create_piece(placement, PLACEMENT_EMBED, -1, arena, diagnostic));
    TRY(create_piece(placement, PLACEMENT_OUTPUT, -1, arena, diagnostic));
    for (int l = 0; l < placement->layer_count; l++)
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            TRY(create_piece(placement, (enum placement_part)part, l, arena, diagnostic));
    return STATUS_OK;
}

/* One matrix both for the embedding and for the output. */
static bool is_tied(const struct graph *graph, const enum placement_part *parts)
{
    for (int v = 0; v < graph->value_count; v++) {
        bool before = false, after = false;
        if (graph->values[v].kind != VALUE_WEIGHT || graph->values[v].layer >= 0) continue;
        for (int n = 0; n < graph->node_count; n++) {
            if (graph->nodes[n].layer >= 0 || !has_input(&graph->nodes[n], v)) continue;
            before = before || parts[n] == PLACEMENT_EMBED;
            after = after || parts[n] == PLACEMENT_OUTPUT;
        }
        if (before && after) return true;
    }
    return false;
}

static status count_pieces(const struct graph *graph, const struct plan_bounds *bounds,
                           struct arena *arena, struct placement *placement,
                           struct diagnostic *diagnostic)
{
    struct counting counting = {.graph = graph, .placement = placement};
    enum placement_part *parts;
    TRY_NEW(parts, arena, graph->node_count, diagnostic);
    TRY_NEW(counting.counted, arena, (int64_t)graph->value_count * PLACEMENT_PARTS, diagnostic);
    TRY(placement_parts(graph, parts, diagnostic));
    counting.parts = parts;
    plan_symbols(bounds, counting.symbols);
    for (int n = 0; n < graph->node_count; n++) count_node(&counting, n);
    settle_units(&placement->embed);
    settle_units(&placement->output);
    for (int l = 0; l < placement->layer_count; l++)
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            settle_units(&placement->layers[l].pieces[part]);
    placement->tied = is_tied(graph, parts);
    return STATUS_OK;
}

status placement_create(const struct graph *graph, const struct plan_bounds *bounds,
                        int device_count, struct arena *arena, struct placement **result,
                        struct diagnostic *diagnostic)
{
    struct placement *placement;
    TRY_NEW(placement, arena, 1, diagnostic);
    *placement = (struct placement){.device_count = device_count,
                                    .layer_count = graph->layer_count,
                                    .prompt_chunk = bounds->tokens,
                                    .stream_rows = 2,
                                    .wire = ELEMENT_F32};
    TRY_NEW(placement->layers, arena, graph->layer_count + 1, diagnostic);
    TRY(create_pieces(placement, arena, diagnostic));
    TRY(count_pieces(graph, bounds, arena, placement, diagnostic));
    *result = placement;
    return STATUS_OK;
}

void placement_put(const struct placement *placement, struct placement_piece *piece, int home,
                   int work)
{
    for (int d = 0; d <= placement->device_count; d++) piece->home[d] = 0;
    for (int d = 0; d < placement->device_count; d++)
        for (int p = 0; p < PLACEMENT_PHASES; p++) piece->work[p][d] = 0;
    piece->home[home] = piece->units;
    for (int p = 0; p < PLACEMENT_PHASES; p++) piece->work[p][work] = piece->units;
}

int placement_main_device(const struct placement *placement, const struct placement_piece *piece,
                          enum placement_phase phase)
{
    int best = 0;
    for (int d = 1; d < placement->device_count; d++)
        if (piece->work[phase][d] > piece->work[phase][best]) best = d;
    return best;
}

static int64_t sum_of(const int64_t *counts, int count, bool *negative)
{
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        *negative = *negative || counts[i] < 0;
        sum += counts[i];
    }
    return sum;
}

static status bad_piece(const struct placement_piece *piece, const char *what,
                        struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_MISMATCH, "placement: %s of layer %d: %s",
                part_names[piece->part], piece->layer, what);
}

static status verify_piece(const struct placement *placement, const struct placement_piece *piece,
                           const bool *is_host, struct diagnostic *diagnostic)
{
    bool negative = false;
    int devices = placement->device_count;
    if (sum_of(piece->home, devices + 1, &negative) != piece->units)
        return bad_piece(piece, "homes do not add up to its units", diagnostic);
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        if (sum_of(piece->work[p], devices, &negative) != piece->units)
            return bad_piece(piece, "work does not add up to its units", diagnostic);
        for (int d = 0; d < devices; d++)
            if (!is_host[d] && piece->work[p][d] < piece->home[d])
                return bad_piece(piece, "a card keeps units that it does not work on", diagnostic);
    }
    for (int d = 0; d < devices; d++)
        if (piece->part == PLACEMENT_ATTENTION &&
            piece->work[PLACEMENT_PREFILL][d] != piece->work[PLACEMENT_DECODE][d])
            return bad_piece(piece, "attention moves between the phases, away from its states",
                             diagnostic);
    return negative ? bad_piece(piece, "a share is negative", diagnostic) : STATUS_OK;
}

status placement_verify(const struct placement *placement, const bool *is_host,
                        struct diagnostic *diagnostic)
{
    TRY(verify_piece(placement, &placement->embed, is_host, diagnostic));
    TRY(verify_piece(placement, &placement->output, is_host, diagnostic));
    for (int l = 0; l < placement->layer_count; l++)
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            TRY(verify_piece(placement, &placement->layers[l].pieces[part], is_host, diagnostic));
    return STATUS_OK;
}

void placement_fill_layers(struct placement *placement, const int *device_of_layer)
{
    int count = placement->layer_count;
    for (int l = 0; l < count; l++)
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            placement_put(placement, &placement->layers[l].pieces[part], device_of_layer[l],
                          device_of_layer[l]);
    int first = count ? device_of_layer[0] : 0, last = count ? device_of_layer[count - 1] : 0;
    placement_put(placement, &placement->embed, first, first);
    placement_put(placement, &placement->output, last, last);
}
