/* Recording the routers. */
#include "engine/record_routing.h"

#include "ir/graph_edit.h"

struct routing_recorder {
    struct routing_trace *trace;
    struct diagnostic failure; /* the first; nothing is recorded behind it */
};

static void see(void *context, int layer, const int32_t *ids, int64_t rows, int used)
{
    struct routing_recorder *recorder = context;
    (void)layer;
    (void)used;
    if (recorder->failure.code != STATUS_OK) return;
    (void)!routing_trace_append(recorder->trace, ids, rows, &recorder->failure);
}

/* All routers of a model choose alike. */
static status make_trace(const struct graph *graph, struct arena *arena,
                         struct routing_trace **trace, struct diagnostic *diagnostic)
{
    int *layers, count = 0;
    int64_t experts = 0, used = 0;
    TRY_NEW(layers, arena, graph->node_count, diagnostic);
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        if (!node_is(node, "route")) continue;
        int64_t own = tensor_columns(&graph->values[node->inputs[0]].type);
        int64_t own_used = tensor_columns(&graph->values[node->outputs[0]].type);
        if (count && (own != experts || own_used != used))
            return fail(diagnostic, STATUS_UNSUPPORTED,
                        "layer %d chooses %lld of %lld experts, the layers before it %lld of %lld: "
                        "a routing trace has one number for all",
                        node->layer, (long long)own_used, (long long)own, (long long)used,
                        (long long)experts);
        experts = own;
        used = own_used;
        layers[count++] = node->layer;
    }
    if (count == 0)
        return fail(diagnostic, STATUS_USAGE,
                    "--record-routing: this model has no routed experts; take one that has");
    return routing_trace_create(arena, layers, count, (int)experts, (int)used, trace, diagnostic);
}

status routing_record(struct engine *engine, struct arena *arena, struct routing_recorder **result,
                      struct diagnostic *diagnostic)
{
    struct routing_recorder *recorder;
    TRY_NEW(recorder, arena, 1, diagnostic);
    TRY(make_trace(engine_plan(engine)->graph, arena, &recorder->trace, diagnostic));
    const struct routing_watch watch = {see, recorder};
    TRY(executor_watch_routing(engine_executor(engine), &watch, diagnostic));
    *result = recorder;
    return STATUS_OK;
}

status routing_recorded(const struct routing_recorder *recorder, const struct routing_trace **trace,
                        struct diagnostic *diagnostic)
{
    if (recorder->failure.code != STATUS_OK)
        return fail(diagnostic, recorder->failure.code, "%s", recorder->failure.text);
    *trace = recorder->trace;
    return STATUS_OK;
}
