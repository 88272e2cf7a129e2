/* Memory planning.
 *
 * Requires: a legal, partitioned graph.
 * Provides: an offset for every result in its device's arena.  Results alive at the same time do
 * not overlap, and a node's results do not overlap its operands; both follow from counting a value
 * as alive at its maker and at its last user.  A value that is moved to another device is alive, on
 * its own, until the `transfer` node has taken it. */
#include "ir/liveness.h"
#include "ir/memory_pack.h"
#include "ir/pass.h"

#include <inttypes.h>

status liveness_find(const struct graph *graph, struct arena *arena, struct liveness *liveness,
                     struct diagnostic *diagnostic)
{
    TRY_NEW(liveness->first, arena, graph->value_count, diagnostic);
    TRY_NEW(liveness->last, arena, graph->value_count, diagnostic);
    for (int v = 0; v < graph->value_count; v++) {
        liveness->first[v] = graph->values[v].producer;
        liveness->last[v] = graph->values[v].producer;
    }
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < OP_INPUTS_MAX; i++)
            if (graph->nodes[n].inputs[i] != VALUE_NONE)
                liveness->last[graph->nodes[n].inputs[i]] = n;
    for (int o = 0; o < graph->output_count; o++)
        liveness->last[graph->outputs[o]] = graph->node_count;
    return STATUS_OK;
}

struct memory_planning {
    const struct graph *graph;
    const int64_t *symbols;
    int device_count;
    struct memory_layout *layout;
    struct liveness liveness;
    struct memory_block *blocks; /* of one device at a time */
};

static status size_values(struct memory_planning *planning, struct diagnostic *diagnostic)
{
    const struct graph *graph = planning->graph;
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        planning->layout->offsets[v] = -1;
        planning->layout->bytes[v] = tensor_bytes(&value->type, planning->symbols);
        if (value->device >= planning->device_count)
            return fail(diagnostic, STATUS_FAILED, "%s is on device %d of %d", value->name,
                        value->device, planning->device_count);
        if (value->kind == VALUE_RESULT && planning->layout->bytes[v] > MEMORY_PACK_BYTES_MAX)
            return fail(diagnostic, STATUS_NO_MEMORY,
                        "%s would take %" PRId64 " bytes; lower the tokens per step or the context",
                        value->name, planning->layout->bytes[v]);
    }
    return STATUS_OK;
}

static status pack_device(struct memory_planning *planning, int device, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    const struct graph *graph = planning->graph;
    struct memory_layout *layout = planning->layout;
    int count = 0;
    for (int v = 0; v < graph->value_count; v++) {
        if (graph->values[v].kind != VALUE_RESULT || graph->values[v].device != device) continue;
        planning->blocks[count++] = (struct memory_block){.bytes = layout->bytes[v],
                                                          .first = planning->liveness.first[v],
                                                          .last = planning->liveness.last[v],
                                                          .tag = v};
    }
    TRY(memory_pack(planning->blocks, count, scratch, &layout->device_bytes[device], diagnostic));
    for (int b = 0; b < count; b++)
        layout->offsets[planning->blocks[b].tag] = planning->blocks[b].offset;
    return STATUS_OK;
}

static status pack_devices(struct memory_planning *planning, struct arena *scratch,
                           struct diagnostic *diagnostic)
{
    TRY(liveness_find(planning->graph, scratch, &planning->liveness, diagnostic));
    TRY_NEW(planning->blocks, scratch, planning->graph->value_count, diagnostic);
    TRY(size_values(planning, diagnostic));
    for (int d = 0; d < planning->device_count; d++)
        TRY(pack_device(planning, d, scratch, diagnostic));
    return STATUS_OK;
}

status pass_memory(const struct graph *graph, const int64_t symbols[SYMBOL_COUNT], int device_count,
                   struct arena *arena, struct memory_layout *layout, struct diagnostic *diagnostic)
{
    struct memory_planning planning = {
        .graph = graph, .symbols = symbols, .device_count = device_count, .layout = layout};
    TRY_NEW(layout->offsets, arena, graph->value_count, diagnostic);
    TRY_NEW(layout->bytes, arena, graph->value_count, diagnostic);
    TRY_NEW(layout->device_bytes, arena, device_count, diagnostic);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = pack_devices(&planning, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}
