/* The worker's parent side: asks, sets deadlines, and replaces a child that died. */
#include "base/clock.h"
#include "base/memory.h"
#include "codegen/compile.h"
#include "tuner/worker_protocol.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct worker_setup worker_setup_default(void)
{
    const struct compile_limits limits = compile_limits_default();
    return (struct worker_setup){
        .memory_limit_bytes = (int64_t)2 << 30,
        .child_bytes = (uint64_t)8 << 30, /* operands, their copies, expected results, a compiler */
        .check_operations = 2.5e8,        /* about a tenth of a second on one core */
        .prepare_seconds = 120,
        .compile_seconds = limits.seconds,
        .least_seconds = 1,
        .most_seconds = 10,
    };
}

status worker_create(const struct worker_setup *setup, struct worker **result,
                     struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct worker *worker = arena_allocate(arena, 1, sizeof *worker);
    void *page = NULL;
    if (!worker || memory_map_shared(sizeof *worker->page, &page, diagnostic) != STATUS_OK) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *worker);
    }
    worker->arena = arena;
    worker->setup = setup;
    worker->page = page;
    worker->process.channel = -1;
    worker->problem = -1;
    *result = worker;
    return STATUS_OK;
}

void worker_destroy(struct worker *worker)
{
    if (!worker) return;
    process_stop(&worker->process);
    memory_unmap(worker->page, sizeof *worker->page);
    arena_destroy(worker->problem_arena);
    arena_destroy(worker->arena);
}

int worker_restarts(const struct worker *worker)
{
    return worker->starts > 1 ? worker->starts - 1 : 0;
}

/* ---- Waiting ---- */

/* How long an answer may take: `step` without the end of a run, `whole` in any case. */
struct patience {
    double step, whole;
};

/* A child that has had less than half of the time to itself was kept waiting by the machine, and
 * gets a little more, once. */
static const double starved_seconds = 1;
/* Between looks at what the child does. */
static const double glance_seconds = WORK_CLOCK_GLANCE_SECONDS;

static int64_t nanoseconds_after(double seconds)
{
    return clock_nanoseconds() + (int64_t)(seconds * 1e9);
}

static bool was_starved(const struct worker *worker, double cpu_before, double seconds)
{
    return process_cpu_seconds(&worker->process) - cpu_before < seconds / 2;
}

/* Whether there is an answer, or an end. */
static bool await_answer(struct worker *worker, const struct patience *patience)
{
    int64_t end = nanoseconds_after(patience->whole), limit = nanoseconds_after(patience->step);
    unsigned steps = atomic_load(&worker->page->steps);
    double cpu = process_cpu_seconds(&worker->process);
    bool extended = false;
    for (;;) {
        int64_t glance = nanoseconds_after(glance_seconds), until = limit < end ? limit : end;
        if (process_wait_any(&worker->process, 1, glance < until ? glance : until) >= 0)
            return true;
        if (worker->setup->clock) (void)work_clock_look(worker->setup->clock);
        unsigned now = atomic_load(&worker->page->steps);
        if (now != steps) {
            steps = now;
            limit = nanoseconds_after(patience->step);
            cpu = process_cpu_seconds(&worker->process);
            extended = false;
        }
        until = limit < end ? limit : end;
        if (clock_nanoseconds() < until) continue;
        if (extended || !was_starved(worker, cpu, patience->step)) return false;
        extended = true;
        limit = end = nanoseconds_after(starved_seconds);
    }
}

static status converse(struct worker *worker, const void *message, size_t bytes,
                       const struct patience *patience, struct arena *arena, void **answer,
                       size_t *answer_bytes, struct diagnostic *diagnostic)
{
    char text[32];
    worker->process.limits.seconds = patience->whole;
    TRY(process_send(&worker->process, message, bytes, diagnostic));
    if (await_answer(worker, patience))
        return process_receive(&worker->process, nanoseconds_after(patience->step), arena, answer,
                               answer_bytes, diagnostic);
    process_stop(&worker->process);
    return fail(diagnostic, STATUS_TIMEOUT,
                "no answer from the child process within %s; it was killed",
                text_seconds(fmin(patience->step, patience->whole), text));
}

/* ---- Requests ---- */

/* Sends a request with `payload` behind it; the answer lives in `arena`. */
static status ask(struct worker *worker, const struct request *request, const void *payload,
                  struct patience patience, struct arena *arena, struct answer **answer,
                  struct diagnostic *diagnostic)
{
    size_t bytes = sizeof *request + request->image_bytes, answer_bytes;
    char *message = arena_allocate(arena, 1, bytes);
    TRY_MEMORY(message, diagnostic);
    memcpy(message, request, sizeof *request);
    if (request->image_bytes) memcpy(message + sizeof *request, payload, request->image_bytes);
    void *received;
    TRY(converse(worker, message, bytes, &patience, arena, &received, &answer_bytes, diagnostic));
    *answer = received;
    /* A kernel may have written over what the child sent. */
    if (answer_bytes < sizeof **answer ||
        answer_bytes - sizeof **answer != (*answer)->payload_bytes ||
        (unsigned)(*answer)->code >= STATUS_COUNT) {
        process_stop(&worker->process);
        return fail(diagnostic, STATUS_CRASHED, "the measuring process sent a broken answer");
    }
    for (int s = 0; s < WORKER_SLOTS; s++) {
        (*answer)->outcomes[s].detail[TRIAL_DETAIL_BYTES - 1] = 0;
        if ((unsigned)(*answer)->outcomes[s].status >= RECORD_STATUS_COUNT)
            (*answer)->outcomes[s].status = RECORD_CRASHED;
    }
    (*answer)->diagnostic.text[DIAGNOSTIC_TEXT_BYTES - 1] = 0;
    if ((*answer)->code == STATUS_OK) return STATUS_OK;
    return fail(diagnostic, (*answer)->code, "%s", (*answer)->diagnostic.text);
}

/* Whether a failed request is the candidate's doing; the child is gone then. */
static bool is_death(status code)
{
    return code == STATUS_CRASHED || code == STATUS_TIMEOUT;
}

static void explain_death(struct worker *worker, status code, const struct diagnostic *diagnostic,
                          bool compiling, struct outcome *outcome)
{
    bool exhausted = atomic_load(&worker->page->memory_exhausted);
    outcome->status = code == STATUS_TIMEOUT ? RECORD_TIMEOUT
                      : exhausted            ? RECORD_MEMORY
                      : compiling            ? RECORD_COMPILE
                                             : RECORD_CRASHED;
    snprintf(outcome->detail, sizeof outcome->detail, "%s%.200s", compiling ? "compiling: " : "",
             diagnostic->text);
    atomic_store(&worker->page->memory_exhausted, false);
    worker->prepared = false;
    for (int s = 0; s < WORKER_SLOTS; s++) worker->slots[s].loaded = false;
}

static status start_child(struct worker *worker, struct diagnostic *diagnostic)
{
    if (process_running(&worker->process)) return STATUS_OK;
    process_stop(&worker->process);
    worker->prepared = false;
    for (int s = 0; s < WORKER_SLOTS; s++) worker->slots[s].loaded = false;
    worker->starts++;
    return process_start(&worker->process, worker_child, worker,
                         (struct process_limits){.memory_bytes = worker->setup->child_bytes},
                         diagnostic);
}

/* A child in which the problem is prepared. */
static status start_prepared(struct worker *worker, struct diagnostic *diagnostic)
{
    TRY(start_child(worker, diagnostic));
    if (worker->prepared) return STATUS_OK;
    struct request request = {
        .kind = REQUEST_PREPARE, .problem = worker->problem, .block_count = worker->block_count};
    memcpy(request.blocks, worker->blocks, sizeof request.blocks);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct answer *answer;
    const double limit = worker->setup->prepare_seconds;
    status code =
        ask(worker, &request, NULL, (struct patience){limit, limit}, scratch, &answer, diagnostic);
    arena_destroy(scratch);
    worker->prepared = code == STATUS_OK;
    return code;
}

status worker_select(struct worker *worker, int problem, struct diagnostic *diagnostic)
{
    if (worker->problem == problem) return STATUS_OK;
    arena_destroy(worker->problem_arena);
    worker->problem_arena = arena_create(0);
    TRY_MEMORY(worker->problem_arena, diagnostic);
    memset(worker->slots, 0, sizeof worker->slots);
    worker->problem = problem;
    worker->prepared = false;
    worker->best_seconds = 0;
    return STATUS_OK;
}

status worker_prepare(struct worker *worker, int problem, const int *blocks, int block_count,
                      struct diagnostic *diagnostic)
{
    if (block_count > CHECK_SCALES_MAX)
        return fail(diagnostic, STATUS_UNSUPPORTED, "too many sizes of rounding blocks");
    worker->problem = -1;
    TRY(worker_select(worker, problem, diagnostic));
    worker->block_count = block_count;
    memcpy(worker->blocks, blocks, (size_t)block_count * sizeof *blocks);
    return start_prepared(worker, diagnostic);
}

status worker_compile(struct worker *worker, const struct candidate *candidate, struct arena *arena,
                      void **image, size_t *image_bytes, struct outcome *outcome,
                      struct diagnostic *diagnostic)
{
    const struct request request = {
        .kind = REQUEST_COMPILE, .problem = worker->problem, .candidate = *candidate};
    struct diagnostic reason = {0};
    struct answer *answer;
    *outcome = (struct outcome){.status = RECORD_OK};
    TRY(start_child(worker, diagnostic));
    const double limit = worker->setup->compile_seconds;
    status code =
        ask(worker, &request, NULL, (struct patience){limit, limit}, arena, &answer, &reason);
    if (is_death(code)) {
        explain_death(worker, code, &reason, true, outcome);
        return STATUS_OK;
    }
    if (code != STATUS_OK) return fail(diagnostic, code, "%s", reason.text);
    *outcome = answer->outcomes[0];
    *image = answer + 1;
    *image_bytes = answer->payload_bytes;
    return STATUS_OK;
}

/* Ten times the best so far, within bounds; the upper bound while there is none. */
static double run_deadline(const struct worker *worker)
{
    const struct worker_setup *setup = worker->setup;
    if (!(worker->best_seconds > 0)) return setup->most_seconds;
    return fmin(setup->most_seconds, fmax(setup->least_seconds, 10 * worker->best_seconds));
}

/* A kernel that wrote where it should not may have written anywhere, and one that failed on a card
 * may have ended the card's use: nothing in that process is trusted any more. */
static void discard_spoiled(struct worker *worker, const struct outcome *outcome)
{
    if (outcome->status == RECORD_OUT_OF_BOUNDS || outcome->status == RECORD_CRASHED ||
        outcome->status == RECORD_TAMPERED)
        process_stop(&worker->process);
}

/* A request whose failure is the candidate's doing. */
static status ask_candidate(struct worker *worker, const struct request *request,
                            const void *payload, struct patience patience, struct arena *arena,
                            struct answer **answer, struct outcome *outcome,
                            struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    *outcome = (struct outcome){.status = RECORD_OK};
    status code = ask(worker, request, payload, patience, arena, answer, &reason);
    if (is_death(code)) {
        explain_death(worker, code, &reason, false, outcome);
        return STATUS_OK;
    }
    if (code != STATUS_OK) return fail(diagnostic, code, "%s", reason.text);
    *outcome = (*answer)->outcomes[0];
    discard_spoiled(worker, outcome);
    return STATUS_OK;
}

/* A child that has the problem prepared and the slot's kernel loaded. */
static status load_slot(struct worker *worker, int slot, struct arena *scratch,
                        struct outcome *outcome, struct diagnostic *diagnostic)
{
    struct worker_slot *own = &worker->slots[slot];
    *outcome = (struct outcome){.status = RECORD_OK};
    TRY(start_prepared(worker, diagnostic));
    if (own->loaded) return STATUS_OK;
    const struct request request = {.kind = REQUEST_LOAD,
                                    .candidate = own->candidate,
                                    .slot_count = 1,
                                    .slots = {slot},
                                    .image_bytes = own->image_bytes};
    const double limit = worker->setup->most_seconds;
    struct answer *answer;
    TRY(ask_candidate(worker, &request, own->image, (struct patience){limit, limit}, scratch,
                      &answer, outcome, diagnostic));
    own->loaded = outcome->status == RECORD_OK;
    return STATUS_OK;
}

static status check_slot(struct worker *worker, int slot, double *seconds, struct arena *scratch,
                         struct outcome *outcome, struct diagnostic *diagnostic)
{
    TRY(load_slot(worker, slot, scratch, outcome, diagnostic));
    if (outcome->status != RECORD_OK) return STATUS_OK;
    const struct request request = {.kind = REQUEST_CHECK, .slot_count = 1, .slots = {slot}};
    const double limit = run_deadline(worker);
    struct answer *answer = NULL;
    double start = clock_seconds();
    TRY(ask_candidate(worker, &request, NULL, (struct patience){limit, limit}, scratch, &answer,
                      outcome, diagnostic));
    if (outcome->status != RECORD_OK) return STATUS_OK;
    double took = clock_seconds() - start;
    if (!(worker->best_seconds > 0) || took < worker->best_seconds) worker->best_seconds = took;
    worker->slots[slot].seconds = *seconds = answer->seconds;
    return STATUS_OK;
}

status worker_check(struct worker *worker, int slot, const struct candidate *candidate,
                    const void *image, size_t image_bytes, double *seconds, struct outcome *outcome,
                    struct diagnostic *diagnostic)
{
    struct worker_slot *own = &worker->slots[slot];
    *own = (struct worker_slot){.used = true, .candidate = *candidate, .image_bytes = image_bytes};
    own->image = arena_copy(worker->problem_arena, image, image_bytes);
    TRY_MEMORY(own->image, diagnostic);
    *seconds = 0;
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = check_slot(worker, slot, seconds, scratch, outcome, diagnostic);
    arena_destroy(scratch);
    return code;
}

/* Kernels of a child that replaces another must be checked again: confirming compares with what the
 * check found. */
static status ensure_checked(struct worker *worker, int slot, struct arena *scratch,
                             struct outcome *outcome, struct diagnostic *diagnostic)
{
    double seconds;
    *outcome = (struct outcome){.status = RECORD_OK};
    if (worker->slots[slot].loaded && process_running(&worker->process)) return STATUS_OK;
    return check_slot(worker, slot, &seconds, scratch, outcome, diagnostic);
}

/* A kernel that stops ending is found out by its own limit; that of the whole is only for what
 * pretends to go on. */
static struct patience timing_patience(const struct worker *worker, const struct request *request)
{
    const double limit = run_deadline(worker);
    return (struct patience){limit,
                             request->limits.seconds + (request->limits.samples_least + 4) * limit};
}

static status measure_slot(struct worker *worker, int slot, const struct measure_limits *limits,
                           float *samples, int *count, struct arena *scratch,
                           struct outcome *outcome, struct diagnostic *diagnostic)
{
    TRY(ensure_checked(worker, slot, scratch, outcome, diagnostic));
    if (outcome->status != RECORD_OK) return STATUS_OK;
    const struct request request = {
        .kind = REQUEST_MEASURE, .slot_count = 1, .slots = {slot}, .limits = *limits};
    struct answer *answer = NULL;
    TRY(ask_candidate(worker, &request, NULL, timing_patience(worker, &request), scratch, &answer,
                      outcome, diagnostic));
    if (outcome->status != RECORD_OK) return STATUS_OK;
    if (answer->sample_count < 1 || answer->sample_count > limits->samples_most ||
        answer->payload_bytes != (size_t)answer->sample_count * sizeof *samples)
        return fail(diagnostic, STATUS_CRASHED, "the measuring process sent a broken answer");
    *count = answer->sample_count;
    memcpy(samples, answer + 1, answer->payload_bytes);
    return STATUS_OK;
}

status worker_measure(struct worker *worker, int slot, const struct measure_limits *limits,
                      float *samples, int *count, struct outcome *outcome,
                      struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    *count = 0;
    status code = measure_slot(worker, slot, limits, samples, count, scratch, outcome, diagnostic);
    arena_destroy(scratch);
    return code;
}

/* `spoiled`: somebody wrote where it must not, and nobody can be blamed. */
static status race_slots(struct worker *worker, const struct request *request, float *samples,
                         int *rounds, bool *spoiled, struct arena *scratch,
                         struct outcome *outcomes, struct diagnostic *diagnostic)
{
    *spoiled = false;
    for (int s = 0; s < request->slot_count; s++) {
        TRY(ensure_checked(worker, request->slots[s], scratch, &outcomes[s], diagnostic));
        if (outcomes[s].status != RECORD_OK) return STATUS_OK;
    }
    struct outcome outcome;
    struct answer *answer = NULL;
    TRY(ask_candidate(worker, request, NULL, timing_patience(worker, request), scratch, &answer,
                      &outcome, diagnostic));
    if (!answer) { /* it died: the page tells with which slot */
        int slot = atomic_load(&worker->page->slot);
        for (int s = 0; s < request->slot_count; s++)
            if (request->slots[s] == slot || request->slot_count == 1) outcomes[s] = outcome;
        return STATUS_OK;
    }
    *spoiled = answer->spoiled;
    if (*spoiled) {
        process_stop(&worker->process);
        return STATUS_OK;
    }
    size_t most = (size_t)request->limits.samples_most, bytes = (size_t)request->slot_count * most;
    if (answer->sample_count < 0 || (size_t)answer->sample_count > most ||
        answer->payload_bytes != bytes * sizeof *samples)
        return fail(diagnostic, STATUS_CRASHED, "the measuring process sent a broken answer");
    bool good = true;
    for (int s = 0; s < request->slot_count; s++) {
        outcomes[s] = answer->outcomes[s];
        discard_spoiled(worker, &outcomes[s]);
        good = good && outcomes[s].status == RECORD_OK;
    }
    if (!good) return STATUS_OK;
    *rounds = answer->sample_count;
    memcpy(samples, answer + 1, answer->payload_bytes);
    return STATUS_OK;
}

/* In a process of its own; the samples are of no use. */
static status race_alone(struct worker *worker, int slot, const struct measure_limits *limits,
                         float *samples, struct arena *scratch, struct outcome *outcome,
                         struct diagnostic *diagnostic)
{
    const struct request request = {
        .kind = REQUEST_RACE, .slot_count = 1, .slots = {slot}, .limits = *limits};
    struct outcome outcomes[WORKER_SLOTS] = {0};
    bool spoiled;
    int rounds;
    status code =
        race_slots(worker, &request, samples, &rounds, &spoiled, scratch, outcomes, diagnostic);
    *outcome = outcomes[0];
    process_stop(&worker->process);
    return code;
}

status worker_race(struct worker *worker, const int *slots, int slot_count,
                   const struct measure_limits *limits, float *samples, int *rounds,
                   struct outcome outcomes[WORKER_SLOTS], struct diagnostic *diagnostic)
{
    struct request request = {.kind = REQUEST_RACE, .slot_count = slot_count, .limits = *limits};
    memcpy(request.slots, slots, (size_t)slot_count * sizeof *slots);
    *rounds = 0;
    memset(outcomes, 0, WORKER_SLOTS * sizeof *outcomes);
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    bool spoiled;
    status code =
        race_slots(worker, &request, samples, rounds, &spoiled, scratch, outcomes, diagnostic);
    for (int s = 0; code == STATUS_OK && spoiled && s < slot_count; s++)
        code = race_alone(worker, slots[s], limits, samples, scratch, &outcomes[s], diagnostic);
    arena_destroy(scratch);
    return code;
}
