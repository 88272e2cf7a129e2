/* The second schedule of a plan: prompts computed elsewhere than answers, over the same weights and states. */
#include "planner/build.h"
#include "planner/lower_placement.h"

/* Weights that only the second schedule wants where it wants them, and its activations. */
static void count_second_homes(struct plan *plan)
{
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    for (int v = 0; v < plan->prefill->graph->value_count; v++) {
        const struct value *value = &plan->prefill->graph->values[v];
        if (value->kind == VALUE_WEIGHT && plan_find_home(plan->graph, value) == VALUE_NONE)
            plan->devices[value->device].weight_bytes += tensor_bytes(&value->type, symbols);
    }
    for (int d = 0; d < plan->device_count; d++) {
        int64_t bytes = plan->prefill->memory.device_bytes[d];
        if (bytes > plan->devices[d].arena_bytes) plan->devices[d].arena_bytes = bytes;
    }
}

/* Cards that are not here race the kernels of one schedule. */
static bool has_second(const struct build_options *options, const struct plan *plan)
{
    if (!plan->placement || options->prompts) return false;
    for (int d = 0; d < options->device_count; d++)
        if (options->devices[d].candidates > 1) return false;
    return lower_differs(options, plan->placement);
}

status build_second_schedule(const struct graph *graph, const struct build_options *options,
                             struct plan *plan, struct build_report *report,
                             struct diagnostic *diagnostic)
{
    struct build_options second = *options;
    struct build_report own;
    if (!has_second(options, plan)) return STATUS_OK;
    second.placement = plan->placement;
    second.prompts = true;
    second.previous = plan;
    TRY(plan_build(graph, &second, &plan->prefill, &own, diagnostic));
    plan->prefill_tokens = plan->placement->stream_rows;
    report->kernels += own.kernels;
    report->compiled += own.compiled;
    count_second_homes(plan);
    return plan_verify_phases(plan, diagnostic);
}
