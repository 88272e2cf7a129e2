/* What the cards of an engine keep of routed experts, chosen by a record of them (docs/expert-cache.md). */
#include "engine/engine_internal.h"
#include "planner/expert_replay.h"
#include "runtime/expert_slots.h"

static status choose(struct engine *engine, const char *path, int slots, struct arena *scratch,
                     struct diagnostic *diagnostic)
{
    struct routing_trace *trace;
    struct expert_comparison comparison;
    double *frequencies;
    TRY(routing_trace_read(path, scratch, &trace, diagnostic));
    if (slots > trace->experts) slots = trace->experts;
    TRY(expert_compare(trace, slots, false, &comparison, diagnostic));
    TRY(expert_frequencies(trace, scratch, &frequencies, diagnostic));
    const struct expert_record record = {.layers = trace->layers,
                                         .layer_count = trace->layer_count,
                                         .experts = trace->experts,
                                         .frequencies = frequencies};
    /* Chosen on steps that it has not seen; the record then is all of them. */
    const struct expert_policy *policy = &expert_policies[comparison.advised];
    TRY(executor_set_expert_policy(engine->executor, policy, &record, diagnostic));
    engine->report.expert_policy = policy->name;
    return STATUS_OK;
}

status engine_choose_experts(struct engine *engine, const char *path, struct diagnostic *diagnostic)
{
    int slots = executor_expert_slots(engine->executor);
    engine->report.expert_policy = slots ? expert_policy_default()->name : NULL;
    if (!path) return STATUS_OK;
    if (!slots)
        return fail(diagnostic, STATUS_USAGE,
                    "--routing: there are no slots to keep experts in; ask for them with "
                    "--expert-slots N");
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = choose(engine, path, slots, scratch, diagnostic);
    arena_destroy(scratch);
    return code;
}
