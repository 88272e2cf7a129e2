/* The parent's side of the pool: jobs, children, answers. */
#include "codegen/compile_pool.h"

#include "base/clock.h"
#include "base/text.h"
#include "codegen/compile_child.h"

#include <string.h>

/* One is compiled, one waits in the child's channel: a child need not wait for the parent. */
enum { FLIGHT_MAX = 2 };

enum job_state { JOB_WAITING, JOB_FLYING, JOB_DONE };

struct job {
    struct generation generation;
    struct config config;
    enum job_state state;
    status code;
    struct diagnostic *diagnostic; /* when it failed */
    const void *image;
    size_t image_bytes;
};

struct child {
    struct job *flight[FLIGHT_MAX]; /* in order; NULL: dropped meanwhile */
    int flying;
    int64_t begun; /* when the first of them could begin */
};

struct compile_pool {
    struct arena *arena, *jobs_arena;
    struct compile_limits limits;
    struct work_clock *clock; /* NULL: nobody's */
    int process_count, restarts;
    struct process *processes;
    struct child *children;
    struct job **jobs;
    int job_count;
    size_t job_capacity;
};

status compile_pool_create(int processes, struct compile_limits limits,
                           struct compile_pool **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0), *jobs_arena = arena_create(0);
    struct compile_pool *pool = arena && jobs_arena ? arena_allocate(arena, 1, sizeof *pool) : NULL;
    int count = processes < 1 ? 1 : processes > PROCESSES_MAX ? PROCESSES_MAX : processes;
    if (pool) {
        *pool = (struct compile_pool){
            .arena = arena, .jobs_arena = jobs_arena, .limits = limits, .process_count = count};
        pool->processes = arena_allocate(arena, (size_t)count, sizeof *pool->processes);
        pool->children = arena_allocate(arena, (size_t)count, sizeof *pool->children);
    }
    if (pool && pool->processes && pool->children) {
        for (int c = 0; c < count; c++) pool->processes[c].channel = -1;
        *result = pool;
        return STATUS_OK;
    }
    arena_destroy(jobs_arena);
    arena_destroy(arena);
    return fail_memory(diagnostic, sizeof *pool);
}

void compile_pool_destroy(struct compile_pool *pool)
{
    if (!pool) return;
    for (int c = 0; c < pool->process_count; c++) process_stop(&pool->processes[c]);
    arena_destroy(pool->jobs_arena);
    arena_destroy(pool->arena);
}

int compile_pool_restarts(const struct compile_pool *pool)
{
    return pool->restarts;
}

status compile_pool_clear(struct compile_pool *pool, struct diagnostic *diagnostic)
{
    for (int c = 0; c < pool->process_count; c++)
        for (int f = 0; f < FLIGHT_MAX; f++) pool->children[c].flight[f] = NULL;
    arena_destroy(pool->jobs_arena);
    pool->jobs = NULL;
    pool->job_count = 0;
    pool->job_capacity = 0;
    pool->jobs_arena = arena_create(0);
    TRY_MEMORY(pool->jobs_arena, diagnostic);
    return STATUS_OK;
}

/* ---- Jobs ---- */

static struct job *find(const struct compile_pool *pool, const struct generation *generation)
{
    for (int j = 0; j < pool->job_count; j++) {
        const struct generation *own = &pool->jobs[j]->generation;
        if (own->space == generation->space && own->problem == generation->problem &&
            own->facts == generation->facts &&
            config_equal(own->space, own->config, generation->config))
            return pool->jobs[j];
    }
    return NULL;
}

static status create_job(struct compile_pool *pool, const struct generation *generation,
                         struct job **result, struct diagnostic *diagnostic)
{
    struct job *job;
    TRY_NEW(job, pool->jobs_arena, 1, diagnostic);
    job->generation = *generation;
    job->config = *generation->config;
    job->generation.config = &job->config;
    TRY_APPEND(pool->jobs, pool->job_count, pool->job_capacity, pool->jobs_arena, diagnostic);
    pool->jobs[pool->job_count - 1] = job;
    *result = job;
    return STATUS_OK;
}

static void finish(struct compile_pool *pool, struct job *job, status code,
                   const struct diagnostic *diagnostic)
{
    job->state = JOB_DONE;
    job->code = code;
    if (code == STATUS_OK) return;
    job->diagnostic = arena_copy(pool->jobs_arena, diagnostic, sizeof *diagnostic);
    if (!job->diagnostic) job->code = STATUS_NO_MEMORY;
}

/* ---- Children ---- */

static status send(struct compile_pool *pool, int c, struct job *job, struct diagnostic *diagnostic)
{
    struct child *child = &pool->children[c];
    const struct compile_request request = {.generation = job->generation, .config = job->config};
    if (child->flying == 0) child->begun = clock_nanoseconds();
    job->state = JOB_FLYING;
    child->flight[child->flying++] = job;
    return process_send(&pool->processes[c], &request, sizeof request, diagnostic);
}

static status start(struct compile_pool *pool, int c, struct diagnostic *diagnostic)
{
    pool->children[c] = (struct child){.flying = 0};
    return process_start(&pool->processes[c], compile_child, NULL,
                         (struct process_limits){pool->limits.seconds, pool->limits.memory_bytes},
                         diagnostic);
}

/* What it was compiling has failed; what was waiting behind waits again. */
static void bury(struct compile_pool *pool, int c, status code, const struct diagnostic *diagnostic)
{
    struct child *child = &pool->children[c];
    process_stop(&pool->processes[c]);
    for (int f = 0; f < child->flying; f++) {
        if (!child->flight[f]) continue;
        if (f == 0)
            finish(pool, child->flight[f], code, diagnostic);
        else
            child->flight[f]->state = JOB_WAITING;
    }
    child->flying = 0;
    pool->restarts++;
}

static void land(struct child *child)
{
    child->flying--;
    memmove(child->flight, child->flight + 1, (size_t)child->flying * sizeof *child->flight);
    child->begun = clock_nanoseconds();
}

static int64_t deadline_of(const struct compile_pool *pool, int c)
{
    return pool->children[c].begun + (int64_t)(pool->limits.seconds * 1e9);
}

/* The answer of a child that has something to say.  Of a dropped job it goes to a scratch arena. */
static status take_in(struct compile_pool *pool, int c, struct diagnostic *diagnostic)
{
    struct job *job = pool->children[c].flying ? pool->children[c].flight[0] : NULL;
    struct arena *scratch = job ? NULL : arena_create(0);
    struct diagnostic reason = {0};
    void *answer;
    size_t bytes;
    if (!job) TRY_MEMORY(scratch, diagnostic);
    status code = process_receive(&pool->processes[c], deadline_of(pool, c),
                                  job ? pool->jobs_arena : scratch, &answer, &bytes, &reason);
    if (code != STATUS_OK) {
        bury(pool, c, code, &reason);
    } else {
        land(&pool->children[c]);
        if (job) {
            code = compile_answer_read(answer, bytes, &job->image, &job->image_bytes, &reason);
            finish(pool, job, code, &reason);
        }
    }
    arena_destroy(scratch);
    return STATUS_OK;
}

static void bury_late(struct compile_pool *pool)
{
    char seconds[32];
    for (int c = 0; c < pool->process_count; c++) {
        struct diagnostic reason = {0};
        if (!pool->children[c].flying || clock_nanoseconds() < deadline_of(pool, c)) continue;
        status code =
            fail(&reason, STATUS_TIMEOUT, "not compiled within %s; the compiler was killed",
                 text_seconds(pool->limits.seconds, seconds));
        bury(pool, c, code, &reason);
    }
}

static int least_busy(const struct compile_pool *pool)
{
    int best = 0;
    for (int c = 1; c < pool->process_count; c++)
        if (pool->children[c].flying < pool->children[best].flying) best = c;
    return best;
}

static status dispatch(struct compile_pool *pool, struct job *job, int c,
                       struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    if (pool->processes[c].pid <= 0) TRY(start(pool, c, diagnostic));
    status code = send(pool, c, job, &reason);
    if (code != STATUS_OK) bury(pool, c, code, &reason);
    return STATUS_OK;
}

static status dispatch_waiting(struct compile_pool *pool, struct diagnostic *diagnostic)
{
    for (int j = 0; j < pool->job_count; j++) {
        int c = least_busy(pool);
        if (pool->children[c].flying >= FLIGHT_MAX) return STATUS_OK;
        if (pool->jobs[j]->state == JOB_WAITING) TRY(dispatch(pool, pool->jobs[j], c, diagnostic));
    }
    return STATUS_OK;
}

static int64_t next_deadline(const struct compile_pool *pool)
{
    int64_t next = INT64_MAX;
    for (int c = 0; c < pool->process_count; c++)
        if (pool->children[c].flying && deadline_of(pool, c) < next) next = deadline_of(pool, c);
    return next;
}

/* The first child with something to say, -1 when none has by the deadline. */
static int wait_for_child(struct compile_pool *pool, int64_t deadline)
{
    for (;;) {
        int64_t glance = clock_nanoseconds() + (int64_t)(WORK_CLOCK_GLANCE_SECONDS * 1e9);
        int child = process_wait_any(pool->processes, pool->process_count,
                                     glance < deadline ? glance : deadline);
        if (pool->clock) (void)work_clock_look(pool->clock);
        if (child >= 0 || clock_nanoseconds() >= deadline) return child;
    }
}

/* Takes in what is there; waits for one answer if asked to. */
static status turn(struct compile_pool *pool, bool waits, struct diagnostic *diagnostic)
{
    int64_t deadline = waits ? next_deadline(pool) : 0;
    for (int c; (c = wait_for_child(pool, deadline)) >= 0; deadline = 0)
        TRY(take_in(pool, c, diagnostic));
    bury_late(pool);
    return dispatch_waiting(pool, diagnostic);
}

/* ---- What callers ask for ---- */

void compile_pool_use_clock(struct compile_pool *pool, struct work_clock *clock)
{
    pool->clock = clock;
}

status compile_pool_tend(struct compile_pool *pool, struct diagnostic *diagnostic)
{
    return turn(pool, false, diagnostic);
}

status compile_pool_add(struct compile_pool *pool, const struct generation *generation,
                        struct diagnostic *diagnostic)
{
    struct job *job;
    if (find(pool, generation)) return STATUS_OK;
    TRY(create_job(pool, generation, &job, diagnostic));
    return turn(pool, false, diagnostic);
}

/* Of those that wait, what is wanted now goes first. */
static void hurry(struct compile_pool *pool, struct job *job)
{
    int at = 0;
    while (pool->jobs[at] != job) at++;
    memmove(pool->jobs + 1, pool->jobs, (size_t)at * sizeof *pool->jobs);
    pool->jobs[0] = job;
}

status compile_pool_take(struct compile_pool *pool, const struct generation *generation,
                         const void **image, size_t *image_bytes, struct diagnostic *diagnostic)
{
    struct job *job = find(pool, generation);
    if (!job) TRY(create_job(pool, generation, &job, diagnostic));
    hurry(pool, job);
    TRY(turn(pool, false, diagnostic));
    while (job->state != JOB_DONE) TRY(turn(pool, true, diagnostic));
    *image = job->image;
    *image_bytes = job->image_bytes;
    if (job->code == STATUS_OK) return STATUS_OK;
    return fail(diagnostic, job->code, "%s",
                job->diagnostic ? job->diagnostic->text : status_message(job->code));
}
