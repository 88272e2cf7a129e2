/* The runs that feeding makes of prompts and generation (engine/feed.c): full chunks, and a step per token. */
#include "planner/simulate.h"

static struct run make_run(const struct plan *plan, int64_t tokens, int64_t outputs,
                           int64_t context)
{
    struct run run = {.context = context};
    plan_symbols(&plan->bounds, run.symbols);
    run.symbols[SYMBOL_TOKENS] = tokens;
    run.symbols[SYMBOL_OUTPUTS] = outputs;
    return run;
}

/* How many of the sequences' last tokens lie in [begin, end) of the prompts, one behind the other. */
static int64_t ends_within(const struct workload *workload, int64_t begin, int64_t end)
{
    return end / workload->prompt_tokens - begin / workload->prompt_tokens;
}

/* The longest sequence once [begin, end) is done. */
static int64_t context_within(const struct workload *workload, int64_t begin, int64_t end)
{
    if (ends_within(workload, begin, end) > 0) return workload->prompt_tokens;
    return (end - 1) % workload->prompt_tokens + 1;
}

static status check(const struct workload *workload, struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &workload->decode->bounds;
    int64_t context = workload->prompt_tokens + workload->generated_tokens;
    if (workload->prompt_tokens < 1 || workload->generated_tokens < 0 || workload->sequences < 1)
        return fail(diagnostic, STATUS_USAGE,
                    "a workload has at least one token of prompt and one sequence");
    if (context > bounds->context || workload->sequences > bounds->sequences ||
        workload->sequences > workload->prefill->bounds.outputs)
        return fail(diagnostic, STATUS_USAGE,
                    "the plan is for %lld sequences of %lld tokens; %d of %lld are asked for: give "
                    "--sequences and --context when it is built",
                    (long long)bounds->sequences, (long long)bounds->context, workload->sequences,
                    (long long)context);
    return STATUS_OK;
}

status workload_runs(const struct workload *workload, struct arena *arena,
                     struct simulated_run **result, int *count, int *prefill_count,
                     struct diagnostic *diagnostic)
{
    TRY(check(workload, diagnostic));
    int64_t chunk = workload->prefill->bounds.tokens;
    int64_t total = workload->prompt_tokens * workload->sequences;
    int64_t chunks = (total - 1) / chunk + 1;
    struct simulated_run *runs;
    TRY_NEW(runs, arena, chunks + workload->generated_tokens, diagnostic);
    for (int64_t c = 0; c < chunks; c++) {
        int64_t begin = c * chunk, end = begin + chunk < total ? begin + chunk : total;
        runs[c].plan = plan_schedule(workload->prefill, end - begin);
        runs[c].run = make_run(runs[c].plan, end - begin, ends_within(workload, begin, end),
                               context_within(workload, begin, end));
    }
    for (int64_t g = 0; g < workload->generated_tokens; g++) {
        runs[chunks + g].plan = plan_schedule(workload->decode, workload->sequences);
        runs[chunks + g].run = make_run(runs[chunks + g].plan, workload->sequences, workload->sequences,
                                        workload->prompt_tokens + g + 1);
    }
    *result = runs;
    *prefill_count = (int)chunks;
    *count = (int)(chunks + workload->generated_tokens);
    return STATUS_OK;
}
