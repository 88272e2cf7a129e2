/* How many GEMM-class candidates a second are compiled: the best by estimate for one linear layer with many rows, through
 * the pool of compilers that the tuner uses.  No card is needed.
 *
 *     compile_rate [CARD [CANDIDATES [PROCESSES]]]              prints one JSON document
 *     compile_rate tune PROBLEMS [CARD [CANDIDATES [PROCESSES]]]
 *
 * The second form tells how long tuning at the default effort would compile: of each problem (PROBLEMS: canonical texts, one a
 * line, as `hone tune MODEL --effort 0 --json` lists them; bench/problems-llama-3-8b-q4_0.txt) it compiles the best CANDIDATES by estimate, and takes the search's
 * limit of candidates to be as dear. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "codegen/compile_pool.h"
#include "ir/profiles.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "runtime/threads.h"
#include "tuner/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char problem_text[] =
    "linear(f32[rows,4096], bf16[4096,4096], _, _) -> f32[rows,4096] rows<=256";

struct measurement {
    struct arena *arena;
    struct catalogue catalogue;
    struct device_facts facts;
    struct problem *problem;
    const char *card;
    int candidates, processes, failed, spilling, count;
    int searched; /* candidates that tuning looks at */
    struct ranked *ranked;
    int *instructions;
    double seconds;
    double
        processor_seconds; /* of the compilers: what other programs do beside them does not count */
};

/* Candidates of one problem: the best by estimate, of as many as a search of the default effort looks at. */
static status choose_candidates(struct measurement *m, const char *text,
                                struct diagnostic *diagnostic)
{
    struct search_field field = {.effort = EFFORT_DEFAULT};
    const char *reason;
    TRY(problem_parse(text, op_table(), m->arena, &m->problem, diagnostic));
    TRY_NEW(field.spaces, m->arena, m->catalogue.count + 1, diagnostic);
    for (int s = 0; s < m->catalogue.count; s++)
        field.space_count += space_bind(m->catalogue.spaces[s], m->problem, &m->facts, m->arena,
                                        &field.spaces[field.space_count], &reason);
    if (field.space_count == 0)
        return fail(diagnostic, STATUS_NOT_FOUND, "no variant answers %s on %s", text, m->card);
    m->searched = (int)search_limit(&field);
    TRY(search_rank(&field, m->candidates, m->arena, &m->ranked, &m->count, diagnostic));
    TRY_NEW(m->instructions, m->arena, m->count, diagnostic);
    return STATUS_OK;
}

static struct generation generation_of(const struct measurement *m, int c)
{
    return (struct generation){m->ranked[c].candidate.space, m->problem,
                               &m->ranked[c].candidate.config, &m->facts};
}

static status look_at(struct measurement *m, int c, const void *encoded, size_t bytes,
                      struct diagnostic *diagnostic)
{
    struct image image;
    bool spills = false;
    TRY(image_decode(encoded, bytes, m->arena, &image, diagnostic));
    for (int l = 0; l < image.launch_count; l++) {
        m->instructions[c] += image.launches[l].resources.instructions;
        spills = spills || image.launches[l].resources.spilled_bytes > 0;
    }
    m->spilling += spills;
    return STATUS_OK;
}

static status compile_all(struct measurement *m, struct compile_pool *pool,
                          struct diagnostic *diagnostic)
{
    double start = clock_seconds();
    for (int c = 0; c < m->count; c++) {
        const struct generation generation = generation_of(m, c);
        TRY(compile_pool_add(pool, &generation, diagnostic));
    }
    for (int c = 0; c < m->count; c++) {
        const struct generation generation = generation_of(m, c);
        struct diagnostic reason = {0};
        const void *encoded;
        size_t bytes;
        if (compile_pool_take(pool, &generation, &encoded, &bytes, &reason) == STATUS_OK) {
            TRY(look_at(m, c, encoded, bytes, diagnostic));
            continue;
        }
        m->failed++;
        fprintf(stderr, "compile_rate: %s\n", reason.text);
    }
    m->seconds = clock_seconds() - start;
    return STATUS_OK;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static double processor_seconds_of_children(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage) != 0) return 0;
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static status measure(struct measurement *m, const char *text, struct diagnostic *diagnostic)
{
    struct compile_pool *pool;
    double before = processor_seconds_of_children();
    TRY(choose_candidates(m, text, diagnostic));
    TRY(compile_pool_create(m->processes, compile_limits_default(), &pool, diagnostic));
    status code = compile_all(m, pool, diagnostic);
    compile_pool_destroy(pool);
    m->processor_seconds = processor_seconds_of_children() - before;
    return code;
}

static status prepare(struct measurement *m, struct diagnostic *diagnostic)
{
    TRY_MEMORY(m->arena, diagnostic);
    TRY(catalogue_read(NULL, m->arena, &m->catalogue, diagnostic));
    TRY(profile_read(m->card, m->arena, &m->facts, diagnostic));
    return compile_check(&m->facts, diagnostic);
}

static int compare_integers(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void report(const struct measurement *m)
{
    qsort(m->instructions, (size_t)m->count, sizeof *m->instructions, compare_integers);
    printf(
        "{\n  \"compiler\": \"%s\",\n  \"card\": \"%s\",\n  \"cores\": %d,\n  \"processes\": %d,\n",
        compile_identity(TARGET_CUDA), m->card, thread_count_default(), m->processes);
    printf(
        "  \"problem\": \"%s\",\n  \"candidates\": %d,\n  \"failed\": %d,\n  \"spilling\": %d,\n",
        m->problem->text, m->count, m->failed, m->spilling);
    printf("  \"median_instructions\": %d,\n  \"seconds\": %.3f,\n  \"candidates_per_second\": "
           "%.3f,\n",
           m->instructions[m->count / 2], m->seconds, m->count / m->seconds);
    printf("  \"processor_seconds\": %.3f,\n  \"candidates_per_processor_second\": %.3f\n}\n",
           m->processor_seconds, m->count / m->processor_seconds);
}

/* ---- A whole model ---- */

/* The cores that the target is given for. */
enum { TARGET_CORES = 16 };

struct total {
    int problems, candidates;
    double processor_seconds;
};

static bool is_product(const struct problem *problem)
{
    return strstr(problem->op->name, "linear") || strcmp(problem->op->name, "attention") == 0;
}

static void add_problem(const struct measurement *m, struct total *total)
{
    total->problems++;
    total->candidates += m->searched;
    if (m->count) total->processor_seconds += m->processor_seconds / m->count * m->searched;
}

static void print_total(const char *name, const struct total *total)
{
    printf("  \"%s\": {\"problems\": %d, \"candidates\": %d, \"processor_seconds\": %.2f, "
           "\"seconds_on_%d_cores\": %.2f},\n",
           name, total->problems, total->candidates, total->processor_seconds, TARGET_CORES,
           total->processor_seconds / TARGET_CORES);
}

static status measure_model(struct measurement *m, const char *path, struct diagnostic *diagnostic)
{
    struct total all = {0}, products = {0};
    char *text;
    size_t bytes;
    TRY(file_read(path, 1 << 20, m->arena, &text, &bytes, diagnostic));
    printf("{\n  \"rows\": [\n");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        TRY(measure(m, line, diagnostic));
        add_problem(m, &all);
        if (is_product(m->problem)) add_problem(m, &products);
        printf("%s    {\"problem\": \"%s\", \"searched\": %d, \"compiled\": %d, "
               "\"processor_seconds_each\": %.3f}",
               all.problems > 1 ? ",\n" : "", m->problem->text, m->searched, m->count,
               m->count ? m->processor_seconds / m->count : 0);
    }
    printf("\n  ],\n");
    print_total("all", &all);
    print_total("products", &products);
    printf(
        "  \"compiler\": \"%s\",\n  \"card\": \"%s\",\n  \"processes\": %d,\n  \"failed\": %d\n}\n",
        compile_identity(TARGET_CUDA), m->card, m->processes, m->failed);
    return STATUS_OK;
}

static int64_t number(int count, char **words, int at, int64_t otherwise)
{
    int64_t value;
    return at < count && text_to_integer(words[at], &value) && value > 0 && value < 100000
               ? value
               : otherwise;
}

int main(int count, char **words)
{
    struct diagnostic diagnostic = {0};
    bool model = count > 2 && strcmp(words[1], "tune") == 0;
    int at = model ? 3 : 1;
    struct measurement m = {.arena = arena_create(0),
                            .card = count > at ? words[at] : "rtx3090",
                            .candidates = (int)number(count, words, at + 1, model ? 4 : 48),
                            .processes = (int)number(count, words, at + 2, thread_count_default())};
    status code = prepare(&m, &diagnostic);
    if (code == STATUS_OK)
        code = model ? measure_model(&m, words[2], &diagnostic)
                     : measure(&m, problem_text, &diagnostic);
    if (code == STATUS_OK && !model) report(&m);
    if (code != STATUS_OK) fprintf(stderr, "compile_rate: %s\n", diagnostic.text);
    arena_destroy(m.arena);
    return code == STATUS_OK ? 0 : status_exit(code);
}
