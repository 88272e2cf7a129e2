/* Watching the routers: what each gives is copied to the host behind its launch, in the queue of its device, before anything
 * may overwrite it, and told when the step has ended. */
#include "runtime/executor.h"

#include <string.h>

static const struct node *router_of(const struct plan *plan, int s)
{
    const struct plan_step *step = &plan->steps[s];
    if (step->kind != STEP_LAUNCH) return NULL;
    const struct node *node = &plan->graph->nodes[step->node];
    return strcmp(node->op->name, "route") == 0 ? node : NULL;
}

/* The ids are the first result. */
static const struct tensor_type *ids_type(const struct plan *plan, const struct node *router)
{
    return &plan->graph->values[router->outputs[0]].type;
}

static status find_routers(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    TRY_NEW(executor->routed, executor->arena, plan->step_count, diagnostic);
    for (int s = 0; s < plan->step_count; s++) {
        const struct node *router = router_of(plan, s);
        if (!router) continue;
        const struct tensor_type *type = ids_type(plan, router);
        struct routed *routed = &executor->routed[executor->routed_count++];
        *routed = (struct routed){.step = s, .used = (int)tensor_columns(type)};
        routed->ids =
            arena_allocate(executor->arena, (size_t)tensor_bytes(type, symbols), sizeof(char));
        TRY_MEMORY(routed->ids, diagnostic);
    }
    return STATUS_OK;
}

status executor_watch_routing(struct executor *executor, const struct routing_watch *watch,
                              struct diagnostic *diagnostic)
{
    if (!executor->routed) TRY(find_routers(executor, diagnostic));
    executor->routing = *watch;
    if (executor->prefill) return executor_watch_routing(executor->prefill, watch, diagnostic);
    return STATUS_OK;
}

status executor_read_routing(struct executor *executor, int s, const struct run *run,
                             struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    const struct node *router = router_of(plan, s);
    if (!router) return STATUS_OK;
    struct routed *routed = executor->routed;
    while (routed->step != s) routed++;
    int64_t bytes = tensor_bytes(ids_type(plan, router), run->symbols);
    routed->rows = bytes / (int64_t)sizeof *routed->ids / routed->used;
    if (bytes == 0) return STATUS_OK;
    return device_read(executor->devices[plan->steps[s].device], routed->ids,
                       executor->operands[s][op_input_count(router->op)], bytes, diagnostic);
}

void executor_tell_routing(struct executor *executor)
{
    const struct plan *plan = executor->plan;
    for (int r = 0; executor->routing.see && r < executor->routed_count; r++) {
        const struct routed *routed = &executor->routed[r];
        const struct node *router = router_of(plan, routed->step);
        executor->routing.see(executor->routing.context, router->layer, routed->ids, routed->rows,
                              routed->used);
    }
}
