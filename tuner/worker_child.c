/* The worker's child: reads requests, works, answers.  It may die at any moment; nothing here
 * cleans up after a kernel. */
#include "base/clock.h"
#include "base/random.h"
#include "tuner/surroundings.h"
#include "tuner/worker_protocol.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct child {
    const struct worker_setup *setup;
    struct worker_page *page;
    void *context;       /* the runner's */
    struct arena *arena; /* of one request */
    status open_code;    /* of the runner's `open`: told to whoever asks */
    struct diagnostic open_diagnostic;
    bool prepared;
    struct trial trial;
    struct trial_kernel kernels[WORKER_SLOTS];
    int output;
};

/* ---- Telling death by lack of memory from other deaths ---- */

/* The handler's only data: a process has one set of handlers. */
static struct {
    struct worker_page *page;
    unsigned long long limit_pages, free_pages; /* free: at the start */
} last_words;

/* Pages of address space, read without allocating; 0 when it cannot be read. */
static unsigned long long pages_in_use(void)
{
    char text[32] = {0};
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    unsigned long long pages = 0;
    for (ssize_t i = 0; i < count && text[i] >= '0' && text[i] <= '9'; i++)
        pages = pages * 10 + (unsigned long long)(text[i] - '0');
    return pages;
}

static void die_of(int signal_number)
{
    unsigned long long used = pages_in_use();
    if (used + last_words.free_pages / 16 > last_words.limit_pages)
        atomic_store(&last_words.page->memory_exhausted, true);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void watch_memory(struct worker_page *page)
{
    static char stack[16384]; /* a kernel may have used up the other one */
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP};
    const stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    struct rlimit limit;
    last_words.page = page;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    last_words.limit_pages = limit.rlim_cur / (unsigned long long)sysconf(_SC_PAGESIZE);
    last_words.free_pages = last_words.limit_pages - pages_in_use();
    sigaltstack(&alternative, NULL);
    for (size_t s = 0; s < sizeof signals / sizeof *signals; s++) {
        struct sigaction action = {.sa_handler = die_of,
                                   .sa_flags = SA_ONSTACK | (int)SA_RESETHAND};
        sigaction(signals[s], &action, NULL);
    }
}

/* ---- Requests ---- */

static void drop_kernels(struct child *child)
{
    for (int s = 0; s < WORKER_SLOTS; s++) {
        if (child->kernels[s].kernel)
            child->setup->runner->unload(child->context, child->kernels[s].kernel);
        child->kernels[s] = (struct trial_kernel){0};
    }
}

static status prepare(struct child *child, const struct request *request,
                      struct diagnostic *diagnostic)
{
    const struct worker_setup *setup = child->setup;
    drop_kernels(child);
    if (child->prepared) trial_destroy(&child->trial);
    child->prepared = false;
    struct trial_options options = {
        .seed = setup->seed,
        .cache_bytes = (int64_t)setup->facts->values[FACT_l3_bytes],
        .memory_limit_bytes = setup->memory_limit_bytes,
        .check_operations = setup->check_operations,
        .blocks = request->blocks,
        .block_count = request->block_count,
        .runner = setup->runner,
        .context = child->context,
        .steps = &child->page->steps,
    };
    if (options.cache_bytes <= 0)
        options.cache_bytes = (int64_t)setup->facts->values[FACT_l2_bytes];
    TRY(thread_pool_create(thread_count_default(), &options.pool, diagnostic));
    status code =
        trial_create(setup->problems[request->problem], &options, &child->trial, diagnostic);
    thread_pool_destroy(options.pool);
    child->prepared = code == STATUS_OK;
    return code;
}

static void reject(struct answer *answer, enum record_status why, const char *detail)
{
    answer->outcomes[0].status = why;
    snprintf(answer->outcomes[0].detail, TRIAL_DETAIL_BYTES, "%.255s", detail);
}

/* The reference needs no code; everything else is generated. */
static status compile(struct child *child, const struct request *request, struct answer *answer,
                      void **payload, struct diagnostic *diagnostic)
{
    const struct problem *problem = child->setup->problems[request->problem];
    const struct generation generation = {.space = request->candidate.space,
                                          .problem = problem,
                                          .config = &request->candidate.config,
                                          .facts = child->setup->facts};
    struct diagnostic reason = {0};
    struct image image;
    status code = STATUS_OK;
    if (generation.space)
        code = child->setup->runner->generate(child->context, &generation, child->arena, &image,
                                              &reason);
    else
        image_reference(problem, &image);
    if (code != STATUS_OK) {
        reject(answer, code == STATUS_NO_MEMORY ? RECORD_MEMORY : RECORD_COMPILE, reason.text);
        return STATUS_OK;
    }
    return image_encode(&image, child->arena, payload, &answer->payload_bytes, diagnostic);
}

static status load(struct child *child, const struct request *request, struct answer *answer,
                   const void *encoded, struct diagnostic *diagnostic)
{
    struct trial_kernel *kernel = &child->kernels[request->slots[0]];
    const struct space *space = request->candidate.space;
    struct diagnostic reason = {0};
    struct image image;
    if (kernel->kernel) child->setup->runner->unload(child->context, kernel->kernel);
    *kernel = (struct trial_kernel){.runner = child->setup->runner, .context = child->context};
    if (space)
        kernel->numerics = space->numerics;
    else
        TRY(numerics_read(NULL, child->arena, &kernel->numerics, diagnostic));
    kernel->numerics.text = NULL; /* it may lie in the request's arena */
    status code = image_decode(encoded, request->image_bytes, child->arena, &image, &reason);
    if (code == STATUS_OK)
        code = kernel->runner->load(child->context, child->trial.problem, &image, &kernel->kernel,
                                    &reason);
    if (code != STATUS_OK) {
        kernel->kernel = NULL;
        reject(answer, code == STATUS_NO_MEMORY ? RECORD_MEMORY : RECORD_COMPILE, reason.text);
    }
    return STATUS_OK;
}

/* The process before a kernel runs. */
struct view {
    struct surroundings surroundings;
    unsigned long long pages;
};

static void look(struct view *view)
{
    surroundings_look(&view->surroundings);
    view->pages = pages_in_use();
}

/* Kernels have no business with the process's memory; one that keeps much of it is no candidate.  A
 * driver keeps memory as it likes. */
static bool keeps_memory(const struct child *child, const struct view *before)
{
    const unsigned long long keep_bytes_most = 3 << 20; /* comparing results may leave one */
    unsigned long long page_bytes = (unsigned long long)sysconf(_SC_PAGESIZE), now = pages_in_use();
    return !child->setup->runner->allocate && now > before->pages &&
           (now - before->pages) * page_bytes > keep_bytes_most;
}

/* And after it.  A wrong result is the better reason. */
static void look_again(const struct child *child, const struct view *before,
                       struct outcome *outcome)
{
    const char *changed = surroundings_changed(&before->surroundings);
    surroundings_set_float_state(before->surroundings.float_state);
    if (outcome->status != RECORD_OK) return;
    bool keeps = !changed && keeps_memory(child, before);
    if (!changed && !keeps) return;
    outcome->status = changed ? RECORD_TAMPERED : RECORD_MEMORY;
    snprintf(outcome->detail, sizeof outcome->detail, "%s",
             changed ? changed : "it allocates memory and keeps it");
}

/* What a timed run that failed says of the kernel. */
static void blame(const struct trial_kernel *kernel, const char *reason, struct outcome *outcome)
{
    *outcome = kernel->fault;
    if (outcome->status != RECORD_OK) return;
    outcome->status = RECORD_CRASHED;
    snprintf(outcome->detail, sizeof outcome->detail, "%.255s", reason);
}

static void check(struct child *child, const struct request *request, struct answer *answer)
{
    struct view view;
    look(&view);
    trial_check(&child->trial, &child->kernels[request->slots[0]], &answer->seconds,
                &answer->outcomes[0]);
    look_again(child, &view, &answer->outcomes[0]);
}

static status measure(struct child *child, const struct request *request, struct answer *answer,
                      void **payload, struct diagnostic *diagnostic)
{
    struct trial_kernel *kernel = &child->kernels[request->slots[0]];
    struct trial_timing timing = {.trial = &child->trial, .kernel = kernel};
    struct diagnostic reason = {0};
    struct view view;
    float *samples;
    TRY_NEW(samples, child->arena, request->limits.samples_most, diagnostic);
    *payload = samples;
    look(&view);
    if (measure_samples(trial_run, &timing, &request->limits, samples, &answer->sample_count,
                        &reason) != STATUS_OK) {
        blame(kernel, reason.text, &answer->outcomes[0]);
        return STATUS_OK;
    }
    answer->payload_bytes = (size_t)answer->sample_count * sizeof *samples;
    trial_confirm(&child->trial, kernel, false, &answer->outcomes[0]);
    look_again(child, &view, &answer->outcomes[0]);
    return STATUS_OK;
}

/* One sample of each, in an order that changes from round to round so that nobody always follows
 * the same other. */
static status race_round(struct child *child, const struct request *request, int round, int *runs,
                         int *next, float *samples, struct diagnostic *diagnostic)
{
    unsigned float_state = surroundings_float_state();
    int order[WORKER_SLOTS];
    for (int s = 0; s < request->slot_count; s++) {
        int other = (int)(random_bits(child->setup->seed, (uint64_t)round, (uint64_t)s) %
                          (uint64_t)(s + 1));
        order[s] = order[other];
        order[other] = s;
    }
    for (int i = 0; i < request->slot_count; i++) {
        int s = order[i], slot = request->slots[s];
        struct trial_timing timing = {.trial = &child->trial, .kernel = &child->kernels[slot]};
        atomic_store(&child->page->slot, slot);
        float *sample = &samples[s * request->limits.samples_most + round];
        /* What takes a millisecond does not notice how its first microseconds went. */
        bool warm = round == 0 || (double)sample[-1] < 1e-3;
        TRY(measure_sample(trial_run, &timing, runs[s], warm, &next[s], sample, diagnostic));
        surroundings_set_float_state(float_state); /* confirming finds out who changed it */
        runs[s] = measure_runs((double)*sample);
    }
    return STATUS_OK;
}

/* Stops when the time is up, or early when every candidate's median is known precisely enough. */
static bool race_over(const struct request *request, const float *samples, int rounds, double start)
{
    if (rounds < request->limits.samples_least) return false;
    if (clock_seconds() - start > request->limits.seconds) return true;
    if (request->limits.precision <= 0 || rounds % 16) return false;
    for (int s = 0; s < request->slot_count; s++) {
        struct summary summary =
            measure_summarise(samples + s * request->limits.samples_most, rounds);
        if (summary_relative_error(&summary) > request->limits.precision) return false;
    }
    return true;
}

static void confirm(struct child *child, int slot, struct outcome *outcome)
{
    struct view view;
    look(&view);
    trial_confirm(&child->trial, &child->kernels[slot], true, outcome);
    look_again(child, &view, outcome);
}

/* What spoils the memory and the process that all share makes others' results wrong, so it is looked
 * at first. */
static void conclude_race(struct child *child, const struct request *request,
                          const struct view *before, status code, const char *reason,
                          struct answer *answer)
{
    struct outcome spoiled;
    int culprit = atomic_load(&child->page->slot);
    bool alone = request->slot_count == 1;
    trial_intact(&child->trial, &spoiled);
    look_again(child, before, &spoiled);
    if (spoiled.status != RECORD_OK) {
        answer->spoiled = !alone;
        if (alone) answer->outcomes[0] = spoiled;
        return;
    }
    for (int s = 0; s < request->slot_count; s++) {
        if (s && answer->outcomes[s - 1].status != RECORD_OK) return; /* the others race again */
        atomic_store(&child->page->slot, request->slots[s]);
        if (code == STATUS_OK)
            confirm(child, request->slots[s], &answer->outcomes[s]);
        else if (request->slots[s] == culprit)
            blame(&child->kernels[culprit], reason, &answer->outcomes[s]);
    }
}

static status race(struct child *child, const struct request *request, struct answer *answer,
                   void **payload, struct diagnostic *diagnostic)
{
    int runs[WORKER_SLOTS] = {0}, next[WORKER_SLOTS] = {0}, rounds = 0,
        most = request->limits.samples_most;
    struct diagnostic reason = {0};
    float *samples;
    TRY_NEW(samples, child->arena, request->slot_count * most, diagnostic);
    for (int s = 0; s < request->slot_count; s++) runs[s] = 1;
    struct view view;
    look(&view);
    double start = clock_seconds();
    status code = STATUS_OK;
    do {
        code = race_round(child, request, rounds, runs, next, samples, &reason);
    } while (code == STATUS_OK && ++rounds < most && !race_over(request, samples, rounds, start));
    conclude_race(child, request, &view, code, reason.text, answer);
    *payload = samples;
    answer->sample_count = rounds;
    answer->payload_bytes = (size_t)(request->slot_count * most) * sizeof *samples;
    return STATUS_OK;
}

static status carry_out(struct child *child, const struct request *request, struct answer *answer,
                        void **payload, struct diagnostic *diagnostic)
{
    *payload = NULL;
    if (child->open_code != STATUS_OK)
        return fail(diagnostic, child->open_code, "%s", child->open_diagnostic.text);
    switch (request->kind) {
    case REQUEST_PREPARE: return prepare(child, request, diagnostic);
    case REQUEST_COMPILE: return compile(child, request, answer, payload, diagnostic);
    case REQUEST_LOAD: return load(child, request, answer, request + 1, diagnostic);
    case REQUEST_CHECK: check(child, request, answer); return STATUS_OK;
    case REQUEST_MEASURE: return measure(child, request, answer, payload, diagnostic);
    case REQUEST_RACE: return race(child, request, answer, payload, diagnostic);
    }
    return fail(diagnostic, STATUS_FAILED, "unknown request");
}

static bool serve(struct child *child, int requests)
{
    void *message;
    size_t message_bytes;
    if (!process_read_message(requests, child->arena, &message, &message_bytes)) return false;
    struct answer *answer = arena_allocate(child->arena, 1, sizeof *answer);
    if (!answer || message_bytes < sizeof(struct request)) return false;
    void *payload;
    answer->code = carry_out(child, message, answer, &payload, &answer->diagnostic);
    if (answer->code != STATUS_OK) answer->payload_bytes = 0;
    char *bytes = arena_allocate(child->arena, 1, sizeof *answer + answer->payload_bytes);
    if (!bytes) return false;
    memcpy(bytes, answer, sizeof *answer);
    if (answer->payload_bytes) memcpy(bytes + sizeof *answer, payload, answer->payload_bytes);
    return process_write_message(child->output, bytes, sizeof *answer + answer->payload_bytes);
}

void worker_child(void *context, int requests, int answers)
{
    const struct worker *worker = context;
    struct child child = {
        .setup = worker->setup, .page = worker->page, .arena = arena_create(0), .output = answers};
    if (!child.arena) return;
    surroundings_clear(answers);
    watch_memory(child.page);
    const struct runner *runner = child.setup->runner;
    child.open_code = runner->open(runner->setup, &child.context, &child.open_diagnostic);
    while (serve(&child, requests)) arena_reset(child.arena);
}
