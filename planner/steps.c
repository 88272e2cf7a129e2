/* From the partitioned graph to steps: a launch per node on its device's queue, and for each transfer
 *
 *     source queue:       ... producer | signal A |               (wait B) ...
 *     destination queue:  ...          | wait A   | copy | signal B ...
 *
 * The source waits for B only when it has more to do in this step, because only then can it overwrite the value. */
#include "planner/build.h"

#include <string.h>

static status add_step(struct plan *plan, struct plan_step step, struct diagnostic *diagnostic)
{
    TRY_APPEND(plan->steps, plan->step_count, plan->step_capacity, plan->arena, diagnostic);
    plan->steps[plan->step_count - 1] = step;
    return STATUS_OK;
}

static bool is_transfer(const struct node *node)
{
    return strcmp(node->op->name, "transfer") == 0;
}

static bool works_after(const struct graph *graph, int device, int node)
{
    for (int n = node + 1; n < graph->node_count; n++)
        if (graph->nodes[n].device == device) return true;
    return false;
}

static status add_transfer(struct plan *plan, int n, struct diagnostic *diagnostic)
{
    const struct graph *graph = plan->graph;
    const struct node *node = &graph->nodes[n];
    int value = node->inputs[0], target = node->outputs[0];
    int source = graph->values[value].device, destination = node->device;
    int ready = plan->event_count++;
    TRY(add_step(plan, (struct plan_step){.kind = STEP_SIGNAL, .device = source, .event = ready},
                 diagnostic));
    TRY(add_step(plan, (struct plan_step){.kind = STEP_WAIT, .device = destination, .event = ready},
                 diagnostic));
    TRY(add_step(plan,
                 (struct plan_step){
                     .kind = STEP_COPY, .device = destination, .value = value, .target = target},
                 diagnostic));
    if (!works_after(graph, source, n)) return STATUS_OK;
    int copied = plan->event_count++;
    TRY(add_step(plan,
                 (struct plan_step){.kind = STEP_SIGNAL, .device = destination, .event = copied},
                 diagnostic));
    return add_step(plan, (struct plan_step){.kind = STEP_WAIT, .device = source, .event = copied},
                    diagnostic);
}

status plan_make_steps(struct plan *plan, struct diagnostic *diagnostic)
{
    for (int n = 0; n < plan->graph->node_count; n++) {
        const struct node *node = &plan->graph->nodes[n];
        if (is_transfer(node)) {
            TRY(add_transfer(plan, n, diagnostic));
            continue;
        }
        TRY(add_step(plan,
                     (struct plan_step){.kind = STEP_LAUNCH, .device = node->device, .node = n},
                     diagnostic));
    }
    return STATUS_OK;
}
