/* Choosing, loading and timing contestants. */
#include "bench/gpu/contestants.h"

#include "base/text.h"
#include "codegen/compile.h"
#include "tuner/measure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A sample of a card's kernel lasts at least this long, so that launches overlap as they do in a run. */
static const double sample_seconds = 2e-3;
enum { RUNS_MAX = 200 };

/* ---- Choosing ---- */

static status add(struct contest *contest, const struct candidate *candidate, int role,
                  struct diagnostic *diagnostic)
{
    for (int c = 0; c < contest->count; c++)
        if (candidate_equal(&contest->contestants[c].candidate, candidate)) {
            contest->contestants[c].roles |= role;
            return STATUS_OK;
        }
    if (!candidate->space || contest->count == CONTESTANTS_MAX) return STATUS_OK;
    struct text text = {.arena = contest->arena};
    struct contestant *contestant = &contest->contestants[contest->count++];
    candidate_print(candidate, &text);
    *contestant =
        (struct contestant){.roles = role, .candidate = *candidate, .text = text_finish(&text)};
    TRY_MEMORY(contestant->text, diagnostic);
    return STATUS_OK;
}

static status add_best_own(struct contest *contest, const struct record *records, int count,
                           struct diagnostic *diagnostic)
{
    struct candidate best = {.space = NULL}, candidate;
    double seconds = INFINITY;
    for (int r = 0; r < count; r++) {
        struct diagnostic ignored = {0};
        if (records[r].status != RECORD_OK || records[r].median_seconds >= seconds ||
            candidate_parse(contest->catalogue, records[r].candidate, &candidate, &ignored) !=
                STATUS_OK ||
            !candidate.space || space_calls_library(candidate.space))
            continue;
        best = candidate;
        seconds = records[r].median_seconds;
    }
    return best.space ? add(contest, &best, ROLE_OWN, diagnostic) : STATUS_OK;
}

static status add_library(struct contest *contest, struct diagnostic *diagnostic)
{
    const struct device_facts *facts = device_facts(contest->device);
    struct bound_space *bound;
    const char *reason;
    TRY_NEW(bound, contest->arena, 1, diagnostic);
    for (int s = 0; s < contest->catalogue->count; s++) {
        const struct space *space = contest->catalogue->spaces[s];
        if (!space_calls_library(space) ||
            !space_bind(space, contest->problem, facts, contest->arena, bound, &reason))
            continue;
        for (int rank = 0; rank < MATMUL_HEURISTIC_RANKS; rank++) {
            const struct candidate candidate = {.space = space, .config = {.values = {rank}}};
            TRY(add(contest, &candidate, rank ? ROLE_LIBRARY : ROLE_LIBRARY | ROLE_LIBRARY_FIRST,
                    diagnostic));
        }
    }
    return STATUS_OK;
}

status contest_choose(struct contest *contest, struct store *store, const char *compiler,
                      const struct tune_row *row, struct diagnostic *diagnostic)
{
    const struct device_facts *facts = device_facts(contest->device);
    const struct decision_policy policy = {.fast = false};
    struct decision without;
    struct record *records;
    int count;
    TRY(add(contest, &row->decision.candidate, ROLE_TUNED, diagnostic));
    TRY(decision_make(contest->catalogue, contest->problem, facts, compiler, &policy, NULL, 0,
                      contest->arena, &without, diagnostic));
    TRY(add(contest, &without.candidate, ROLE_DEFAULT, diagnostic));
    TRY(store_records(store, contest->problem->key, facts->class_name, contest->arena, &records,
                      &count, diagnostic));
    TRY(add_best_own(contest, records, count, diagnostic));
    return add_library(contest, diagnostic);
}

/* ---- Loading and checking ---- */

/* Contestants that differ only in a library's algorithm have the same code. */
static status compile(struct contest *contest, const struct contestant *contestant,
                      struct image *image, struct diagnostic *diagnostic)
{
    const struct generation generation = {.space = contestant->candidate.space,
                                          .problem = contest->problem,
                                          .config = &contestant->candidate.config,
                                          .facts = device_facts(contest->device)};
    TRY(compile_here(&generation, contest->arena, image, NULL, diagnostic));
    return device_resolve(contest->device, contest->problem, image, diagnostic);
}

static void load_one(struct contest *contest, struct contestant *contestant)
{
    struct diagnostic reason = {0};
    struct image image;
    double seconds = 0;
    contestant->kernel = (struct trial_kernel){.runner = contest->runner,
                                               .context = contest->device,
                                               .numerics = contestant->candidate.space->numerics};
    status code = compile(contest, contestant, &image, &reason);
    if (code == STATUS_OK)
        code = contest->runner->load(contest->device, contest->problem, &image,
                                     &contestant->kernel.kernel, &reason);
    if (code != STATUS_OK) {
        contestant->kernel.kernel = NULL;
        contestant->outcome = (struct outcome){.status = RECORD_COMPILE};
        snprintf(contestant->outcome.detail, TRIAL_DETAIL_BYTES, "%.200s", reason.text);
        return;
    }
    trial_check(&contest->trial, &contestant->kernel, &seconds, &contestant->outcome);
    double runs = seconds > 0 ? ceil(sample_seconds / seconds) : RUNS_MAX;
    contestant->runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : (int)runs;
}

static int list_blocks(const struct contest *contest, int blocks[CHECK_SCALES_MAX])
{
    int count = 0;
    blocks[count++] = 1;
    for (int c = 0; c < contest->count; c++) {
        int block = contest->contestants[c].candidate.space->numerics.operand_block, b = 0;
        while (b < count && blocks[b] != block) b++;
        if (b == count && count < CHECK_SCALES_MAX) blocks[count++] = block;
    }
    return count;
}

status contest_prepare(struct contest *contest, int roles, struct diagnostic *diagnostic)
{
    int blocks[CHECK_SCALES_MAX];
    const struct worker_setup limits = worker_setup_default();
    struct trial_options options = {
        .seed = 1,
        .cache_bytes = (int64_t)device_facts(contest->device)->values[FACT_l2_bytes],
        .memory_limit_bytes = limits.memory_limit_bytes,
        .check_operations = limits.check_operations,
        .blocks = blocks,
        .block_count = list_blocks(contest, blocks),
        .runner = contest->runner,
        .context = contest->device,
    };
    TRY(thread_pool_create(thread_count_default(), &options.pool, diagnostic));
    status code = trial_create(contest->problem, &options, &contest->trial, diagnostic);
    thread_pool_destroy(options.pool);
    TRY(code);
    contest->prepared = true;
    for (int c = 0; c < contest->count; c++) {
        struct contestant *contestant = &contest->contestants[c];
        contestant->outcome = (struct outcome){.status = RECORD_COMPILE, .detail = "not asked for"};
        if (contestant->roles & roles) load_one(contest, contestant);
    }
    return STATUS_OK;
}

/* ---- Timing ---- */

status contest_round(struct contest *contest, int round, double seconds[CONTESTANTS_MAX],
                     struct diagnostic *diagnostic)
{
    for (int i = 0; i < contest->count; i++) {
        int c = (i + round) % contest->count;
        struct contestant *contestant = &contest->contestants[c];
        const struct trial_timing timing = {.trial = &contest->trial,
                                            .kernel = &contestant->kernel};
        float sample = 0;
        seconds[c] = 0;
        if (contestant->outcome.status != RECORD_OK) continue;
        TRY(measure_sample(trial_run, (void *)(uintptr_t)&timing, contestant->runs, true,
                           &contestant->next, &sample, diagnostic));
        seconds[c] = (double)sample;
    }
    return STATUS_OK;
}

void contest_close(struct contest *contest)
{
    for (int c = 0; c < contest->count; c++) {
        struct contestant *contestant = &contest->contestants[c];
        if (contestant->kernel.kernel)
            contest->runner->unload(contest->device, contestant->kernel.kernel);
        contestant->kernel.kernel = NULL;
    }
    if (contest->prepared) trial_destroy(&contest->trial);
    contest->prepared = false;
}
