/* What a missed expert takes: over the link, and on the host with one row and with some more.  Measured before the first
 * step, with the weights, queues and kernels that misses will use. */
#include "base/clock.h"
#include "ir/graph_edit.h"
#include "runtime/executor_slots.h"

#include <string.h>

/* The best of a few: each with another expert, so that none is in a cache because of the one before. */
enum { ROUNDS = 3, ROWS_SOME = 8 };

struct miss_times executor_miss_times(const struct executor *executor)
{
    return executor->slots ? executor->slots->times : (struct miss_times){0};
}

void executor_set_miss_times(struct executor *executor, const struct miss_times *times)
{
    if (executor->slots) executor->slots->times = *times;
}

/* Experts go to the slots that have them already. */
static status measure_fetch(struct executor *executor, const struct slot_group *group,
                            double *seconds, struct diagnostic *diagnostic)
{
    for (int e = 0; e < ROUNDS && e < group->slots; e++) {
        double start = clock_seconds();
        TRY(executor_fetch_expert(executor, group, e, e, diagnostic));
        TRY(executor_finish(executor, diagnostic));
        double taken = clock_seconds() - start;
        if (e == 0 || taken < *seconds) *seconds = taken;
    }
    return STATUS_OK;
}

/* Sorted rows of which the first ones are the expert's, and the others nobody's. */
static void write_rows(struct executor *executor, const struct slot_group *group, int expert,
                       int64_t rows, int64_t assignments)
{
    const struct graph *graph = executor->plan->graph;
    const struct node *dispatch = &graph->nodes[graph->values[group->offsets].producer];
    int32_t *order = executor_address(executor, group->host, dispatch->outputs[0]);
    int32_t *offsets = executor_address(executor, group->host, group->offsets);
    for (int e = 0; e <= group->experts; e++) offsets[e] = e > expert ? (int32_t)rows : 0;
    for (int64_t a = 0; a < assignments; a++) order[a] = (int32_t)a;
}

static status run_expert(struct executor *executor, const struct slot_group *group,
                         const struct run *run, double *seconds, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    double start = clock_seconds();
    for (int s = 0; s < plan->step_count; s++)
        if (plan->steps[s].kind == STEP_LAUNCH &&
            node_find_input(&plan->graph->nodes[plan->steps[s].node], "offsets") == group->offsets)
            TRY(executor_launch(executor, s, run, diagnostic));
    TRY(executor_finish(executor, diagnostic));
    *seconds = clock_seconds() - start;
    return STATUS_OK;
}

static status measure_host(struct executor *executor, const struct slot_group *group, int64_t rows,
                           double *seconds, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    const struct node *dispatch = &plan->graph->nodes[plan->graph->values[group->offsets].producer];
    int64_t used = tensor_columns(&plan->graph->values[dispatch->inputs[0]].type);
    struct run run = {.context = rows};
    plan_symbols(&plan->bounds, run.symbols);
    run.symbols[SYMBOL_TOKENS] = run.symbols[SYMBOL_OUTPUTS] = rows;
    for (int e = 0; e < ROUNDS && e < group->experts; e++) {
        double taken;
        write_rows(executor, group, group->experts - 1 - e, rows, rows * used);
        TRY(run_expert(executor, group, &run, &taken, diagnostic));
        if (e == 0 || taken < *seconds) *seconds = taken;
    }
    return STATUS_OK;
}

status executor_measure_misses(struct executor *executor, struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    const struct slot_group *group = &slots->groups[0];
    const struct plan_bounds *bounds = &executor->plan->bounds;
    struct miss_times *times = &slots->times;
    int64_t some = bounds->tokens < ROWS_SOME ? bounds->tokens : ROWS_SOME;
    double with_some;
    if (some > bounds->outputs) some = bounds->outputs;
    TRY(measure_fetch(executor, group, &times->fetch_seconds, diagnostic));
    TRY(measure_host(executor, group, 1, &times->host_seconds, diagnostic));
    if (some > 1) {
        TRY(measure_host(executor, group, some, &with_some, diagnostic));
        if (with_some > times->host_seconds)
            times->host_row_seconds = (with_some - times->host_seconds) / (double)(some - 1);
    }
    slots->counts = (struct expert_counts){0};
    return STATUS_OK;
}
