/* Running an operator's reference: on all threads, on distinct rows only, or on a sample of its
 * items. */
#include "tuner/check_reference.h"

#include "base/random.h"

#include <string.h>

struct reference_work {
    const struct problem *problem;
    struct run run;
    void *operands[OP_OPERANDS_MAX];
    int64_t items, step; /* every step-th item, and the last one */
    int threads;
};

static int64_t item_count(const struct problem *problem, const struct run *run)
{
    if (problem->op->reference_items) return problem->op->reference_items(problem, run);
    return run->symbols[SYMBOL_ROWS];
}

static void work_share(void *context, int thread)
{
    const struct reference_work *work = context;
    void (*reference)(const struct problem *, const struct run *, void *const *, int64_t, int64_t) =
        work->problem->op->reference;
    int64_t begin, end;
    if (work->step == 1) {
        thread_share(work->items, 1, thread, work->threads, &begin, &end);
        if (begin < end) reference(work->problem, &work->run, work->operands, begin, end);
        return;
    }
    for (int64_t item = thread * work->step; item < work->items; item += work->threads * work->step)
        reference(work->problem, &work->run, work->operands, item, item + 1);
    if (thread == 0 && (work->items - 1) % work->step)
        reference(work->problem, &work->run, work->operands, work->items - 1, work->items);
}

static void run_work(struct reference_work *work, struct thread_pool *pool)
{
    work->threads = pool ? thread_pool_size(pool) : 1;
    if (pool)
        thread_pool_run(pool, work_share, work);
    else
        work_share(work, 0);
}

/* Bytes of one row of an operand whose leading dimension is the rows. */
static int64_t row_bytes(const struct workload *workload, int operand)
{
    return workload->operands[operand].bytes / workload->run.symbols[SYMBOL_ROWS];
}

static void repeat_rows(const struct check *check, unsigned char *const *outputs)
{
    const struct workload *workload = check->workload;
    for (int o = 0; o < check->operand_count; o++) {
        int64_t bytes = row_bytes(workload, check->operands[o].operand);
        for (int64_t r = workload->distinct_rows; r < workload->run.symbols[SYMBOL_ROWS]; r++)
            memcpy(outputs[o] + r * bytes,
                   outputs[o] + workload_row_class(workload, r, workload->distinct_rows) * bytes,
                   (size_t)bytes);
    }
}

static void set_rows(struct run *run, int64_t rows)
{
    run->symbols[SYMBOL_ROWS] = rows;
    run->symbols[SYMBOL_TOKENS] = rows;
    run->symbols[SYMBOL_OUTPUTS] = rows;
}

/* Written states start from what they hold, outputs from what says that nothing was computed. */
static void start_outputs(const struct check *check, const struct workload *workload,
                          unsigned char *const *outputs)
{
    const unsigned char *from = workload->written;
    for (int o = 0; o < check->operand_count; o++) {
        const struct check_operand *operand = &check->operands[o];
        if (workload->operands[operand->operand].written) {
            memcpy(outputs[o], from, (size_t)operand->bytes);
            from += operand->bytes;
        } else {
            memset(outputs[o], 0xff, (size_t)operand->bytes);
        }
    }
}

status check_reference_run(const struct check *check, const struct workload *workload,
                           const struct check_options *options, unsigned char *const *outputs,
                           struct diagnostic *diagnostic)
{
    struct reference_work work = {.problem = workload->problem, .run = workload->run, .step = 1};
    workload_addresses(workload, 0, work.operands);
    start_outputs(check, workload, outputs);
    for (int o = 0; o < check->operand_count; o++)
        work.operands[check->operands[o].operand] = outputs[o];
    if (workload->distinct_rows) set_rows(&work.run, workload->distinct_rows);
    work.items = item_count(work.problem, &work.run);
    if (work.items < 1) return STATUS_OK;
    if (check->sampled) {
        double cost = problem_cost(workload->problem).operations;
        work.step = (int64_t)(cost / options->operations) + 1;
        if (work.step > work.items) work.step = work.items;
    }
    run_work(&work, options->pool);
    if (workload->distinct_rows) repeat_rows(check, outputs);
    (void)diagnostic;
    return STATUS_OK;
}

status check_rows_alike(const struct check *check, unsigned char *const *expected, bool *alike,
                        struct diagnostic *diagnostic)
{
    enum { ROWS = 2 };
    const struct workload *workload = check->workload;
    int64_t rows = workload->run.symbols[SYMBOL_ROWS], first = rows - ROWS;
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct reference_work work = {.problem = workload->problem, .run = workload->run, .step = 1};
    workload_addresses(workload, 0, work.operands);
    bool enough = true;
    for (int i = 0; i < workload->operand_count; i++) {
        const struct operand *operand = &workload->problem->operands[i];
        if (!operand->present || operand->kind == VALUE_WEIGHT) continue;
        unsigned char *bytes = work.operands[i];
        if (workload->operands[i].output)
            bytes = arena_allocate(scratch, ROWS, (size_t)row_bytes(workload, i));
        else
            bytes += first * row_bytes(workload, i);
        work.operands[i] = bytes;
        enough = enough && bytes;
    }
    set_rows(&work.run, ROWS);
    work.items = item_count(work.problem, &work.run);
    if (enough) run_work(&work, NULL);
    *alike = enough;
    for (int o = 0; enough && o < check->operand_count; o++) {
        int64_t bytes = row_bytes(workload, check->operands[o].operand);
        *alike = *alike && memcmp(work.operands[check->operands[o].operand],
                                  expected[o] + first * bytes, (size_t)(ROWS * bytes)) == 0;
    }
    arena_destroy(scratch);
    return enough ? STATUS_OK : fail_memory(diagnostic, 0);
}
