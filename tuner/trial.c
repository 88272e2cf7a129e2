/* Judging kernels on prepared workloads; timed runs are trial_watch.c's. */
#include "base/clock.h"
#include "base/memory.h"
#include "tuner/trial_fresh.h"
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
    int64_t rows = odd_rows(trial->problem, options->check_operations);
    /* The third is for what changes nothing but the numbers: a part of its results tells. */
    double operations = options->check_operations / (part == TRIAL_FRESH ? 4 : 1);
    const struct workload_options workload_options = {
        .seed = options->seed + (uint64_t)part,
        .rows = part == TRIAL_ODD ? rows : 0,
        .cache_bytes = whole ? options->cache_bytes : 0,
        .memory_limit_bytes = options->memory_limit_bytes,
        .distinct_rows = check_distinct_rows(trial->problem, operations),
        .weights = whole ? NULL : &trial->workloads[TRIAL_WHOLE],
    };
    const struct check_options check_options = {.pool = options->pool, .operations = operations};
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
    for (int part = 0; part <= trial->fresh; part++)
        for (int b = 0; b < options->block_count && code == STATUS_OK; b++)
            code =
                check_prepare(&trial->checks[part], &check_options, options->blocks[b], diagnostic);
    workload_destroy(&magnitudes);
    return code;
}

static status create_parts(struct trial *trial, const struct trial_options *options,
                           struct diagnostic *diagnostic)
{
    for (int part = 0; part < TRIAL_FRESH; part++)
        TRY(create_part(trial, part, options, diagnostic));
    trial->fresh = TRIAL_ODD;
    if (trial->workloads[TRIAL_ODD].run.symbols[SYMBOL_ROWS] !=
        trial->workloads[TRIAL_WHOLE].run.symbols[SYMBOL_ROWS]) {
        trial->fresh = TRIAL_FRESH;
        TRY(create_part(trial, TRIAL_FRESH, options, diagnostic));
    }
    TRY(prepare_scales(trial, options, diagnostic));
    TRY(trial_memory_create(trial, diagnostic));
    const struct check *check = &trial->checks[TRIAL_WHOLE];
    for (int o = 0; o < check->operand_count; o++) trial->kept_bytes += check->operands[o].bytes;
    void *memory;
    TRY(memory_map((size_t)trial->kept_bytes, &memory, diagnostic));
    trial->kept = memory;
    trial_probes_place(trial);
    return trial_fresh_create(trial, diagnostic);
}

status trial_create(const struct problem *problem, const struct trial_options *options,
                    struct trial *trial, struct diagnostic *diagnostic)
{
    *trial = (struct trial){.problem = problem,
                            .runner = options->runner,
                            .context = options->context,
                            .steps = options->steps,
                            .seed = options->seed};
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
    memory_unmap(trial->originals, (size_t)trial->originals_bytes);
    *trial = (struct trial){0};
}

bool trial_reject(struct outcome *outcome, enum record_status why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->detail, sizeof outcome->detail, format, arguments);
    va_end(arguments);
    outcome->status = why;
    return false;
}

bool trial_reject_run(struct outcome *outcome, status code, const struct diagnostic *diagnostic)
{
    enum record_status why = code == STATUS_NO_MEMORY ? RECORD_MEMORY : RECORD_CRASHED;
    return trial_reject(outcome, why, "%s", diagnostic->text);
}

void trial_step(const struct trial *trial)
{
    if (trial->steps) atomic_fetch_add_explicit(trial->steps, 1, memory_order_relaxed);
}

static status run_poisoned(const struct trial *trial, const struct trial_kernel *kernel, int part,
                           double *seconds, struct diagnostic *diagnostic)
{
    TRY(trial_memory_send(trial, part, diagnostic));
    double start = clock_seconds();
    TRY(kernel->runner->run(kernel->context, kernel->kernel, &trial->workloads[part].run,
                            trial_memory_operands(trial, part, 0), diagnostic));
    *seconds = clock_seconds() - start;
    trial_step(trial);
    return trial_memory_fetch(trial, 1, diagnostic);
}

static bool run_once(const struct trial *trial, const struct trial_kernel *kernel, int part,
                     unsigned char poison, double *seconds, struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    workload_poison(&trial->workloads[part], poison);
    status code = run_poisoned(trial, kernel, part, seconds, &diagnostic);
    if (code == STATUS_OK) return true;
    return trial_reject_run(outcome, code, &diagnostic);
}

/* Nothing but its outputs was written. */
static bool stayed_inside(const struct trial *trial, int sets, struct outcome *outcome)
{
    char reason[128];
    for (int part = 0; part < TRIAL_FRESH; part++)
        if (!workload_intact(&trial->workloads[part], sets, reason))
            return trial_reject(outcome, RECORD_OUT_OF_BOUNDS, "%s", reason);
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
    return trial_reject(outcome, RECORD_MISMATCH, "%lld rows: %s", rows, reason);
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
    trial_probes_restore(trial);
    if (!run_once(trial, kernel, TRIAL_ODD, FIRST_POISON, &first, outcome)) return false;
    if (!stayed_inside(trial, 1, outcome)) return false;
    if (!is_right(trial, kernel, TRIAL_ODD, outcome)) return false;
    if (!run_once(trial, kernel, TRIAL_WHOLE, FIRST_POISON, &first, outcome)) return false;
    if (!stayed_inside(trial, 1, outcome)) return false;
    if (!is_right(trial, kernel, TRIAL_WHOLE, outcome)) return false;
    keep_results(trial, false);
    if (!run_once(trial, kernel, TRIAL_WHOLE, SECOND_POISON, &second, outcome)) return false;
    if (!stayed_inside(trial, 1, outcome)) return false;
    if (!is_right(trial, kernel, TRIAL_WHOLE, outcome)) return false;
    if (!keep_results(trial, true))
        return trial_reject(outcome, RECORD_NONDETERMINISTIC,
                            "two runs on the same inputs gave different results");
    kernel->results = hash_results(trial);
    *seconds = first < second ? first : second;
    return trial_fresh_check(trial, kernel, outcome);
}

/* What the host saw of a device that works by itself says little of how long it worked. */
static bool take_time(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                      struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    struct trial_timing timing = {.trial = trial, .kernel = kernel};
    if (!kernel->runner->allocate) return true;
    if (trial_run(&timing, 0, 1, seconds, &diagnostic) == STATUS_OK) return true;
    if (kernel->fault.status == RECORD_OK)
        return trial_reject(outcome, RECORD_CRASHED, "%s", diagnostic.text);
    *outcome = kernel->fault;
    return false;
}

void trial_check(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                 struct outcome *outcome)
{
    *outcome = (struct outcome){.status = RECORD_OK};
    *seconds = 0;
    if (check_steps(trial, kernel, seconds, outcome)) take_time(trial, kernel, seconds, outcome);
}

bool trial_intact(struct trial *trial, struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    *outcome = (struct outcome){.status = RECORD_OK};
    trial_probes_restore(trial);
    status code = trial_memory_fetch(trial, INT32_MAX, &diagnostic);
    if (code != STATUS_OK) return trial_reject_run(outcome, code, &diagnostic);
    return stayed_inside(trial, INT32_MAX, outcome);
}

void trial_confirm(struct trial *trial, struct trial_kernel *kernel, bool finally,
                   struct outcome *outcome)
{
    double seconds;
    *outcome = (struct outcome){.status = RECORD_OK};
    trial_probes_restore(trial);
    if (!run_once(trial, kernel, TRIAL_WHOLE, FIRST_POISON, &seconds, outcome)) return;
    if (!stayed_inside(trial, 1, outcome)) return;
    if (!hash_equal(hash_results(trial), kernel->results)) {
        if (is_right(trial, kernel, TRIAL_WHOLE, outcome))
            trial_reject(outcome, RECORD_NONDETERMINISTIC,
                         "later runs gave other results than the first");
        return;
    }
    if (finally && trial_sweep_rows(trial, kernel, outcome))
        trial_fresh_check(trial, kernel, outcome);
}
