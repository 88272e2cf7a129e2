/* Two schedules over one residency: what a plan's second schedule must have in common with the first. */
#include "ir/graph_edit.h"
#include "ir/plan.h"

#include <string.h>

const struct plan *plan_schedule(const struct plan *plan, int64_t tokens)
{
    return plan->prefill && tokens >= plan->prefill_tokens ? plan->prefill : plan;
}

static const char *stored_name(const struct value *value)
{
    return value->source ? value->source : value->name;
}

bool plan_same_home(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind || a->device != b->device || !tensor_type_equal(&a->type, &b->type))
        return false;
    if (a->kind == VALUE_STATE) return strcmp(a->name, b->name) == 0;
    return a->kind == VALUE_WEIGHT && a->slice_first == b->slice_first &&
           a->slice_whole == b->slice_whole && strcmp(stored_name(a), stored_name(b)) == 0;
}

int plan_find_home(const struct graph *graph, const struct value *wanted)
{
    for (int v = 0; v < graph->value_count; v++)
        if (plan_same_home(&graph->values[v], wanted)) return v;
    return VALUE_NONE;
}

/* A state that only one schedule has would be written by it and read by nobody. */
status plan_verify_phases(const struct plan *plan, struct diagnostic *diagnostic)
{
    const struct plan *prefill = plan->prefill;
    int states[2] = {0};
    if (!prefill) return STATUS_OK;
    if (plan->prefill_tokens < 2 || plan->prefill_tokens > plan->bounds.tokens || prefill->prefill)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "plan: the second schedule is for no number of tokens that a step can have");
    for (int v = 0; v < plan->graph->value_count; v++)
        states[0] += plan->graph->values[v].kind == VALUE_STATE;
    for (int v = 0; v < prefill->graph->value_count; v++) {
        const struct value *value = &prefill->graph->values[v];
        if (value->kind != VALUE_STATE) continue;
        states[1]++;
        if (plan_find_home(plan->graph, value) == VALUE_NONE)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "plan: state %s of the second schedule is none of the first", value->name);
    }
    if (states[0] != states[1] || plan->graph->output_count != prefill->graph->output_count)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "plan: its schedules have other states or outputs");
    return STATUS_OK;
}
