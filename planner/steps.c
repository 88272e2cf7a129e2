/* From the partitioned graph to steps: a launch per node on its device's queue, and for each transfer
 *
 *     source queue:       ... producer | signal A |               (wait B) ...
 *     destination queue:  ...          | wait A   | copy | signal B ...
 *
 * The source waits for B only when it has more to do in this step, because only then can it overwrite the value; where it has
 * not, the next step, which may begin before this one ends, waits for B (runtime/execute.c).
 *
 * A weight that is kept on another device comes by the queue of copies: it may start when work has come to where the
 * transfer stands in the graph (pass_stream puts it well before the user), and only the first user waits for its end:
 *
 *     queue of work:      ... | signal A | ... nodes ...      | wait B | user
 *     queue of copies:        | wait A   | copy | signal B | */
#include "ir/graph_edit.h"
#include "planner/build.h"

static status add_step(struct plan *plan, struct plan_step step, struct diagnostic *diagnostic)
{
    TRY_APPEND(plan->steps, plan->step_count, plan->step_capacity, plan->arena, diagnostic);
    plan->steps[plan->step_count - 1] = step;
    return STATUS_OK;
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
    int copied = plan->event_count++;
    TRY(add_step(plan,
                 (struct plan_step){.kind = STEP_SIGNAL, .device = destination, .event = copied},
                 diagnostic));
    if (!works_after(graph, source, n)) return STATUS_OK;
    return add_step(plan, (struct plan_step){.kind = STEP_WAIT, .device = source, .event = copied},
                    diagnostic);
}

/* `arrived[value]`: the event behind its copy, plus 1, which no user has waited for yet. */
static status add_fetch(struct plan *plan, int n, int *arrived, struct diagnostic *diagnostic)
{
    const struct node *node = &plan->graph->nodes[n];
    int room = plan->event_count++, there = plan->event_count++, device = node->device;
    const struct plan_step steps[] = {
        {.kind = STEP_SIGNAL, .device = device, .event = room},
        {.kind = STEP_WAIT, .device = device, .queue = QUEUE_COPIES, .event = room},
        {.kind = STEP_COPY,
         .device = device,
         .queue = QUEUE_COPIES,
         .value = node->inputs[0],
         .target = node->outputs[0]},
        {.kind = STEP_SIGNAL, .device = device, .queue = QUEUE_COPIES, .event = there},
    };
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        TRY(add_step(plan, steps[s], diagnostic));
    arrived[node->outputs[0]] = there + 1;
    return STATUS_OK;
}

static status add_launch(struct plan *plan, int n, int *arrived, struct diagnostic *diagnostic)
{
    const struct node *node = &plan->graph->nodes[n];
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        int value = node->inputs[i];
        if (value == VALUE_NONE || !arrived[value]) continue;
        const struct plan_step wait = {
            .kind = STEP_WAIT, .device = node->device, .event = arrived[value] - 1};
        arrived[value] = 0;
        TRY(add_step(plan, wait, diagnostic));
    }
    const struct plan_step launch = {.kind = node_is(node, "resolve") ? STEP_RESOLVE : STEP_LAUNCH,
                                     .device = node->device,
                                     .node = n};
    return add_step(plan, launch, diagnostic);
}

status plan_make_steps(struct plan *plan, struct diagnostic *diagnostic)
{
    const struct graph *graph = plan->graph;
    int *arrived;
    TRY_NEW(arrived, plan->arena, graph->value_count, diagnostic);
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        if (!node_is(node, "transfer"))
            TRY(add_launch(plan, n, arrived, diagnostic));
        else if (graph->values[node->inputs[0]].kind == VALUE_WEIGHT)
            TRY(add_fetch(plan, n, arrived, diagnostic));
        else
            TRY(add_transfer(plan, n, diagnostic));
    }
    return STATUS_OK;
}
