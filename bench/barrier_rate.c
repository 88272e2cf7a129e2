/* What meeting costs: barriers of a pool of threads, and shares of equal work, with and without other programs that want
 * the same cores.
 *
 *     barrier_rate [THREADS [RIVALS]]       prints one JSON document
 *
 * RIVALS are processes that spin on any core.  A launch here is one millisecond of arithmetic per thread and a barrier, as a
 * decode step has hundreds of; it is timed with static shares and with chunks that others may take. */
#include "base/clock.h"
#include "base/text.h"
#include "runtime/work_claims.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BARRIERS = 2000, SAMPLES = 101, LAUNCHES = 10, ITEMS = 64, RIVALS_MAX = 64 };

struct meeting {
    struct thread_pool *pool;
    struct work_claims *claims;
    int64_t rounds_per_item;
    unsigned generation, walked;
    double sink[64];
};

static void only_meet(void *context, int thread)
{
    (void)thread;
    for (int b = 0; b < BARRIERS; b++) thread_pool_barrier(((struct meeting *)context)->pool);
}

static double compute(int64_t rounds)
{
    double x = 1;
    for (int64_t r = 0; r < rounds; r++) x = x * 0.999999 + 1e-9;
    return x;
}

static void work_and_meet(void *context, int thread)
{
    struct meeting *meeting = context;
    unsigned generation = meeting->generation;
    for (int l = 0; l < LAUNCHES; l++) {
        struct work_walk walk = {meeting->claims, ++generation, ITEMS, 1, thread, 0};
        for (int64_t begin, end; work_next(&walk, &begin, &end);)
            meeting->sink[thread % 64] += compute((end - begin) * meeting->rounds_per_item);
        thread_pool_barrier(meeting->pool);
    }
    if (thread == 0) meeting->walked = generation;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorted seconds per round of the work. */
static void sample(struct meeting *meeting, void (*work)(void *context, int thread), int rounds,
                   double *seconds)
{
    for (int s = 0; s < SAMPLES; s++) {
        double start = clock_seconds();
        thread_pool_run(meeting->pool, work, meeting);
        seconds[s] = (clock_seconds() - start) / rounds;
        meeting->generation = meeting->walked;
    }
    qsort(seconds, SAMPLES, sizeof *seconds, by_value);
}

static void print_samples(const char *name, const double *seconds, const char *end)
{
    printf("  \"%s\": {\"least\": %.4g, \"median\": %.4g, \"p90\": %.4g, \"most\": %.4g}%s\n", name,
           seconds[0], seconds[SAMPLES / 2], seconds[SAMPLES * 9 / 10], seconds[SAMPLES - 1], end);
}

/* Rounds of a thread's items that take a millisecond when nobody disturbs: the fastest of several. */
static int64_t calibrate(int threads)
{
    enum { ROUNDS = 1000000, ATTEMPTS = 20 };
    double best = INFINITY;
    volatile double keep = 0;
    for (int a = 0; a < ATTEMPTS; a++) {
        double start = clock_seconds();
        keep += compute(ROUNDS);
        best = fmin(best, clock_seconds() - start);
    }
    return (int64_t)(1e-3 / best * ROUNDS * threads / ITEMS);
}

static status measure(struct meeting *meeting, struct arena *arena, struct diagnostic *diagnostic)
{
    static const int chunks[] = {1, WORK_CHUNKS_DEFAULT};
    double seconds[SAMPLES];
    sample(meeting, only_meet, BARRIERS, seconds);
    print_samples("barrier_seconds", seconds, ",");
    for (int c = 0; c < 2; c++) {
        TRY(work_claims_create(meeting->pool, chunks[c], arena, &meeting->claims, diagnostic));
        sample(meeting, work_and_meet, LAUNCHES, seconds);
        print_samples(c ? "launch_seconds_chunks" : "launch_seconds_static", seconds, c ? "" : ",");
    }
    return STATUS_OK;
}

static void start_rivals(pid_t *rivals, int64_t count)
{
    for (int64_t r = 0; r < count; r++)
        if ((rivals[r] = fork()) == 0)
            for (volatile int64_t i = 0;; i++) continue;
}

int main(int count, char **words)
{
    int64_t threads = thread_count_default(), rivals = 0;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    static struct meeting meeting;
    static pid_t running[RIVALS_MAX];
    if ((count > 1 && (!text_to_integer(words[1], &threads) || threads < 1 || threads > 1024)) ||
        (count > 2 && (!text_to_integer(words[2], &rivals) || rivals < 0 || rivals > RIVALS_MAX))) {
        fprintf(stderr, "usage: barrier_rate [THREADS [RIVALS]]\n");
        return 2;
    }
    meeting.rounds_per_item = calibrate((int)threads);
    start_rivals(running, rivals);
    status code = thread_pool_create((int)threads, &meeting.pool, &diagnostic);
    printf("{\n  \"threads\": %lld,\n  \"cores\": %d,\n  \"rivals\": %lld,\n", (long long)threads,
           thread_count_default(), (long long)rivals);
    if (code == STATUS_OK) code = measure(&meeting, arena, &diagnostic);
    printf("}\n");
    for (int64_t r = 0; r < rivals; r++)
        if (running[r] > 0 && kill(running[r], SIGKILL) == 0) waitpid(running[r], NULL, 0);
    if (code != STATUS_OK) fprintf(stderr, "barrier_rate: %s\n", diagnostic.text);
    thread_pool_destroy(meeting.pool);
    arena_destroy(arena);
    return code == STATUS_OK ? 0 : status_exit(code);
}
