/* Rounds of: sample the ceilings, process a prompt, generate, sample again.  Shares are formed within a round, because on a
 * shared machine ceilings drift from second to second. */
#include "engine/measure_rates.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "ir/ceiling.h"
#include "ops/catalogue.h"
#include "runtime/cpu_probe.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MOST = 1000, VARIANT_NAME_BYTES = 64 };

/* Operations of kernels that multiply alike, and how one of them rounds. */
struct family_work {
    struct numerics numerics;
    double operations;
};

struct measuring {
    struct engine *engine;
    const struct rate_options *options;
    struct arena *arena;
    struct thread_pool *pool;
    struct cpu_probe *probe;
    int32_t *tokens;       /* [prompt_tokens] */
    float *logits;         /* [sequences, vocabulary] */
    struct engine_top top; /* in their place where the plan gives it */
    struct engine_input *inputs;
    int *sequences;
    struct family_work families[CEILING_FAMILY_COUNT];                   /* of prompt processing */
    double *prefill, *decode, *bandwidth, *bandwidth_share, *peak_share; /* per round */
};

static int by_value(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static struct rate summarise(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    double lower = values[count / 4], upper = values[count - 1 - count / 4];
    double median = count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    return (struct rate){.median = median, .spread = (upper - lower) / 2};
}

/* Of one node for a prompt of `tokens`; `*image` is its kernel, -1: it has none. */
static double node_operations(const struct plan *plan, int n, int64_t tokens, int *image)
{
    const struct node *node = &plan->graph->nodes[n];
    *image = plan->choices[n][bucket_of_rows(tokens)][bucket_of_context(tokens)];
    if (*image < 0) return 0;
    struct problem problem = *plan->images[*image].problem;
    const struct value *first = &plan->graph->values[node->inputs[0]];
    problem.rows = first->type.shape[0].symbol == SYMBOL_OUTPUTS ? 1 : tokens;
    if (problem.context) problem.context = tokens;
    return problem_cost(&problem).operations;
}

double prefill_operations(const struct plan *plan, int64_t tokens)
{
    double total = 0;
    int image;
    for (int n = 0; n < plan->graph->node_count; n++)
        total += node_operations(plan, n, tokens, &image);
    return total;
}

struct numerics image_numerics(const struct engine *engine, const struct plan_image *image)
{
    char name[VARIANT_NAME_BYTES] = {0};
    size_t length = strcspn(image->candidate, " ");
    const struct space *space = NULL;
    if (length < sizeof name) {
        memcpy(name, image->candidate, length);
        space = catalogue_find(engine_catalogue(engine), name);
    }
    return space ? space->numerics : (struct numerics){.operand_block = 1};
}

/* What a prompt asks of each instruction family: together they set the ceiling to compare with. */
static void sort_operations(struct measuring *measuring, int64_t tokens)
{
    const struct plan *plan = engine_plan(measuring->engine);
    for (int n = 0; n < plan->graph->node_count; n++) {
        int image;
        double operations = node_operations(plan, n, tokens, &image);
        if (image < 0) continue;
        struct numerics numerics = image_numerics(measuring->engine, &plan->images[image]);
        struct family_work *work = &measuring->families[ceiling_family_of(&numerics)];
        work->numerics = numerics;
        work->operations += operations;
    }
}

static status prepare(struct measuring *measuring, struct diagnostic *diagnostic)
{
    const struct rate_options *options = measuring->options;
    struct arena *arena = measuring->arena;
    const struct model *model = engine_model(measuring->engine);
    TRY_NEW(measuring->tokens, arena, options->prompt_tokens, diagnostic);
    TRY(engine_top_create(measuring->engine, options->sequences, arena, &measuring->top,
                          diagnostic));
    TRY_NEW(measuring->logits, arena, options->sequences * model->vocabulary, diagnostic);
    TRY_NEW(measuring->inputs, arena, options->sequences, diagnostic);
    TRY_NEW(measuring->sequences, arena, options->sequences, diagnostic);
    double **rows[] = {&measuring->prefill, &measuring->decode, &measuring->bandwidth,
                       &measuring->bandwidth_share, &measuring->peak_share};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        TRY_NEW(*rows[r], arena, options->rounds, diagnostic);
    for (int64_t t = 0; t < options->prompt_tokens; t++)
        measuring->tokens[t] =
            (int32_t)(random_bits(1, 0, (uint64_t)t) % (uint64_t)model->vocabulary);
    sort_operations(measuring, options->prompt_tokens);
    return STATUS_OK;
}

static status create_probe(struct measuring *measuring, struct diagnostic *diagnostic)
{
    int count;
    struct device *const *devices = engine_devices(measuring->engine, &count);
    TRY(thread_pool_create(thread_count_default(), &measuring->pool, diagnostic));
    return cpu_probe_create(measuring->pool, device_facts(devices[0]), &measuring->probe,
                            diagnostic);
}

static status feed(struct measuring *measuring, int64_t count, struct diagnostic *diagnostic)
{
    for (int s = 0; s < measuring->options->sequences; s++)
        measuring->inputs[s] = (struct engine_input){
            .sequence = measuring->sequences[s], .tokens = measuring->tokens, .count = count};
    if (measuring->top.count)
        return engine_feed_top(measuring->engine, measuring->inputs, measuring->options->sequences,
                               &measuring->top, diagnostic);
    return engine_feed(measuring->engine, measuring->inputs, measuring->options->sequences,
                       measuring->logits, diagnostic);
}

/* Operations per second if every family's were done at its rate; 0: a rate is not known. */
static double arithmetic_ceiling(struct measuring *measuring)
{
    double operations = 0, seconds = 0;
    for (int f = 0; f < CEILING_FAMILY_COUNT; f++) {
        const struct family_work *work = &measuring->families[f];
        if (!(work->operations > 0)) continue;
        double rate = cpu_probe_rate(measuring->probe, &work->numerics);
        if (!(rate > 0)) return 0;
        operations += work->operations;
        seconds += work->operations / rate;
    }
    return seconds > 0 ? operations / seconds : 0;
}

static status time_phases(struct measuring *measuring, int64_t generated, double *prefill_seconds,
                          double *decode_seconds, struct diagnostic *diagnostic)
{
    double start = clock_seconds();
    TRY(feed(measuring, measuring->options->prompt_tokens, diagnostic));
    *prefill_seconds = clock_seconds() - start;
    start = clock_seconds();
    for (int64_t t = 0; t < generated; t++) TRY(feed(measuring, 1, diagnostic));
    *decode_seconds = clock_seconds() - start;
    return STATUS_OK;
}

static status run_phases(struct measuring *measuring, int64_t generated, double *prefill_seconds,
                         double *decode_seconds, struct diagnostic *diagnostic)
{
    int opened = 0;
    status code = STATUS_OK;
    for (; code == STATUS_OK && opened < measuring->options->sequences; opened++)
        code = engine_sequence_open(measuring->engine, &measuring->sequences[opened], diagnostic);
    if (code == STATUS_OK)
        code = time_phases(measuring, generated, prefill_seconds, decode_seconds, diagnostic);
    else
        opened--;
    for (int s = 0; s < opened; s++)
        engine_sequence_close(measuring->engine, measuring->sequences[s]);
    return code;
}

/* An untimed prompt and token: the first touch of the weights' pages belongs to no round. */
static status warm_up(struct measuring *measuring, struct diagnostic *diagnostic)
{
    double prefill_seconds, decode_seconds;
    return run_phases(measuring, 1, &prefill_seconds, &decode_seconds, diagnostic);
}

static status measure_round(struct measuring *measuring, int round, struct diagnostic *diagnostic)
{
    const struct rate_options *options = measuring->options;
    double bandwidth = cpu_probe_read_bandwidth(measuring->probe),
           ceiling = arithmetic_ceiling(measuring);
    double prefill_seconds = 0, decode_seconds = 0;
    TRY(run_phases(measuring, options->generated_tokens, &prefill_seconds, &decode_seconds,
                   diagnostic));
    double after = cpu_probe_read_bandwidth(measuring->probe);
    bandwidth = after > bandwidth ? after : bandwidth;
    after = arithmetic_ceiling(measuring);
    ceiling = after > ceiling ? after : ceiling;
    double steps = (double)options->generated_tokens / decode_seconds;
    double operations = prefill_operations(engine_plan(measuring->engine), options->prompt_tokens);
    double bytes = (double)engine_report(measuring->engine)->weight_bytes_per_token;
    measuring->prefill[round] =
        (double)(options->prompt_tokens * options->sequences) / prefill_seconds;
    measuring->decode[round] = steps * options->sequences;
    measuring->bandwidth[round] = bandwidth;
    measuring->bandwidth_share[round] = bytes * steps / bandwidth;
    measuring->peak_share[round] = operations * options->sequences / prefill_seconds / ceiling;
    return STATUS_OK;
}

static status measure_rounds(struct measuring *measuring, struct measured_rates *rates,
                             struct diagnostic *diagnostic)
{
    const struct rate_options *options = measuring->options;
    TRY(prepare(measuring, diagnostic));
    TRY(warm_up(measuring, diagnostic));
    rates->peak_memory_bytes = memory_peak_bytes(); /* the probe's own memory comes after it */
    TRY(create_probe(measuring, diagnostic));
    double start = clock_seconds();
    int done = 0;
    for (; done < options->rounds && !progress_interrupted(options->progress); done++) {
        struct progress_state state = {.stage = "measuring",
                                       .done = done,
                                       .total = options->rounds,
                                       .seconds_left = done ? (clock_seconds() - start) / done *
                                                                  (options->rounds - done)
                                                            : -1};
        progress_update(options->progress, &state);
        TRY(measure_round(measuring, done, diagnostic));
    }
    if (done == 0)
        return fail(diagnostic, STATUS_INTERRUPTED, "interrupted before the first round was done");
    rates->rounds = done;
    rates->prefill = summarise(measuring->prefill, done);
    rates->decode = summarise(measuring->decode, done);
    rates->read_bandwidth = summarise(measuring->bandwidth, done);
    rates->decode_bandwidth_share = summarise(measuring->bandwidth_share, done);
    rates->prefill_peak_share = summarise(measuring->peak_share, done);
    return STATUS_OK;
}

status measure_rates(struct engine *engine, const struct rate_options *options,
                     struct measured_rates *rates, struct diagnostic *diagnostic)
{
    if (options->rounds < 1 || options->rounds > ROUNDS_MOST || options->prompt_tokens < 1 ||
        options->generated_tokens < 1)
        return fail(diagnostic, STATUS_USAGE,
                    "give at least one round, one prompt token and one generated token");
    struct measuring measuring = {.engine = engine, .options = options, .arena = arena_create(0)};
    TRY_MEMORY(measuring.arena, diagnostic);
    *rates = (struct measured_rates){0};
    status code = measure_rounds(&measuring, rates, diagnostic);
    cpu_probe_destroy(measuring.probe);
    thread_pool_destroy(measuring.pool);
    arena_destroy(measuring.arena);
    return code;
}
