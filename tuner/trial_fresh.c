/* Other inputs at the same addresses, and other numbers of rows: for kernels that know the answer
 * before they are asked. */
#include "tuner/trial_fresh.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "tuner/trial_memory.h"

#include <string.h>

enum { POISON = 0xfd };

/* ---- Fresh inputs ---- */

static bool is_swapped(const struct trial *trial, int operand)
{
    const struct workload_operand *own = &trial->workloads[TRIAL_WHOLE].operands[operand];
    return own->present && !own->output && trial->problem->operands[operand].kind != VALUE_WEIGHT;
}

/* Between the inputs' places and the copy of what belongs there. */
static void move_originals(struct trial *trial, bool back)
{
    const struct workload *whole = &trial->workloads[TRIAL_WHOLE];
    unsigned char *kept = trial->originals;
    for (int i = 0; i < whole->operand_count; i++) {
        if (!is_swapped(trial, i)) continue;
        unsigned char *place = whole->memory + whole->operands[i].offset;
        size_t bytes = (size_t)whole->operands[i].bytes;
        memcpy(back ? place : kept, back ? kept : place, bytes);
        kept += bytes;
    }
}

status trial_fresh_create(struct trial *trial, struct diagnostic *diagnostic)
{
    void *memory;
    for (int i = 0; i < trial->workloads[TRIAL_WHOLE].operand_count; i++)
        if (is_swapped(trial, i))
            trial->originals_bytes += trial->workloads[TRIAL_WHOLE].operands[i].bytes;
    if (!trial->originals_bytes) return STATUS_OK;
    TRY(memory_map((size_t)trial->originals_bytes, &memory, diagnostic));
    trial->originals = memory;
    move_originals(trial, false);
    return STATUS_OK;
}

/* Both workloads have as many rows, so their operands have as many bytes. */
static void *fresh_place(const struct trial *trial, int operand)
{
    const struct workload *fresh = &trial->workloads[trial->fresh];
    return fresh->memory + fresh->operands[operand].offset;
}

status trial_fresh_enter(struct trial *trial, struct diagnostic *diagnostic)
{
    const struct workload *whole = &trial->workloads[TRIAL_WHOLE];
    trial_probes_restore(trial);
    for (int i = 0; i < whole->operand_count; i++)
        if (is_swapped(trial, i))
            memcpy(whole->memory + whole->operands[i].offset, fresh_place(trial, i),
                   (size_t)whole->operands[i].bytes);
    return trial_memory_send_inputs(trial, TRIAL_WHOLE, diagnostic);
}

status trial_fresh_leave(struct trial *trial, struct diagnostic *diagnostic)
{
    move_originals(trial, true);
    return trial_memory_send_inputs(trial, TRIAL_WHOLE, diagnostic);
}

static bool inputs_unchanged(const struct trial *trial)
{
    const struct workload *whole = &trial->workloads[TRIAL_WHOLE];
    for (int i = 0; i < whole->operand_count; i++)
        if (is_swapped(trial, i) && !whole->operands[i].written &&
            memcmp(whole->memory + whole->operands[i].offset, fresh_place(trial, i),
                   (size_t)whole->operands[i].bytes) != 0)
            return false;
    return true;
}

bool trial_fresh_right(const struct trial *trial, const struct trial_kernel *kernel,
                       struct outcome *outcome)
{
    char reason[192];
    void *addresses[OP_OPERANDS_MAX];
    workload_addresses(&trial->workloads[TRIAL_WHOLE], 0, addresses);
    if (!check_compare(&trial->checks[trial->fresh], &kernel->numerics, addresses, reason))
        return trial_reject(outcome, RECORD_MISMATCH, "other inputs at the same addresses: %s",
                            reason);
    return inputs_unchanged(trial) ||
           trial_reject(outcome, RECORD_OUT_OF_BOUNDS, "it changed an input");
}

static status run_fresh(struct trial *trial, const struct trial_kernel *kernel,
                        struct diagnostic *diagnostic)
{
    workload_poison(&trial->workloads[TRIAL_WHOLE], POISON);
    TRY(trial_memory_send(trial, TRIAL_WHOLE, diagnostic));
    TRY(trial_fresh_enter(trial, diagnostic));
    TRY(kernel->runner->run(kernel->context, kernel->kernel, &trial->workloads[trial->fresh].run,
                            trial_memory_operands(trial, TRIAL_WHOLE, 0), diagnostic));
    trial_step(trial);
    return trial_memory_fetch(trial, 1, diagnostic);
}

bool trial_fresh_check(struct trial *trial, const struct trial_kernel *kernel,
                       struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    status code = run_fresh(trial, kernel, &diagnostic);
    bool right = code == STATUS_OK ? trial_fresh_right(trial, kernel, outcome)
                                   : trial_reject_run(outcome, code, &diagnostic);
    code = trial_fresh_leave(trial, &diagnostic);
    return code == STATUS_OK ? right : trial_reject_run(outcome, code, &diagnostic);
}

/* ---- Other numbers of rows ---- */

/* All up to SMALL, then some larger ones: whatever a kernel does with the rest of a division by 8
 * or 16, and wherever it changes its ways.  Where runs are dear the time ends it. */
enum { SMALL_ROWS = 16, LARGER = 4, STREAM_ROWS = 3100 };
static const double sweep_seconds = 0.25, sweep_apart_seconds = 0.05;

static bool is_untouched(const unsigned char *bytes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (bytes[i] != POISON) return false;
    return true;
}

/* What lies behind the rows of a shorter run belongs to somebody else. */
static bool rest_is_untouched(const struct trial *trial, int64_t rows)
{
    const struct workload *whole = &trial->workloads[TRIAL_WHOLE];
    for (int i = 0; i < whole->operand_count; i++) {
        const struct workload_operand *operand = &whole->operands[i];
        if (!operand->present || !operand->output) continue;
        int64_t used = operand->bytes / whole->run.symbols[SYMBOL_ROWS] * rows;
        if (!is_untouched(whole->memory + operand->offset + used, operand->bytes - used))
            return false;
    }
    return true;
}

static status run_rows(struct trial *trial, const struct trial_kernel *kernel, int64_t rows,
                       struct diagnostic *diagnostic)
{
    struct run run = trial->workloads[TRIAL_WHOLE].run;
    run.symbols[SYMBOL_ROWS] = run.symbols[SYMBOL_TOKENS] = run.symbols[SYMBOL_OUTPUTS] = rows;
    workload_poison(&trial->workloads[TRIAL_WHOLE], POISON);
    TRY(trial_memory_send(trial, TRIAL_WHOLE, diagnostic));
    TRY(kernel->runner->run(kernel->context, kernel->kernel, &run,
                            trial_memory_operands(trial, TRIAL_WHOLE, 0), diagnostic));
    trial_step(trial);
    return trial_memory_fetch_outputs(trial, TRIAL_WHOLE, diagnostic);
}

/* `part`: whose numbers are in the places. */
static bool rows_are_right(struct trial *trial, const struct trial_kernel *kernel, int part,
                           int64_t rows, struct outcome *outcome)
{
    char reason[192];
    struct diagnostic diagnostic = {0};
    void *addresses[OP_OPERANDS_MAX];
    status code = run_rows(trial, kernel, rows, &diagnostic);
    if (code != STATUS_OK) return trial_reject_run(outcome, code, &diagnostic);
    workload_addresses(&trial->workloads[TRIAL_WHOLE], 0, addresses);
    if (!check_compare_rows(&trial->checks[part], &kernel->numerics, rows, addresses, reason))
        return trial_reject(outcome, RECORD_MISMATCH, "%lld rows: %s", (long long)rows, reason);
    return rest_is_untouched(trial, rows) ||
           trial_reject(outcome, RECORD_OUT_OF_BOUNDS, "%lld rows: it wrote behind the last one",
                        (long long)rows);
}

static bool sweep_part(struct trial *trial, const struct trial_kernel *kernel, int part,
                       struct outcome *outcome)
{
    int64_t rows = trial->workloads[TRIAL_WHOLE].run.symbols[SYMBOL_ROWS];
    int64_t small = rows - 1 < SMALL_ROWS ? rows - 1 : SMALL_ROWS;
    double limit = kernel->runner->allocate ? sweep_apart_seconds : sweep_seconds;
    double start = clock_seconds();
    for (int64_t n = 0; n < small + LARGER && clock_seconds() - start < limit; n++) {
        int64_t choice = n + 1;
        if (n >= small && rows - 1 == small) break;
        if (n >= small)
            choice = small + 1 +
                     (int64_t)(random_bits(trial->seed, STREAM_ROWS, (uint64_t)n) %
                               (uint64_t)(rows - 1 - small));
        if (!rows_are_right(trial, kernel, part, choice, outcome)) return false;
    }
    return true;
}

static bool stayed_inside(struct trial *trial, struct outcome *outcome)
{
    char reason[128];
    struct diagnostic diagnostic = {0};
    status code = trial_memory_fetch(trial, 1, &diagnostic);
    if (code != STATUS_OK) return trial_reject_run(outcome, code, &diagnostic);
    return workload_intact(&trial->workloads[TRIAL_WHOLE], 1, reason) ||
           trial_reject(outcome, RECORD_OUT_OF_BOUNDS, "%s", reason);
}

/* Twice, so that nobody gets away with the answers of the first time. */
bool trial_sweep_rows(struct trial *trial, const struct trial_kernel *kernel,
                      struct outcome *outcome)
{
    struct diagnostic diagnostic = {0};
    if (!problem_rows_alike(trial->problem)) return true;
    if (!sweep_part(trial, kernel, TRIAL_WHOLE, outcome) || !stayed_inside(trial, outcome))
        return false;
    status code = trial_fresh_enter(trial, &diagnostic);
    bool right = code != STATUS_OK || sweep_part(trial, kernel, trial->fresh, outcome);
    if (code == STATUS_OK) code = trial_fresh_leave(trial, &diagnostic);
    return code == STATUS_OK ? right : trial_reject_run(outcome, code, &diagnostic);
}
