/* Traces of routed experts in memory. */
#include "planner/routing_trace.h"

#include "ops/filling.h"

#include <string.h>

static status check_shape(const int *layers, int layer_count, int experts, int used,
                          struct diagnostic *diagnostic)
{
    if (layer_count < 1 || layer_count > ROUTING_LAYERS_MOST || experts < 1 ||
        experts > EXPERTS_MOST || used < 1 || used > EXPERTS_USED_MOST || used > experts)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "a routing trace has 1 to %d layers, 1 to %d experts, and 1 to %d of them "
                    "used per row; not %d, %d and %d",
                    ROUTING_LAYERS_MOST, EXPERTS_MOST, EXPERTS_USED_MOST, layer_count, experts,
                    used);
    for (int l = 0; l < layer_count; l++)
        if (layers[l] < 0 || (l && layers[l] <= layers[l - 1]))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "the layers of a routing trace must be numbers that rise; number %d is %d",
                        l, layers[l]);
    return STATUS_OK;
}

status routing_trace_create(struct arena *arena, const int *layers, int layer_count, int experts,
                            int used, struct routing_trace **result, struct diagnostic *diagnostic)
{
    struct routing_trace *trace;
    TRY(check_shape(layers, layer_count, experts, used, diagnostic));
    TRY_NEW(trace, arena, 1, diagnostic);
    *trace = (struct routing_trace){
        .arena = arena, .layer_count = layer_count, .experts = experts, .used = used};
    trace->layers = arena_copy(arena, layers, (size_t)layer_count * sizeof *layers);
    TRY_MEMORY(trace->layers, diagnostic);
    TRY_APPEND(trace->starts, trace->start_count, trace->start_capacity, arena, diagnostic);
    *result = trace;
    return STATUS_OK;
}

/* `arena_grow` adds room for one item; rows of a prompt come by the thousand. */
static status make_room(struct routing_trace *trace, int64_t rows, struct diagnostic *diagnostic)
{
    size_t count = (size_t)(trace->row_count * trace->used);
    size_t wanted = count + (size_t)(rows * trace->used);
    if (wanted <= trace->id_capacity) return STATUS_OK;
    uint16_t *larger;
    TRY_NEW(larger, trace->arena, 2 * wanted, diagnostic);
    if (count) memcpy(larger, trace->ids, count * sizeof *larger);
    trace->ids = larger;
    trace->id_capacity = 2 * wanted;
    return STATUS_OK;
}

status routing_trace_append(struct routing_trace *trace, const int32_t *ids, int64_t rows,
                            struct diagnostic *diagnostic)
{
    TRY(make_room(trace, rows, diagnostic));
    uint16_t *to = trace->ids + trace->row_count * trace->used;
    for (int64_t i = 0; i < rows * trace->used; i++) {
        if (ids[i] < 0 || ids[i] >= trace->experts)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "row %lld of a step is routed to expert %d; there are %d",
                        (long long)(i / trace->used), ids[i], trace->experts);
        to[i] = (uint16_t)ids[i];
    }
    trace->row_count += rows;
    TRY_APPEND(trace->starts, trace->start_count, trace->start_capacity, trace->arena, diagnostic);
    trace->starts[trace->start_count - 1] = trace->row_count;
    return STATUS_OK;
}
