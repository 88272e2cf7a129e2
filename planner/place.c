/* Planning: the best prompt chunk with its solution, the runner-up, and the rule that people use beside them. */
#include "planner/place.h"

#include <math.h>

/* Prompt chunks that are tried, up to the largest bucket of rows; and what is usual (engine/engine.h, CHUNK_DEFAULT). */
static const int64_t chunks_tried[] = {256, 512, 1024, 2048, 4096};
static const int64_t chunk_usual = 512;

double place_decode_rate(const struct place_plan *plan)
{
    double seconds = plan->solution.times.decode_seconds;
    return seconds > 0 ? plan->input->rows[PLACEMENT_DECODE] / seconds : 0;
}

double place_prefill_rate(const struct place_plan *plan, double prompt_tokens)
{
    double seconds = plan->solution.times.prefill_seconds;
    return seconds > 0 ? prompt_tokens / seconds : 0;
}

static status plan_chunk(const struct place_request *request, int64_t chunk, struct arena *arena,
                         struct place_plan *plan, struct place_result *result,
                         struct diagnostic *diagnostic)
{
    plan->chunk = chunk;
    TRY(place_costs(request, chunk, arena, &plan->input, result, diagnostic));
    return solve_run(plan->input, arena, &plan->solution, diagnostic);
}

/* Memory decides which chunks are possible; the refusal of the smallest one counts. */
static status plan_best_chunk(const struct place_request *request, struct arena *arena,
                              struct place_result *result, struct diagnostic *diagnostic)
{
    int64_t given = request->bounds.tokens;
    struct diagnostic refused = {0};
    bool found = false;
    int count = given > 0 ? 1 : (int)(sizeof chunks_tried / sizeof *chunks_tried);
    for (int i = 0; i < count; i++) {
        struct place_plan plan;
        struct diagnostic reason = {0};
        int64_t chunk = given > 0 ? given : chunks_tried[i];
        if (i > 0 && (double)chunk >= 2 * request->prompt_tokens) break;
        status code = plan_chunk(request, chunk, arena, &plan, result, &reason);
        if (code != STATUS_OK && code != STATUS_NO_MEMORY)
            return fail(diagnostic, code, "%s", reason.text);
        if (code != STATUS_OK) {
            if (i == 0) refused = reason;
            continue;
        }
        if (found && plan.solution.times.total_seconds >= result->best.solution.times.total_seconds)
            continue;
        result->best = plan;
        found = true;
    }
    return found ? STATUS_OK : fail(diagnostic, STATUS_NO_MEMORY, "%s", refused.text);
}

/* What leads most layers of a solution. */
static int main_lead(const struct place_plan *plan)
{
    const struct solution *solution = &plan->solution;
    int best = -1, most = 0;
    for (int lead = 0;; lead++) {
        int layers = 0;
        bool known = false;
        for (int o = 0; o < solution->option_count; o++) {
            const struct solve_part *parts = plan->input->classes[solution->options[o].class].parts;
            known = known || solution->options[o].lead >= lead;
            if (solution->options[o].lead == lead && !parts[PLACEMENT_EMBED].units &&
                !parts[PLACEMENT_OUTPUT].units)
                layers += solution->counts[o];
        }
        if (!known) return best;
        if (layers <= most) continue;
        most = layers;
        best = lead;
    }
}

/* Where nothing else fits there is no second. */
static status plan_second(struct arena *arena, struct place_result *result,
                          struct diagnostic *diagnostic)
{
    struct solve_input *input;
    struct solution solution;
    struct diagnostic reason = {0};
    TRY_NEW(input, arena, 1, diagnostic);
    *input = *result->best.input;
    input->banned_lead = main_lead(&result->best);
    if (solve_run(input, arena, &solution, &reason) != STATUS_OK) return STATUS_OK;
    result->second = (struct place_plan){input, solution, result->best.chunk};
    if (solution.times.ranked_seconds >= result->best.solution.times.ranked_seconds)
        return STATUS_OK;
    /* The first search was ended by its limit, and this one has found better: its options are among all. */
    struct place_plan better = result->second;
    better.solution.bound_seconds =
        fmin(better.solution.bound_seconds, result->best.solution.bound_seconds);
    result->second = result->best;
    result->best = better;
    return STATUS_OK;
}

/* People who follow the rule take the usual chunk, unless they ask for another. */
static status plan_by_rule(const struct place_request *request, struct arena *arena,
                           struct place_result *result, struct diagnostic *diagnostic)
{
    struct place_plan rule = {.input = result->best.input, .chunk = result->best.chunk};
    const struct solution *best = &result->best.solution;
    if (request->bounds.tokens <= 0 && rule.chunk != chunk_usual) {
        rule.chunk = chunk_usual;
        TRY(place_costs(request, rule.chunk, arena, &rule.input, result, diagnostic));
    }
    TRY(solve_by_rule(rule.input, arena, &rule.solution, &result->in_order_times, diagnostic));
    if (rule.solution.times.short_bytes > 0) return STATUS_OK;
    result->rule = rule;
    if (rule.solution.times.ranked_seconds >= best->times.ranked_seconds) return STATUS_OK;
    rule.solution.bound_seconds = fmin(best->bound_seconds, rule.solution.times.ranked_seconds);
    result->best = rule;
    return STATUS_OK;
}

status place_model(const struct place_request *request, struct arena *arena,
                   struct place_result *result, struct diagnostic *diagnostic)
{
    *result = (struct place_result){0};
    TRY(plan_best_chunk(request, arena, result, diagnostic));
    TRY(plan_second(arena, result, diagnostic));
    TRY(plan_by_rule(request, arena, result, diagnostic));
    return place_fill(request, &result->best, result->class_of_layer, arena, &result->placement,
                      diagnostic);
}

/* ---- Why ---- */

static bool has_other_home(const struct place_plan *plan, int option, int other,
                           enum placement_part part)
{
    const struct solve_option *a = &plan->solution.options[option];
    const struct solve_option *b = &plan->solution.options[other];
    for (int d = 0; d <= plan->input->device_count; d++)
        if (a->home[part][d] != b->home[part][d]) return true;
    for (int d = 0; d < plan->input->device_count; d++)
        for (int p = 0; p < PLACEMENT_PHASES; p++)
            if (a->work[p][part][d] != b->work[p][part][d]) return true;
    return false;
}

status place_alternative(const struct place_plan *plan, int option, enum placement_part part,
                         struct arena *arena, int *other, double *loss_seconds,
                         struct diagnostic *diagnostic)
{
    const struct solution *solution = &plan->solution;
    struct solve_state state;
    TRY(solve_state_create(plan->input, solution->options, solution->option_count, arena, &state,
                           diagnostic));
    solve_state_set(&state, solution->counts);
    *other = -1;
    *loss_seconds = INFINITY;
    solve_state_add(&state, option, -1);
    for (int o = 0; o < solution->option_count; o++) {
        if (solution->options[o].class != solution->options[option].class ||
            !has_other_home(plan, option, o, part))
            continue;
        solve_state_add(&state, o, 1);
        const struct solve_times times = solve_state_times(&state);
        solve_state_add(&state, o, -1);
        double loss = times.ranked_seconds - solution->times.ranked_seconds;
        if (times.short_bytes > 0 || loss >= *loss_seconds) continue;
        *loss_seconds = loss;
        *other = o;
    }
    return STATUS_OK;
}
