/* Whether a memory layout, which may come from a file, keeps values apart: a walk over the nodes
 * with the values that are alive, sorted by their offset on each device. */
#include "ir/liveness.h"
#include "ir/memory_pack.h"
#include "ir/plan_check.h"

#include <inttypes.h>
#include <string.h>

struct alive_values {
    int *values; /* sorted by offset; they do not overlap */
    int count;
};

struct memory_check {
    const struct graph *graph;
    const struct memory_layout *layout;
    struct liveness liveness;
    struct alive_values *devices;
};

static status check_place(const struct memory_check *check, const int64_t symbols[SYMBOL_COUNT],
                          int v, struct diagnostic *diagnostic)
{
    const struct value *value = &check->graph->values[v];
    int64_t offset = check->layout->offsets[v], bytes = check->layout->bytes[v];
    int64_t room = check->layout->device_bytes[value->device];
    if (bytes != tensor_bytes(&value->type, symbols) || bytes > MEMORY_PACK_BYTES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "plan: %s has a size that is not its type's",
                    value->name);
    if (value->kind != VALUE_RESULT) return STATUS_OK;
    if (offset < 0 || offset % MEMORY_PACK_ALIGNMENT_BYTES || offset > room ||
        bytes > room - offset)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "plan: %s at offset %" PRId64 " lies outside the %" PRId64
                    " bytes of its device",
                    value->name, offset, room);
    return STATUS_OK;
}

/* Position of the first value that lies at `offset` or behind it. */
static int alive_position(const struct memory_check *check, const struct alive_values *alive,
                          int64_t offset)
{
    int low = 0, high = alive->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (check->layout->offsets[alive->values[middle]] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool overlap(const struct memory_layout *layout, int a, int b)
{
    return layout->offsets[a] < layout->offsets[b] + layout->bytes[b] &&
           layout->offsets[b] < layout->offsets[a] + layout->bytes[a];
}

static status value_begins(struct memory_check *check, int v, struct diagnostic *diagnostic)
{
    struct alive_values *alive = &check->devices[check->graph->values[v].device];
    if (!check->layout->bytes[v]) return STATUS_OK;
    int at = alive_position(check, alive, check->layout->offsets[v]);
    for (int neighbour = at - 1; neighbour <= at; neighbour++)
        if (neighbour >= 0 && neighbour < alive->count &&
            overlap(check->layout, v, alive->values[neighbour]))
            return fail(
                diagnostic, STATUS_BAD_INPUT, "plan: %s and %s share memory while both are needed",
                check->graph->values[alive->values[neighbour]].name, check->graph->values[v].name);
    memmove(alive->values + at + 1, alive->values + at,
            (size_t)(alive->count - at) * sizeof *alive->values);
    alive->values[at] = v;
    alive->count++;
    return STATUS_OK;
}

static void value_ends(struct memory_check *check, int v)
{
    struct alive_values *alive = &check->devices[check->graph->values[v].device];
    int at = alive_position(check, alive, check->layout->offsets[v]);
    if (at >= alive->count || alive->values[at] != v) return;
    alive->count--;
    memmove(alive->values + at, alive->values + at + 1,
            (size_t)(alive->count - at) * sizeof *alive->values);
}

static status walk_node(struct memory_check *check, int n, struct diagnostic *diagnostic)
{
    const struct node *node = &check->graph->nodes[n];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (node->outputs[o] != VALUE_NONE) TRY(value_begins(check, node->outputs[o], diagnostic));
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node->inputs[i] != VALUE_NONE && check->liveness.last[node->inputs[i]] == n)
            value_ends(check, node->inputs[i]);
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (node->outputs[o] != VALUE_NONE && check->liveness.last[node->outputs[o]] == n)
            value_ends(check, node->outputs[o]);
    return STATUS_OK;
}

status memory_layout_verify(const struct graph *graph, const int64_t symbols[SYMBOL_COUNT],
                            const struct memory_layout *layout, int device_count,
                            struct arena *scratch, struct diagnostic *diagnostic)
{
    struct memory_check check = {.graph = graph, .layout = layout};
    TRY(liveness_find(graph, scratch, &check.liveness, diagnostic));
    TRY_NEW(check.devices, scratch, device_count, diagnostic);
    for (int d = 0; d < device_count; d++)
        TRY_NEW(check.devices[d].values, scratch, graph->value_count, diagnostic);
    for (int v = 0; v < graph->value_count; v++) TRY(check_place(&check, symbols, v, diagnostic));
    for (int n = 0; n < graph->node_count; n++) TRY(walk_node(&check, n, diagnostic));
    return STATUS_OK;
}
