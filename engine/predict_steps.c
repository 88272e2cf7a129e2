/* Steps with the same image on the same device are one row. */
#include "engine/predict_steps.h"

/* Before the token that is timed: the first after a prompt finds cold caches. */
enum { WARM_TOKENS = 2 };

static status feed_numbers(struct engine *engine, int sequence, int64_t count, float *logits,
                           struct arena *arena, struct diagnostic *diagnostic)
{
    int32_t *tokens;
    TRY_NEW(tokens, arena, count, diagnostic);
    for (int64_t t = 0; t < count; t++)
        tokens[t] = (int32_t)((t * 7919 + 13) % engine_model(engine)->vocabulary);
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    return engine_feed(engine, &input, 1, logits, diagnostic);
}

static status find_row(struct phase_comparison *phase, const struct step_comparison *wanted,
                       struct arena *arena, struct step_comparison **row,
                       struct diagnostic *diagnostic)
{
    for (int r = 0; r < phase->count; r++) {
        *row = &phase->rows[r];
        if ((*row)->kind == wanted->kind && (*row)->image == wanted->image &&
            (*row)->device == wanted->device)
            return STATUS_OK;
    }
    TRY_APPEND(phase->rows, phase->count, phase->capacity, arena, diagnostic);
    *row = &phase->rows[phase->count - 1];
    **row = *wanted;
    return STATUS_OK;
}

/* The last step that was run, with what is predicted of it. */
static status collect(struct engine *engine, const struct device_facts *const *facts,
                      struct arena *arena, struct phase_comparison *phase,
                      struct diagnostic *diagnostic)
{
    const struct plan *plan = plan_schedule(engine_plan(engine), phase->tokens);
    const struct step_costs costs = {.plan = plan, .facts = facts};
    const double *seconds = executor_step_seconds(engine_executor(engine), phase->tokens);
    struct run run = {.context = phase->context};
    plan_symbols(&plan->bounds, run.symbols);
    run.symbols[SYMBOL_TOKENS] = phase->tokens;
    run.symbols[SYMBOL_OUTPUTS] = 1;
    for (int s = 0; s < plan->step_count; s++) {
        const struct plan_step *step = &plan->steps[s];
        struct step_comparison wanted = {.kind = step->kind, .device = step->device}, *row;
        int64_t rows;
        if (step->kind == STEP_SIGNAL || step->kind == STEP_WAIT) continue;
        int image = step->kind == STEP_LAUNCH ? cost_step_image(plan, s, &run, &rows) : -1;
        if (image >= 0) wanted.image = &plan->images[image];
        TRY(find_row(phase, &wanted, arena, &row, diagnostic));
        row->steps++;
        row->measured_seconds += seconds[s];
        row->predicted_seconds += cost_step_seconds(&costs, s, &run);
    }
    return STATUS_OK;
}

static status run_phases(struct engine *engine, int sequence, struct arena *arena,
                         struct phase_comparison *prefill, struct phase_comparison *decode,
                         struct diagnostic *diagnostic)
{
    int count;
    struct device *const *devices = engine_devices(engine, &count);
    const struct device_facts **facts;
    float *logits;
    TRY_NEW(facts, arena, count, diagnostic);
    TRY_NEW(logits, arena, engine_model(engine)->vocabulary, diagnostic);
    for (int d = 0; d < count; d++) facts[d] = device_facts(devices[d]);
    TRY(feed_numbers(engine, sequence, prefill->tokens, logits, arena, diagnostic));
    TRY(collect(engine, facts, arena, prefill, diagnostic));
    for (int w = 0; w < WARM_TOKENS; w++)
        TRY(feed_numbers(engine, sequence, 1, logits, arena, diagnostic));
    return collect(engine, facts, arena, decode, diagnostic);
}

status predict_steps(struct engine *engine, int64_t prompt_tokens, struct arena *arena,
                     struct phase_comparison *prefill, struct phase_comparison *decode,
                     struct diagnostic *diagnostic)
{
    int64_t chunk = engine_plan(engine)->bounds.tokens;
    int64_t tokens = prompt_tokens < chunk ? prompt_tokens : chunk;
    int64_t room = engine_plan(engine)->bounds.context - WARM_TOKENS;
    if (tokens > room) tokens = room;
    if (tokens < 1)
        return fail(diagnostic, STATUS_USAGE,
                    "--predict: the context holds no prompt and %d tokens; raise --context",
                    WARM_TOKENS);
    *prefill = (struct phase_comparison){.tokens = tokens, .context = tokens};
    *decode = (struct phase_comparison){.tokens = 1, .context = tokens + WARM_TOKENS};
    int sequence;
    TRY(engine_sequence_open(engine, &sequence, diagnostic));
    executor_time_steps(engine_executor(engine), true);
    status code = run_phases(engine, sequence, arena, prefill, decode, diagnostic);
    executor_time_steps(engine_executor(engine), false);
    engine_sequence_close(engine, sequence);
    return code;
}
