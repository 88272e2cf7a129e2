/* Steps with the same problem and kernel are one row: a layer's worth of insight, not a page of repetition. */
#include "cli/roofline.h"

#include "runtime/cpu_probe.h"

#include <stdio.h>
#include <string.h>

enum { WARM_UP_STEPS = 2 };

struct row {
    const struct plan_image *image;
    int steps;
    double seconds, bytes, operations;
};

struct ceilings {
    double bandwidth, real_rate, integer_rate, half_rate;
};

/* At most this share of a ceiling was used; the higher of memory and arithmetic is the bound. */
static double share_of_limit(const struct row *row, const struct ceilings *ceilings,
                             const char **bound)
{
    double memory = row->bytes / ceilings->bandwidth / row->seconds;
    double rate =
        ceilings->integer_rate > ceilings->real_rate ? ceilings->integer_rate : ceilings->real_rate;
    if (ceilings->half_rate > rate) rate = ceilings->half_rate;
    double arithmetic = row->operations / rate / row->seconds;
    *bound = memory >= arithmetic ? "memory" : "arithmetic";
    return memory >= arithmetic ? memory : arithmetic;
}

static status feed_random(struct engine *engine, int sequence, int64_t count, float *logits,
                          struct arena *arena, struct diagnostic *diagnostic)
{
    int32_t *tokens;
    TRY_NEW(tokens, arena, count, diagnostic);
    for (int64_t t = 0; t < count; t++)
        tokens[t] = (int32_t)((t * 7919 + 13) % engine_model(engine)->vocabulary);
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    return engine_feed(engine, &input, 1, logits, diagnostic);
}

static const struct plan_image *image_of(const struct plan *plan, const struct plan_step *step,
                                         int64_t tokens, int64_t context, int64_t *rows)
{
    const struct value *first = &plan->graph->values[plan->graph->nodes[step->node].inputs[0]];
    struct dimension leading = first->type.shape[0];
    *rows = leading.symbol == SYMBOL_OUTPUTS ? 1 : tokens;
    int image = plan->choices[step->node][bucket_of_rows(*rows)][bucket_of_context(context)];
    return image < 0 ? NULL : &plan->images[image];
}

/* Adds the plan's launches of the last timed step to the rows. */
static status collect(const struct engine *engine, const double *seconds, int64_t tokens,
                      int64_t context, struct arena *arena, struct row **rows, int *count,
                      struct diagnostic *diagnostic)
{
    const struct plan *plan = engine_plan(engine);
    size_t capacity = 0;
    for (int s = 0; s < plan->step_count; s++) {
        int64_t leading;
        if (plan->steps[s].kind != STEP_LAUNCH) continue;
        const struct plan_image *image = image_of(plan, &plan->steps[s], tokens, context, &leading);
        if (!image) continue;
        int r = 0;
        while (r < *count && (*rows)[r].image != image) r++;
        if (r == *count) {
            TRY_APPEND(*rows, *count, capacity, arena, diagnostic);
            (*rows)[r].image = image;
        }
        struct problem problem = *image->problem;
        problem.rows = leading;
        if (problem.context) problem.context = context;
        struct cost cost = problem_cost(&problem);
        (*rows)[r].steps++;
        (*rows)[r].seconds += seconds[s];
        (*rows)[r].bytes += cost.bytes;
        (*rows)[r].operations += cost.operations;
    }
    return STATUS_OK;
}

static void print_table(const char *title, const struct row *rows, int count,
                        const struct ceilings *ceilings)
{
    double total = 0, lost = 0;
    for (int r = 0; r < count; r++) total += rows[r].seconds;
    printf("\n%s: %.3f ms\n%6s %10s %7s %9s %9s  %-22s %s\n", title, total * 1e3, "steps", "ms",
           "share", "GB/s", "GFLOP/s", "of its limit", "kernel");
    for (int r = 0; r < count; r++) {
        const char *bound;
        double share = share_of_limit(&rows[r], ceilings, &bound);
        lost += rows[r].seconds * (share < 1 ? 1 - share : 0);
        printf("%6d %10.3f %6.1f%% %9.2f %9.1f  %5.1f %% of %-10s  %s: %s\n", rows[r].steps,
               rows[r].seconds * 1e3, 100 * rows[r].seconds / total,
               rows[r].bytes / rows[r].seconds / 1e9, rows[r].operations / rows[r].seconds / 1e9,
               100 * share, bound, rows[r].image->problem->op->name, rows[r].image->candidate);
    }
    printf("       %10.3f %6.1f%% lost against the limits\n", lost * 1e3, 100 * lost / total);
}

static json_t *table_json(const struct row *rows, int count, const struct ceilings *ceilings)
{
    json_t *array = json_array();
    for (int r = 0; r < count; r++) {
        const char *bound;
        double share = share_of_limit(&rows[r], ceilings, &bound);
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:s}", "problem",
                                        rows[r].image->problem->text, "kernel",
                                        rows[r].image->candidate, "steps", rows[r].steps, "seconds",
                                        rows[r].seconds, "bytes", rows[r].bytes, "operations",
                                        rows[r].operations, "limit_share", share, "bound", bound));
    }
    return array;
}

static status report_phase(struct engine *engine, const char *title, const char *name,
                           int64_t tokens, int64_t context, const struct ceilings *ceilings,
                           struct arena *arena, json_t *document, struct diagnostic *diagnostic)
{
    struct row *rows = NULL;
    int count = 0;
    TRY(collect(engine, executor_step_seconds(engine_executor(engine)), tokens, context, arena,
                &rows, &count, diagnostic));
    if (document)
        json_object_set_new(document, name, table_json(rows, count, ceilings));
    else
        print_table(title, rows, count, ceilings);
    return STATUS_OK;
}

static status measure_ceilings(struct engine *engine, struct ceilings *ceilings,
                               struct diagnostic *diagnostic)
{
    int count;
    struct device_facts facts = *device_facts(engine_devices(engine, &count)[0]);
    struct thread_pool *pool;
    TRY(thread_pool_create(thread_count_default(), &pool, diagnostic));
    status code = cpu_probe_facts(pool, &facts, diagnostic);
    thread_pool_destroy(pool);
    *ceilings = (struct ceilings){facts.values[FACT_read_bandwidth], facts.values[FACT_real_rate],
                                  facts.values[FACT_integer_rate], facts.values[FACT_half_rate]};
    return code;
}

static status run_phases(struct engine *engine, int sequence, int64_t prompt_tokens, float *logits,
                         struct arena *arena, json_t *document, struct diagnostic *diagnostic)
{
    struct ceilings ceilings;
    int64_t chunk = engine_plan(engine)->bounds.tokens;
    int64_t tokens = prompt_tokens < chunk ? prompt_tokens : chunk;
    TRY(measure_ceilings(engine, &ceilings, diagnostic));
    executor_time_steps(engine_executor(engine), true);
    TRY(feed_random(engine, sequence, tokens, logits, arena, diagnostic));
    TRY(report_phase(engine, "prompt, one step", "roofline_prefill", tokens, tokens, &ceilings,
                     arena, document, diagnostic));
    for (int warm = 0; warm < WARM_UP_STEPS; warm++)
        TRY(feed_random(engine, sequence, 1, logits, arena, diagnostic));
    return report_phase(engine, "generation, one step", "roofline_decode", 1,
                        tokens + WARM_UP_STEPS, &ceilings, arena, document, diagnostic);
}

status roofline_report(struct engine *engine, int64_t prompt_tokens, struct arena *arena,
                       json_t *document, struct diagnostic *diagnostic)
{
    float *logits;
    int sequence;
    TRY_NEW(logits, arena, engine_model(engine)->vocabulary, diagnostic);
    TRY(engine_sequence_open(engine, &sequence, diagnostic));
    status code = run_phases(engine, sequence, prompt_tokens, logits, arena, document, diagnostic);
    executor_time_steps(engine_executor(engine), false);
    engine_sequence_close(engine, sequence);
    return code;
}
