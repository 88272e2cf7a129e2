/* What watching timed runs costs (tuner/trial_watch.c): the time of a run with and without it, and how
 * much longer measuring takes than what it measures.
 *
 *     build/dev/bench/watch_rate [ROWS COLUMNS]...          of add, in C (1 64 1 2048 16 4096) */
#include "base/clock.h"
#include "ops/op_table.h"
#include "tuner/measure.h"
#include "tuner/trial.h"

#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 201 };

static status add_rows(void *context, void *kernel, const struct run *run, void *const *operands,
                       struct diagnostic *diagnostic)
{
    const float *x = operands[0], *y = operands[1];
    float *sum = operands[2];
    int64_t count = run->symbols[SYMBOL_ROWS] * *(const int64_t *)kernel;
    (void)context;
    (void)diagnostic;
    for (int64_t i = 0; i < count; i++) sum[i] = x[i] + y[i];
    return STATUS_OK;
}

/* Samples with and without, in turn. */
static status compare(struct trial *trial, struct trial_kernel *kernel, int runs,
                      struct diagnostic *diagnostic)
{
    float plain[SAMPLES], watched[SAMPLES];
    struct trial_timing timing = {.trial = trial, .kernel = kernel};
    const struct run *run = &trial->workloads[TRIAL_WHOLE].run;
    double timed = 0, spent = 0, seconds;
    for (int s = 0; s < SAMPLES; s++) {
        double start = clock_seconds();
        for (int r = 0; r < runs; r++)
            TRY(kernel->runner->run(kernel->context, kernel->kernel, run,
                                    trial->parts[TRIAL_WHOLE].operands[0], diagnostic));
        double middle = clock_seconds();
        plain[s] = (float)((middle - start) / runs);
        TRY(trial_run(&timing, s * runs, runs, &seconds, diagnostic));
        watched[s] = (float)(seconds / runs);
        timed += seconds;
        spent += clock_seconds() - middle;
    }
    double without = measure_summarise(plain, SAMPLES).median;
    double with = measure_summarise(watched, SAMPLES).median;
    printf("%9.3f us a run, %+6.1f ns when watched; measuring takes %.2f times what it measures\n",
           without * 1e6, (with - without) * 1e9, spent / timed);
    return STATUS_OK;
}

static status measure_size(int64_t rows, int64_t columns, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    const long long r = rows, c = columns;
    const char *text = arena_print(
        arena, "add(f32[rows,%lld], f32[rows,%lld]) -> f32[rows,%lld] rows<=%lld", c, c, c, r);
    const struct runner runner = {.run = add_rows};
    const int block = 1;
    const struct trial_options options = {.seed = 1,
                                          .memory_limit_bytes = (int64_t)1 << 30,
                                          .check_operations = 2.5e8,
                                          .blocks = &block,
                                          .block_count = 1,
                                          .runner = &runner};
    struct trial_kernel kernel = {.runner = &runner, .kernel = &columns};
    struct problem *problem;
    struct trial trial;
    struct outcome outcome;
    double seconds;
    TRY_MEMORY(text, diagnostic);
    TRY(problem_parse(text, op_table(), arena, &problem, diagnostic));
    TRY(numerics_read(NULL, arena, &kernel.numerics, diagnostic));
    TRY(trial_create(problem, &options, &trial, diagnostic));
    trial_check(&trial, &kernel, &seconds, &outcome);
    printf("%6lld x %-6lld", r, c);
    status code = outcome.status == RECORD_OK
                      ? compare(&trial, &kernel, measure_runs(seconds), diagnostic)
                      : fail(diagnostic, STATUS_MISMATCH, "%s", outcome.detail);
    trial_destroy(&trial);
    return code;
}

int main(int count, char **words)
{
    static const int64_t usual[][2] = {{1, 64}, {1, 2048}, {16, 4096}};
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    status code = arena ? STATUS_OK : STATUS_NO_MEMORY;
    for (int w = 1; w + 1 < count && code == STATUS_OK; w += 2)
        code = measure_size(atoll(words[w]), atoll(words[w + 1]), arena, &diagnostic);
    for (size_t u = 0; u < sizeof usual / sizeof *usual && count < 3 && code == STATUS_OK; u++)
        code = measure_size(usual[u][0], usual[u][1], arena, &diagnostic);
    if (code != STATUS_OK) fprintf(stderr, "watch_rate: %s\n", diagnostic.text);
    arena_destroy(arena);
    return code != STATUS_OK;
}
