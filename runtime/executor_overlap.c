/* Two steps under way: while the last devices work on one, the first ones begin the next.
 *
 * Each device works on them in order, so its arena, states and inputs are only ever one step's. What crosses devices needs
 * care: a copy reads the arena of another device, which may have begun the next step. Where the plan itself does not let that
 * device wait for the copy, the next step does. Steps have events of their own, and inputs are kept until they were read. */
#include "runtime/executor.h"

static bool is_awaited(const struct plan *plan, int event)
{
    for (int s = 0; s < plan->step_count; s++)
        if (plan->steps[s].kind == STEP_WAIT && plan->steps[s].event == event) return true;
    return false;
}

/* The event that says that copy `s` is done; -1: none does. */
static int event_behind(const struct plan *plan, int s)
{
    const struct plan_step *copy = &plan->steps[s], *next = copy + 1;
    bool signals = s + 1 < plan->step_count && next->kind == STEP_SIGNAL &&
                   next->device == copy->device && next->queue == copy->queue;
    return signals ? next->event : -1;
}

/* False when a copy cannot be waited for. */
static bool find_carried(struct executor *executor)
{
    const struct plan *plan = executor->plan;
    for (int s = 0; s < plan->step_count; s++) {
        const struct plan_step *step = &plan->steps[s];
        if (step->kind != STEP_COPY || step->queue != QUEUE_WORK) continue;
        int source = plan->graph->values[step->value].device, event = event_behind(plan, s);
        if (source == step->device) continue;
        if (event < 0) return false;
        if (!is_awaited(plan, event))
            executor->carried[executor->carried_count++] = (struct carried){source, event};
    }
    return true;
}

static status stage_inputs(struct executor *executor, int set, struct diagnostic *diagnostic)
{
    const struct graph *graph = executor->plan->graph;
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&executor->plan->bounds, symbols);
    TRY_NEW(executor->staged[set], executor->arena, graph->value_count, diagnostic);
    for (int v = 0; v < graph->value_count; v++) {
        if (graph->values[v].kind != VALUE_INPUT) continue;
        size_t bytes = (size_t)tensor_bytes(&graph->values[v].type, symbols);
        executor->staged[set][v] = arena_allocate(executor->arena, bytes, 1);
        TRY_MEMORY(executor->staged[set][v], diagnostic);
    }
    return STATUS_OK;
}

status executor_prepare_overlap(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    TRY_NEW(executor->carried, executor->arena, plan->step_count, diagnostic);
    for (int set = 0; set < STEPS_KEPT; set++) TRY(stage_inputs(executor, set, diagnostic));
    executor->overlaps = find_carried(executor);
    for (int d = 0; d < plan->device_count; d++)
        executor->overlaps &= !executor->works[d] || device_runs_apart(executor->devices[d]);
    return STATUS_OK;
}
