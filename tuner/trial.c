/* Judging kernels on prepared workloads. */
#include "base/clock.h"
#include "base/memory.h"
#include "tuner/trial_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Two bytes for poison: as f32, f16 and bf16 the first gives NaNs, the second huge numbers. */
enum { FIRST_POISON = 0xff, SECOND_POISON = 0xfe };

/* Fewer rows than the problem's, and odd, so that every loop over rows has a rest; few enough for
 * the reference. */
static int64_t odd_rows(const struct problem *problem, double check_operations)
{
    int64_t rows = problem->rows > 2 ? (problem->rows * 5 / 8) | 1 : 1;
    double all = problem_cost(problem).operations;
    if (all * 0.625 > check_operations && !problem_rows_alike(problem)) {
        double fewer = (double)problem->rows * check_operations / all;
        rows = fewer < 1 ? 1 : (int64_t)fewer | 1;
    }
    return rows < problem->rows ? rows : problem->rows;
}

/* The second workload borrows the first one's weights. */
static status create_part(struct trial *trial, int part, const struct trial_options *options,
                          struct diagnostic *diagnostic)
{
    bool whole = part == TRIAL_WHOLE;
    const struct workload_options workload_options = {
        .seed = options->seed + (uint64_t)part,
        .rows = whole ? 0 : odd_rows(trial->problem, options->check_operations),
        .cache_bytes = whole ? options->cache_bytes : 0,
        .memory_limit_bytes = options->memory_limit_bytes,
        .distinct_rows = check_distinct_rows(trial->problem, options->check_operations),
        .weights = whole ? NULL : &trial->workloads[TRIAL_WHOLE],
    };
    const struct check_options check_options = {.pool = options->pool,
                                                .operations = options->check_operations};
    TRY(workload_create(trial->problem, &workload_options, &trial->workloads[part], diagnostic));
    return check_create(&trial->workloads[part], &check_options, &trial->checks[part], diagnostic);
}

static bool has_weights(const struct problem *problem)
{
    for (int i = 0; i < problem->input_count; i++)
        if (problem->operands[i].present && problem->operands[i].kind == VALUE_WEIGHT) return true;
    return false;
}

/* All scales use the same magnitudes of weights. */
static status prepare_scales(struct trial *trial, const struct trial_options *options,
                             struct diagnostic *diagnostic)
{
    const struct workload_options weights = {
        .seed = options->seed, .rows = 1, .magnitude_block = 1};
    struct workload magnitudes = {0};
    bool shared = has_weights(trial->problem);
    if (shared) TRY(workload_create(trial->problem, &weights, &magnitudes, diagnostic));
    const struct check_options check_options = {.pool = options->pool,
                                                .operations = options->check_operations,
                                                .magnitudes = shared ? &magnitudes : NULL};
    status code = STATUS_OK;
    for (int part = 0; part < TRIAL_COUNT; part++)
        for (int b = 0; b < options->block_count && code == STATUS_OK; b++)
            code =
                check_prepare(&trial->checks[part], &check_options, options->blocks[b], diagnostic);
    workload_destroy(&magnitudes);
    return code;
}

static status create_parts(struct trial *trial, const struct trial_options *options,
                           struct diagnostic *diagnostic)
{
    for (int part = 0; part < TRIAL_COUNT; part++)
        TRY(create_part(trial, part, options, diagnostic));
    TRY(prepare_scales(trial, options, diagnostic));
    TRY(trial_memory_create(trial, diagnostic));
    const struct check *check = &trial->checks[TRIAL_WHOLE];
    for (int o = 0; o < check->operand_count; o++) trial->kept_bytes += check->operands[o].bytes;
    void *memory;
    TRY(memory_map((size_t)trial->kept_bytes, &memory, diagnostic));
    trial->kept = memory;
    return STATUS_OK;
}

status trial_create(const struct problem *problem, const struct trial_options *options,
                    struct trial *trial, struct diagnostic *diagnostic)
{
    *trial =
        (struct trial){.problem = problem, .runner = options->runner, .context = options->context};
    status code = create_parts(trial, options, diagnostic);
    if (code != STATUS_OK) trial_destroy(trial);
    return code;
}

void trial_destroy(struct trial *trial)
{
    trial_memory_destroy(trial);
    for (int part = 0; part < TRIAL_COUNT; part++) {
        check_destroy(&trial->checks[part]);
        workload_destroy(&trial->workloads[part]);
    }
    memory_unmap(trial->kept, (size_t)trial->kept_bytes);
    *trial = (struct trial){0};
}

PRINTF_LIKE(3, 4)
static bool reject(struct outcome *outcome, enum record_status why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->detail, sizeof outcome->detail, format, arguments);
    va_end(arguments);
    outcome->status = why;
    return false;
}

static status run_poisoned(const struct trial *trial, const struct trial_kernel *kernel, int part,
                           int sets, double *seconds, struct diagnostic *diagnostic)
{
    TRY(trial_memory_send(trial, part, diagnostic));
    double start = clock_seconds();
    TRY(kernel->runner->run(kernel->context, kernel->kernel, &trial->workloads[part].run,
                            trial_memory_operands(trial, part, 0), diagnostic));
    *seconds = clock_seconds() - start;
    return trial_memory_fetch(trial, sets, diagnostic);
}

static bool run_once(const struct trial *trial, const struct trial_kernel *kernel, int part,
                     unsigned char poison, int sets, double *seconds, struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    workload_poison(&trial->workloads[part], poison);
    status code = run_poisoned(trial, kernel, part, sets, seconds, &diagnostic);
    if (code == STATUS_OK) return true;
    enum record_status why = code == STATUS_NO_MEMORY ? RECORD_MEMORY : RECORD_CRASHED;
    return reject(outcome, why, "%s", diagnostic.text);
}

/* Nothing but its outputs was written. */
static bool stayed_inside(const struct trial *trial, int sets, struct outcome *outcome)
{
    char reason[128];
    for (int part = 0; part < TRIAL_COUNT; part++)
        if (!workload_intact(&trial->workloads[part], sets, reason))
            return reject(outcome, RECORD_OUT_OF_BOUNDS, "%s", reason);
    return true;
}

static bool is_right(const struct trial *trial, const struct trial_kernel *kernel, int part,
                     struct outcome *outcome)
{
    char reason[192];
    void *addresses[OP_OPERANDS_MAX];
    workload_addresses(&trial->workloads[part], 0, addresses);
    if (check_compare(&trial->checks[part], &kernel->numerics, addresses, reason)) return true;
    long long rows = trial->workloads[part].run.symbols[SYMBOL_ROWS];
    return reject(outcome, RECORD_MISMATCH, "%lld rows: %s", rows, reason);
}

/* Copies what was written away, or compares it with the copy. */
static bool keep_results(struct trial *trial, bool compare)
{
    const struct check *check = &trial->checks[TRIAL_WHOLE];
    void *addresses[OP_OPERANDS_MAX];
    unsigned char *kept = trial->kept;
    workload_addresses(&trial->workloads[TRIAL_WHOLE], 0, addresses);
    for (int o = 0; o < check->operand_count; o++) {
        size_t bytes = (size_t)check->operands[o].bytes;
        const void *written = addresses[check->operands[o].operand];
        if (compare && memcmp(kept, written, bytes) != 0) return false;
        if (!compare) memcpy(kept, written, bytes);
        kept += bytes;
    }
    return true;
}

static struct hash hash_results(const struct trial *trial)
{
    const struct check *check = &trial->checks[TRIAL_WHOLE];
    void *addresses[OP_OPERANDS_MAX];
    struct hash hash = {0};
    workload_addresses(&trial->workloads[TRIAL_WHOLE], 0, addresses);
    for (int o = 0; o < check->operand_count; o++)
        hash = hash_combine(hash, hash_bytes(addresses[check->operands[o].operand],
                                             (size_t)check->operands[o].bytes));
    return hash;
}

static bool check_steps(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                        struct outcome *outcome)
{
    double first, second;
    if (!run_once(trial, kernel, TRIAL_ODD, FIRST_POISON, 1, &first, outcome)) return false;
    if (!stayed_inside(trial, 1, outcome)) return false;
    if (!is_right(trial, kernel, TRIAL_ODD, outcome)) return false;
    if (!run_once(trial, kernel, TRIAL_WHOLE, FIRST_POISON, 1, &first, outcome)) return false;
    if (!stayed_inside(trial, 1, outcome)) return false;
    if (!is_right(trial, kernel, TRIAL_WHOLE, outcome)) return false;
    keep_results(trial, false);
    if (!run_once(trial, kernel, TRIAL_WHOLE, SECOND_POISON, 1, &second, outcome)) return false;
    if (!stayed_inside(trial, 1, outcome)) return false;
    if (!is_right(trial, kernel, TRIAL_WHOLE, outcome)) return false;
    if (!keep_results(trial, true))
        return reject(outcome, RECORD_NONDETERMINISTIC,
                      "two runs on the same inputs gave different results");
    kernel->results = hash_results(trial);
    *seconds = first < second ? first : second;
    return true;
}

/* What the host saw of a device that works by itself says little of how long it worked. */
static bool take_time(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                      struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    struct trial_timing timing = {.trial = trial, .kernel = kernel};
    if (!kernel->runner->allocate) return true;
    if (trial_run(&timing, 0, 1, seconds, &diagnostic) == STATUS_OK) return true;
    return reject(outcome, RECORD_CRASHED, "%s", diagnostic.text);
}

void trial_check(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                 struct outcome *outcome)
{
    *outcome = (struct outcome){.status = RECORD_OK};
    *seconds = 0;
    if (check_steps(trial, kernel, seconds, outcome)) take_time(trial, kernel, seconds, outcome);
}

void trial_confirm(struct trial *trial, const struct trial_kernel *kernel, int sets,
                   struct outcome *outcome)
{
    double seconds;
    *outcome = (struct outcome){.status = RECORD_OK};
    if (!run_once(trial, kernel, TRIAL_WHOLE, FIRST_POISON, sets, &seconds, outcome)) return;
    if (!stayed_inside(trial, sets, outcome)) return;
    if (hash_equal(hash_results(trial), kernel->results)) return;
    if (is_right(trial, kernel, TRIAL_WHOLE, outcome))
        reject(outcome, RECORD_NONDETERMINISTIC, "later runs gave other results than the first");
}

status trial_run(void *timing, int n, int runs, double *seconds, struct diagnostic *diagnostic)
{
    const struct trial_timing *own = timing;
    const struct trial *trial = own->trial;
    const struct trial_kernel *kernel = own->kernel;
    const struct trial_part *part = &trial->parts[TRIAL_WHOLE];
    const struct run *run = &trial->workloads[TRIAL_WHOLE].run;
    if (kernel->runner->time) {
        const struct runner_timing wanted = {.run = run,
                                             .operands = part->operands,
                                             .operand_sets = part->operand_sets,
                                             .first = n % part->operand_sets,
                                             .count = runs};
        return kernel->runner->time(kernel->context, kernel->kernel, &wanted, seconds, diagnostic);
    }
    int64_t start = clock_nanoseconds();
    for (int r = 0; r < runs; r++)
        TRY(kernel->runner->run(kernel->context, kernel->kernel, run,
                                trial_memory_operands(trial, TRIAL_WHOLE, n + r), diagnostic));
    *seconds = (double)(clock_nanoseconds() - start) * 1e-9;
    return STATUS_OK;
}
