/* How fast kernels of one problem run on the host, beside what the machine gives in the same seconds: in each round every
 * candidate is timed once, and the ceilings (read bandwidth, arithmetic) are sampled before it and after it.
 *
 *     kernel_rate [--threads N] [--rounds N] [--chunks N] [--cpu NAME] PROBLEM CANDIDATE...      prints one JSON document
 *
 * PROBLEM is a canonical text, as `hone tune MODEL --effort 0 --json` lists them; a CANDIDATE is a variant with its config
 * ("attention_decode_cpu heads_per_item=4 ..."), or "best:N" for the N that the estimates rank first.  Cold operands come from
 * memory in every run.  Results are not checked here: that is what the tests and `hone tune` do. */
#include "base/clock.h"
#include "base/text.h"
#include "codegen/compile.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "runtime/cpu_probe.h"
#include "runtime/device.h"
#include "tuner/measure.h"
#include "tuner/record.h"
#include "tuner/search.h"
#include "tuner/workload.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS_DEFAULT = 9, CANDIDATES_MAX = 64 };

struct contestant {
    struct candidate candidate;
    struct kernel *kernel;
    const char *text, *failure;
    float seconds[RECORD_SAMPLES_MAX], share[RECORD_SAMPLES_MAX];
};

struct contest {
    struct arena *arena;
    struct catalogue catalogue;
    struct device *device;
    struct problem *problem;
    struct workload workload;
    struct thread_pool *pool;
    struct cpu_probe *probe;
    struct contestant contestants[CANDIDATES_MAX];
    float bandwidth[RECORD_SAMPLES_MAX], real_rate[RECORD_SAMPLES_MAX];
    float integer_rate[RECORD_SAMPLES_MAX];
    int count, runs;                 /* runs: so far, which choose the set of cold operands */
    const char *cpu;                 /* NULL: native */
    int64_t threads, rounds, chunks; /* chunks: as in struct device_options */
};

static status add(struct contest *c, const struct candidate *candidate,
                  struct diagnostic *diagnostic)
{
    struct text text = {.arena = c->arena};
    if (c->count == CANDIDATES_MAX)
        return fail(diagnostic, STATUS_USAGE, "more than %d candidates", CANDIDATES_MAX);
    candidate_print(candidate, &text);
    struct contestant *contestant = &c->contestants[c->count++];
    contestant->candidate = *candidate;
    contestant->text = text_finish(&text);
    TRY_MEMORY(contestant->text, diagnostic);
    return STATUS_OK;
}

static status add_best(struct contest *c, int64_t limit, struct diagnostic *diagnostic)
{
    struct search_field field = {.effort = EFFORT_MOST};
    struct ranked *ranked;
    const char *reason;
    int count;
    TRY_NEW(field.spaces, c->arena, c->catalogue.count + 1, diagnostic);
    for (int s = 0; s < c->catalogue.count; s++)
        field.space_count += space_bind(c->catalogue.spaces[s], c->problem, device_facts(c->device),
                                        c->arena, &field.spaces[field.space_count], &reason);
    TRY(search_rank(&field, (int)limit, c->arena, &ranked, &count, diagnostic));
    for (int r = 0; r < count && r < limit; r++) TRY(add(c, &ranked[r].candidate, diagnostic));
    return STATUS_OK;
}

static status add_word(struct contest *c, const char *word, struct diagnostic *diagnostic)
{
    struct candidate candidate;
    int64_t limit;
    if (strncmp(word, "best:", 5) == 0 && text_to_integer(word + 5, &limit) && limit > 0)
        return add_best(c, limit < CANDIDATES_MAX ? limit : CANDIDATES_MAX, diagnostic);
    TRY(candidate_parse(&c->catalogue, word, &candidate, diagnostic));
    return add(c, &candidate, diagnostic);
}

static status compile(struct contest *c, struct contestant *contestant,
                      struct diagnostic *diagnostic)
{
    const struct generation generation = {contestant->candidate.space, c->problem,
                                          &contestant->candidate.config, device_facts(c->device)};
    struct image image;
    TRY(compile_here(&generation, c->arena, &image, NULL, diagnostic));
    return kernel_load(c->device, c->problem, &image, &contestant->kernel, diagnostic);
}

static status run_once(struct contest *c, const struct contestant *contestant, double *seconds,
                       struct diagnostic *diagnostic)
{
    void *operands[OP_OPERANDS_MAX];
    workload_addresses(&c->workload, c->runs++, operands);
    double start = clock_seconds();
    TRY(device_run(c->device, contestant->kernel, &c->workload.run, operands, diagnostic));
    *seconds = clock_seconds() - start;
    return STATUS_OK;
}

/* The first run wakes the threads. */
static status time_one(struct contest *c, struct contestant *contestant, int round,
                       struct diagnostic *diagnostic)
{
    double seconds, before = cpu_probe_read_bandwidth(c->probe);
    TRY(run_once(c, contestant, &seconds, diagnostic));
    int runs = measure_runs(seconds);
    double all = 0;
    for (int r = 0; r < runs; r++) {
        TRY(run_once(c, contestant, &seconds, diagnostic));
        all += seconds;
    }
    seconds = all / runs;
    double after = cpu_probe_read_bandwidth(c->probe);
    double bandwidth = before > after ? before : after;
    contestant->seconds[round] = (float)seconds;
    contestant->share[round] = (float)(problem_cost(c->problem).bytes / seconds / bandwidth);
    c->bandwidth[round] = (float)bandwidth;
    return STATUS_OK;
}

static status measure(struct contest *c, struct diagnostic *diagnostic)
{
    for (int i = 0; i < c->count; i++) {
        struct diagnostic reason = {0};
        if (compile(c, &c->contestants[i], &reason) != STATUS_OK)
            c->contestants[i].failure = arena_text(c->arena, reason.text);
    }
    for (int round = 0; round < c->rounds; round++) {
        c->real_rate[round] = (float)cpu_probe_real_rate(c->probe);
        c->integer_rate[round] = (float)cpu_probe_integer_rate(c->probe);
        for (int i = 0; i < c->count; i++)
            if (c->contestants[i].kernel) TRY(time_one(c, &c->contestants[i], round, diagnostic));
    }
    return STATUS_OK;
}

static void report(const struct contest *c)
{
    int rounds = (int)c->rounds;
    struct cost cost = problem_cost(c->problem);
    double bandwidth = measure_summarise(c->bandwidth, rounds).median;
    double real_rate = measure_summarise(c->real_rate, rounds).median;
    double integer_rate = measure_summarise(c->integer_rate, rounds).median;
    printf("{\n  \"machine\": \"%s\",\n  \"threads\": %d,\n  \"rounds\": %d,\n  \"compiler\": "
           "\"%s\",\n  \"problem\": \"%s\",\n",
           device_facts(c->device)->name, device_threads(c->device), rounds,
           compile_identity(TARGET_CPU), c->problem->text);
    printf("  \"bytes\": %.0f,\n  \"operations\": %.0f,\n  \"read_bandwidth\": %.4g,\n  "
           "\"real_rate\": %.4g,\n  \"integer_rate\": %.4g,\n  \"kernels\": [",
           cost.bytes, cost.operations, bandwidth, real_rate, integer_rate);
    for (int i = 0; i < c->count; i++) {
        const struct contestant *own = &c->contestants[i];
        printf("%s\n    {\"candidate\": \"%s\", ", i ? "," : "", own->text);
        if (own->failure) {
            printf("\"failure\": \"%s\"}", own->failure);
            continue;
        }
        struct summary seconds = measure_summarise(own->seconds, rounds);
        printf("\"seconds\": %.4g, \"seconds_low\": %.4g, \"seconds_high\": %.4g, "
               "\"bandwidth_share\": %.3f, \"real_rate_share\": %.3f, "
               "\"integer_rate_share\": %.3f}",
               seconds.median, seconds.low, seconds.high,
               measure_summarise(own->share, rounds).median,
               cost.operations / seconds.median / real_rate,
               cost.operations / seconds.median / integer_rate);
    }
    printf("\n  ]\n}\n");
}

static status prepare(struct contest *c, const char *problem, struct diagnostic *diagnostic)
{
    const struct device_options options = {
        .threads = (int)c->threads, .chunks = (int)c->chunks, .cpu = c->cpu};
    TRY(catalogue_read(NULL, c->arena, &c->catalogue, diagnostic));
    TRY(device_open("cpu", &options, &c->device, diagnostic));
    TRY(problem_parse(problem, op_table(), c->arena, &c->problem, diagnostic));
    TRY(thread_pool_create(device_threads(c->device), &c->pool, diagnostic));
    TRY(cpu_probe_create(c->pool, device_facts(c->device), &c->probe, diagnostic));
    const struct workload_options work = {
        .seed = 1, .cache_bytes = (int64_t)device_facts(c->device)->values[FACT_l3_bytes]};
    return workload_create(c->problem, &work, &c->workload, diagnostic);
}

static status contest_run(struct contest *c, int count, char **words, struct diagnostic *diagnostic)
{
    int at = 1;
    c->rounds = ROUNDS_DEFAULT;
    for (; at + 1 < count && strncmp(words[at], "--", 2) == 0; at += 2) {
        if (strcmp(words[at], "--cpu") == 0) {
            c->cpu = words[at + 1];
            continue;
        }
        int64_t *number = strcmp(words[at], "--threads") == 0  ? &c->threads
                          : strcmp(words[at], "--rounds") == 0 ? &c->rounds
                          : strcmp(words[at], "--chunks") == 0 ? &c->chunks
                                                               : NULL;
        if (!number || !text_to_integer(words[at + 1], number) || *number < 1 ||
            *number > RECORD_SAMPLES_MAX)
            return fail(diagnostic, STATUS_USAGE, "%s %s: unknown, or not from 1 to %d", words[at],
                        words[at + 1], RECORD_SAMPLES_MAX);
    }
    if (at + 1 >= count)
        return fail(diagnostic, STATUS_USAGE,
                    "usage: kernel_rate [--threads N] [--rounds N] [--chunks N] [--cpu NAME] "
                    "PROBLEM CANDIDATE...");
    TRY_MEMORY(c->arena, diagnostic);
    TRY(prepare(c, words[at], diagnostic));
    for (int w = at + 1; w < count; w++) TRY(add_word(c, words[w], diagnostic));
    TRY(measure(c, diagnostic));
    report(c);
    return STATUS_OK;
}

int main(int count, char **words)
{
    struct diagnostic diagnostic = {0};
    static struct contest contest;
    contest.arena = arena_create(0);
    status code = contest_run(&contest, count, words, &diagnostic);
    if (code != STATUS_OK) fprintf(stderr, "kernel_rate: %s\n", diagnostic.text);
    for (int i = 0; i < contest.count; i++)
        if (contest.contestants[i].kernel) kernel_unload(contest.contestants[i].kernel);
    workload_destroy(&contest.workload);
    cpu_probe_destroy(contest.probe);
    thread_pool_destroy(contest.pool);
    device_close(contest.device);
    arena_destroy(contest.arena);
    return code == STATUS_OK ? 0 : status_exit(code);
}
