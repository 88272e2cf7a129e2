/* Steps with the same problem and kernel are one row: a layer's worth of insight, not a page of repetition.  Copies and
 * waits are rows as well, and what a step costs beside all of them is the last. */
#include "cli/roofline.h"

#include "base/clock.h"
#include "engine/measure_rates.h"
#include "ir/ceiling.h"
#include "runtime/cpu_probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The median of so many steps is taken for each row: one alone would be at the mercy of other work. */
enum { WARM_UP_STEPS = 2, SAMPLES = ROOFLINE_TOKENS - WARM_UP_STEPS };

struct row {
    const struct plan_image *image; /* NULL: not a launch */
    enum step_kind kind;
    int steps;
    double seconds, bytes, operations;
    struct ceiling limit;
};

struct table {
    struct row *rows;
    int count;
    double wall_seconds; /* of the whole step, as its caller sees it */
};

struct phase {
    struct engine *engine;
    const struct device_facts *facts;
    int sequence;
    int64_t tokens, context; /* of one step */
    float *logits;
    struct arena *arena;
};

static const struct plan_image *image_of(const struct plan *plan, const struct plan_step *step,
                                         int64_t tokens, int64_t context, int64_t *rows)
{
    const struct value *first = &plan->graph->values[plan->graph->nodes[step->node].inputs[0]];
    struct dimension leading = first->type.shape[0];
    *rows = leading.symbol == SYMBOL_OUTPUTS ? 1 : tokens;
    int image = plan->choices[step->node][bucket_of_rows(*rows)][bucket_of_context(context)];
    return image < 0 ? NULL : &plan->images[image];
}

static status find_row(struct table *table, size_t *capacity, const struct plan_image *image,
                       enum step_kind kind, struct arena *arena, struct row **row,
                       struct diagnostic *diagnostic)
{
    int r = 0;
    while (r < table->count && (table->rows[r].image != image || table->rows[r].kind != kind)) r++;
    if (r == table->count) {
        TRY_APPEND(table->rows, table->count, *capacity, arena, diagnostic);
        table->rows[r] = (struct row){.image = image, .kind = kind};
    }
    *row = &table->rows[r];
    return STATUS_OK;
}

static void add_work(const struct phase *phase, const struct plan_image *image, int64_t leading,
                     struct row *row)
{
    struct problem problem = *image->problem;
    problem.rows = leading;
    if (problem.context) problem.context = phase->context;
    struct cost cost = problem_cost(&problem);
    struct numerics numerics = image_numerics(phase->engine, image);
    struct ceiling limit = ceiling_of(&problem, &numerics, phase->facts);
    row->bytes += cost.bytes;
    row->operations += cost.operations;
    row->limit.memory_seconds += limit.memory_seconds;
    row->limit.arithmetic_seconds += limit.arithmetic_seconds;
}

/* All steps of the plan, with the seconds that each of them took and, behind them, the whole. */
static status collect(const struct phase *phase, const double *seconds, struct table *table,
                      struct diagnostic *diagnostic)
{
    const struct plan *plan = plan_schedule(engine_plan(phase->engine), phase->tokens);
    size_t capacity = 0;
    for (int s = 0; s < plan->step_count; s++) {
        const struct plan_step *step = &plan->steps[s];
        const struct plan_image *image = NULL;
        int64_t leading = 0;
        struct row *row;
        if (step->kind == STEP_LAUNCH)
            image = image_of(plan, step, phase->tokens, phase->context, &leading);
        TRY(find_row(table, &capacity, image, step->kind, phase->arena, &row, diagnostic));
        row->steps++;
        row->seconds += seconds[s];
        if (image) add_work(phase, image, leading, row);
    }
    table->wall_seconds = seconds[plan->step_count];
    return STATUS_OK;
}

static int by_value(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

/* Medians over the samples of a matrix [SAMPLES][count]. */
static void take_medians(double *samples, int count, double *medians)
{
    for (int i = 0; i < count; i++) {
        double own[SAMPLES];
        for (int n = 0; n < SAMPLES; n++) own[n] = samples[n * count + i];
        qsort(own, SAMPLES, sizeof *own, by_value);
        medians[i] = own[SAMPLES / 2];
    }
}

/* ---- What is lost ---- */

enum { LOST_MEMORY, LOST_ARITHMETIC, LOST_OTHER, LOST_COUNT };
static const char *const lost_names[LOST_COUNT] = {"memory", "arithmetic", "between steps"};

/* The side that bounds the row. */
static int bound_of(const struct row *row)
{
    if (!row->image) return LOST_OTHER;
    return row->limit.memory_seconds >= row->limit.arithmetic_seconds ? LOST_MEMORY
                                                                      : LOST_ARITHMETIC;
}

static double limit_seconds(const struct row *row)
{
    return ceiling_seconds(&row->limit);
}

static double lost_seconds(const struct row *row)
{
    return fmax(0, row->seconds - limit_seconds(row));
}

struct losses {
    double step_seconds, limit_seconds, lost[LOST_COUNT];
};

static struct losses losses_of(const struct table *table)
{
    struct losses losses = {0};
    for (int r = 0; r < table->count; r++) {
        losses.step_seconds += table->rows[r].seconds;
        losses.limit_seconds += limit_seconds(&table->rows[r]);
        losses.lost[bound_of(&table->rows[r])] += lost_seconds(&table->rows[r]);
    }
    losses.lost[LOST_OTHER] += fmax(0, table->wall_seconds - losses.step_seconds);
    return losses;
}

static const char *kernel_of(const struct row *row)
{
    static const char *const kinds[] = {[STEP_LAUNCH] = "nothing to compute",
                                        [STEP_COPY] = "copy",
                                        [STEP_SIGNAL] = "signal",
                                        [STEP_WAIT] = "wait",
                                        [STEP_COLLECTIVE] = "collective",
                                        [STEP_HOST_TASK] = "host task",
                                        [STEP_RESOLVE] = "resolve"};
    return row->image ? row->image->candidate : kinds[row->kind];
}

/* ---- Printing ---- */

static void print_row(const struct row *row, double wall_seconds)
{
    printf("%6d %10.3f %6.1f%% %10.3f %9.2f %9.1f  ", row->steps, row->seconds * 1e3,
           100 * row->seconds / wall_seconds, lost_seconds(row) * 1e3,
           row->bytes / row->seconds / 1e9, row->operations / row->seconds / 1e9);
    if (!row->image) {
        printf("%22s  %s\n", "", kernel_of(row));
        return;
    }
    printf("%5.1f %% of %-10s  %s: %s\n", 100 * limit_seconds(row) / row->seconds,
           lost_names[bound_of(row)], row->image->problem->op->name, kernel_of(row));
}

static void print_table(const char *title, const struct table *table)
{
    struct losses losses = losses_of(table);
    printf("\n%s: %.3f ms\n%6s %10s %7s %10s %9s %9s  %-22s %s\n", title, table->wall_seconds * 1e3,
           "steps", "ms", "share", "lost ms", "GB/s", "GFLOP/s", "of its limit", "kernel");
    for (int r = 0; r < table->count; r++) print_row(&table->rows[r], table->wall_seconds);
    printf("       %10.3f %6.1f%% are the limits;", losses.limit_seconds * 1e3,
           100 * losses.limit_seconds / table->wall_seconds);
    for (int l = 0; l < LOST_COUNT; l++)
        printf(" %.3f ms (%.1f%%) lost %s %s%s", losses.lost[l] * 1e3,
               100 * losses.lost[l] / table->wall_seconds, l == LOST_OTHER ? "in copies and" : "at",
               lost_names[l], l + 1 < LOST_COUNT ? "," : "\n");
}

static json_t *row_json(const struct row *row)
{
    return json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "problem",
                     row->image ? row->image->problem->text : "", "kernel", kernel_of(row), "steps",
                     row->steps, "seconds", row->seconds, "bytes", row->bytes, "operations",
                     row->operations, "limit_seconds", limit_seconds(row), "lost_seconds",
                     lost_seconds(row), "limit_share",
                     row->seconds > 0 ? limit_seconds(row) / row->seconds : 0, "bound",
                     lost_names[bound_of(row)]);
}

static json_t *totals_json(const struct table *table)
{
    struct losses losses = losses_of(table);
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "seconds", table->wall_seconds,
                     "step_seconds", losses.step_seconds, "limit_seconds", losses.limit_seconds,
                     "lost_memory_seconds", losses.lost[LOST_MEMORY], "lost_arithmetic_seconds",
                     losses.lost[LOST_ARITHMETIC], "lost_other_seconds", losses.lost[LOST_OTHER]);
}

static void add_json(json_t *document, const char *rows_key, const char *totals_key,
                     const struct table *table)
{
    json_t *array = json_array();
    for (int r = 0; r < table->count; r++) json_array_append_new(array, row_json(&table->rows[r]));
    json_object_set_new(document, rows_key, array);
    json_object_set_new(document, totals_key, totals_json(table));
}

/* ---- Measuring ---- */

static status feed_random(const struct phase *phase, int64_t count, double *seconds,
                          struct diagnostic *diagnostic)
{
    int32_t *tokens;
    TRY_NEW(tokens, phase->arena, count, diagnostic);
    for (int64_t t = 0; t < count; t++)
        tokens[t] = (int32_t)((t * 7919 + 13) % engine_model(phase->engine)->vocabulary);
    const struct engine_input input = {
        .sequence = phase->sequence, .tokens = tokens, .count = count};
    double start = clock_seconds();
    TRY(engine_feed(phase->engine, &input, 1, phase->logits, diagnostic));
    *seconds = clock_seconds() - start;
    return STATUS_OK;
}

/* A prompt begins a sequence of its own, and leaves it open for what follows. */
static status feed_phase(struct phase *phase, bool prompt, double *seconds,
                         struct diagnostic *diagnostic)
{
    if (prompt) {
        if (phase->sequence >= 0) engine_sequence_close(phase->engine, phase->sequence);
        phase->sequence = -1;
        TRY(engine_sequence_open(phase->engine, &phase->sequence, diagnostic));
    }
    return feed_random(phase, phase->tokens, seconds, diagnostic);
}

/* The medians of the steps' seconds, and last that of the whole. */
static status measure_phase(struct phase *phase, bool prompt, double **result,
                            struct diagnostic *diagnostic)
{
    const struct plan *plan = plan_schedule(engine_plan(phase->engine), phase->tokens);
    int steps = plan->step_count, width = steps + 1;
    double *samples, *medians, wall;
    TRY_NEW(samples, phase->arena, SAMPLES * width, diagnostic);
    TRY_NEW(medians, phase->arena, width, diagnostic);
    for (int n = -WARM_UP_STEPS; n < SAMPLES; n++) {
        TRY(feed_phase(phase, prompt, &wall, diagnostic));
        if (n < 0) continue;
        memcpy(&samples[n * width],
               executor_step_seconds(engine_executor(phase->engine), phase->tokens),
               (size_t)steps * sizeof *samples);
        samples[n * width + steps] = wall;
    }
    take_medians(samples, width, medians);
    *result = medians;
    return STATUS_OK;
}

static status measure_ceilings(struct engine *engine, struct device_facts *best,
                               struct diagnostic *diagnostic)
{
    int count;
    struct device_facts facts = *device_facts(engine_devices(engine, &count)[0]);
    struct thread_pool *pool;
    TRY(thread_pool_create(thread_count_default(), &pool, diagnostic));
    status code = cpu_probe_facts(pool, &facts, diagnostic);
    thread_pool_destroy(pool);
    for (int f = 0; f < FACT_COUNT; f++) best->values[f] = fmax(best->values[f], facts.values[f]);
    return code;
}

/* Both phases are timed between two samples of the ceilings, whose best counts. */
static status run_phases(struct phase *phase, int64_t prompt_tokens, json_t *document,
                         struct diagnostic *diagnostic)
{
    static const char *const titles[] = {"prompt, one step", "generation, one step"};
    static const char *const keys[][2] = {{"roofline_prefill", "roofline_prefill_total"},
                                          {"roofline_decode", "roofline_decode_total"}};
    struct device_facts facts = {0};
    int64_t chunk = engine_plan(phase->engine)->bounds.tokens;
    phase->facts = &facts;
    phase->context = prompt_tokens < chunk ? prompt_tokens : chunk;
    TRY(measure_ceilings(phase->engine, &facts, diagnostic));
    for (int p = 0; p < 2; p++) {
        struct table table = {0};
        double *seconds;
        phase->tokens = p == 0 ? phase->context : 1;
        executor_time_steps(engine_executor(phase->engine), true);
        TRY(measure_phase(phase, p == 0, &seconds, diagnostic));
        executor_time_steps(engine_executor(phase->engine), false);
        TRY(measure_ceilings(phase->engine, &facts, diagnostic));
        if (p > 0) phase->context += ROOFLINE_TOKENS;
        TRY(collect(phase, seconds, &table, diagnostic));
        if (document)
            add_json(document, keys[p][0], keys[p][1], &table);
        else
            print_table(titles[p], &table);
    }
    return STATUS_OK;
}

status roofline_report(struct engine *engine, int64_t prompt_tokens, struct arena *arena,
                       json_t *document, struct diagnostic *diagnostic)
{
    struct phase phase = {.engine = engine, .sequence = -1, .arena = arena};
    TRY_NEW(phase.logits, arena, engine_model(engine)->vocabulary, diagnostic);
    status code = run_phases(&phase, prompt_tokens, document, diagnostic);
    executor_time_steps(engine_executor(engine), false);
    if (phase.sequence >= 0) engine_sequence_close(engine, phase.sequence);
    return code;
}
