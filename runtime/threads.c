/* The thread pool: a run counter that threads wait on, a barrier, and a futex under both.
 *
 * Waiting spins first: steps of a decode are microseconds apart and a system call costs more than that.  It parks after
 * SPIN_NANOSECONDS because on a shared machine the thread waited for may have lost its core. */
#include "runtime/threads.h"

#include "base/clock.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Longer than it takes the system to wake a parked thread, some 50 microseconds on virtual machines: else one thread's waking
 * would park the next that waits for it, and so on at every barrier.  Threads without a core each keep the others from
 * theirs while they spin. */
enum { SPIN_NANOSECONDS = 300000, SPIN_CROWDED_NANOSECONDS = 2000 };
/* Between looks at the clock. */
enum { SPIN_ROUNDS = 64, CACHE_LINE_BYTES = 64 };

struct gate {
    _Alignas(CACHE_LINE_BYTES) atomic_uint generation; /* the futex word */
    atomic_uint parked;
};

struct thread_pool {
    struct gate run;     /* opened by the caller for each run */
    struct gate barrier; /* opened by the last to arrive */
    _Alignas(CACHE_LINE_BYTES) atomic_uint arrived;
    atomic_bool closing;
    atomic_int standing; /* threads that wait for their first run */
    struct arena *arena;
    int size, started, nodes;
    int64_t spin_nanoseconds;
    bool pinned;            /* thread t sits on seat t */
    struct cpu_seat *seats; /* of the threads */
    double *reach;          /* of the work that the threads up to this one do, relative to all */
    pthread_t *threads;
    void (*work)(void *context, int thread);
    void *context;
};

struct thread_start {
    struct thread_pool *pool;
    int thread;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool gate_is_open(struct gate *gate, unsigned generation)
{
    return atomic_load_explicit(&gate->generation, memory_order_acquire) != generation;
}

/* The clock is read for the first time when the first rounds are over: most waits end before. */
static bool spin(struct gate *gate, unsigned generation, int64_t nanoseconds)
{
    int64_t start = 0, now = 0;
    do {
        for (int round = 0; round < SPIN_ROUNDS; round++) {
            if (gate_is_open(gate, generation)) return true;
            pause_briefly();
        }
        now = clock_nanoseconds();
        if (!start) start = now;
    } while (now - start < nanoseconds);
    return false;
}

static void gate_wait(struct gate *gate, unsigned generation, int64_t spin_nanoseconds)
{
    if (spin(gate, generation, spin_nanoseconds)) return;
    atomic_fetch_add(&gate->parked, 1);
    while (!gate_is_open(gate, generation))
        syscall(SYS_futex, &gate->generation, FUTEX_WAIT_PRIVATE, generation, NULL, NULL, 0);
    atomic_fetch_sub(&gate->parked, 1);
}

static void gate_open(struct gate *gate)
{
    atomic_fetch_add(&gate->generation, 1);
    if (atomic_load(&gate->parked))
        syscall(SYS_futex, &gate->generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void thread_pool_barrier(struct thread_pool *pool)
{
    if (pool->size == 1) return;
    unsigned generation = atomic_load_explicit(&pool->barrier.generation, memory_order_acquire);
    if (atomic_fetch_add(&pool->arrived, 1) + 1 == (unsigned)pool->size) {
        atomic_store(&pool->arrived, 0);
        gate_open(&pool->barrier);
    } else {
        gate_wait(&pool->barrier, generation, pool->spin_nanoseconds);
    }
}

/* A hint: an unpinned thread is only slower. */
static void sit_down(const struct cpu_seat *seat)
{
    cpu_set_t one;
    if (seat->unit < 0 || seat->unit >= CPU_SETSIZE) return;
    CPU_ZERO(&one);
    CPU_SET((size_t)seat->unit, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

static void *thread_main(void *argument)
{
    struct thread_start start = *(struct thread_start *)argument;
    struct thread_pool *pool = start.pool;
    if (pool->pinned) sit_down(&pool->seats[start.thread]);
    atomic_fetch_add(&pool->standing, 1);
    /* The pool cannot be run before thread_pool_create returns, so generation 0 is the first to leave. */
    for (unsigned generation = 0;; generation++) {
        gate_wait(&pool->run, generation, pool->spin_nanoseconds);
        if (atomic_load(&pool->closing)) return NULL;
        pool->work(pool->context, start.thread);
        thread_pool_barrier(pool);
    }
}

void thread_pool_run(struct thread_pool *pool, void (*work)(void *context, int thread),
                     void *context)
{
    pool->work = work;
    pool->context = context;
    if (pool->size > 1) gate_open(&pool->run);
    work(context, 0);
    thread_pool_barrier(pool);
}

int thread_count_default(void)
{
    struct cpu_seats seats = {0};
    struct diagnostic ignored = {0};
    struct arena *arena = arena_create(0);
    int count = 1;
    if (arena && cpu_seats_read(NULL, arena, &seats, &ignored) == STATUS_OK) count = seats.count;
    arena_destroy(arena);
    return count;
}

static status start_threads(struct thread_pool *pool, struct thread_start *starts,
                            struct diagnostic *diagnostic)
{
    for (int thread = 1; thread < pool->size; thread++) {
        starts[thread] = (struct thread_start){.pool = pool, .thread = thread};
        if (pthread_create(&pool->threads[thread], NULL, thread_main, &starts[thread]))
            return fail(diagnostic, STATUS_FAILED,
                        "thread %d of %d could not be started: try --threads 1", thread + 1,
                        pool->size);
        pool->started++;
    }
    return STATUS_OK;
}

/* A thread that is still being made may hold a lock of the C library or of a sanitizer.  A child forked at that moment would
 * find it locked for ever, and children are forked soon after: they compile. */
static void await_standing(struct thread_pool *pool)
{
    while (atomic_load(&pool->standing) < pool->started - 1) sched_yield();
}

/* Threads beyond the seats sit anywhere: the system moves all of them about. */
static void seat_threads(struct thread_pool *pool, const struct cpu_seats *seats)
{
    pool->pinned = pool->size > 1 && pool->size <= seats->count;
    pool->spin_nanoseconds =
        pool->size <= seats->count ? SPIN_NANOSECONDS : SPIN_CROWDED_NANOSECONDS;
    pool->nodes = pool->pinned ? seats->node_count : 1;
    double sum = 0;
    for (int t = 0; t < pool->size; t++) {
        pool->seats[t] = pool->pinned ? seats->seats[t] : (struct cpu_seat){.unit = -1, .speed = 1};
        sum += pool->seats[t].speed;
        pool->reach[t] = sum;
    }
    for (int t = 0; t < pool->size; t++) pool->reach[t] /= sum;
}

static status create_in(struct arena *arena, const struct cpu_seats *seats, int threads,
                        struct thread_pool **result, struct diagnostic *diagnostic)
{
    /* The gates want cache lines of their own; the arena aligns to 16 bytes only. */
    char *room;
    struct thread_start *starts;
    TRY_NEW(room, arena, sizeof(struct thread_pool) + CACHE_LINE_BYTES, diagnostic);
    TRY_NEW(starts, arena, threads, diagnostic);
    size_t misalignment = (uintptr_t)room % CACHE_LINE_BYTES;
    struct thread_pool *pool =
        (void *)(room + (misalignment ? CACHE_LINE_BYTES - misalignment : 0));
    TRY_NEW(pool->threads, arena, threads, diagnostic);
    TRY_NEW(pool->seats, arena, threads, diagnostic);
    TRY_NEW(pool->reach, arena, threads, diagnostic);
    pool->size = threads;
    pool->started = 1;
    seat_threads(pool, seats);
    *result = pool;
    return start_threads(pool, starts, diagnostic);
}

status thread_pool_create_on(const struct cpu_seats *seats, int threads,
                             struct thread_pool **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct thread_pool *pool = NULL;
    status code = create_in(arena, seats, threads, &pool, diagnostic);
    if (pool) {
        pool->arena = arena;
        await_standing(pool);
    }
    if (code != STATUS_OK) {
        if (pool)
            thread_pool_destroy(pool);
        else
            arena_destroy(arena);
        return code;
    }
    *result = pool;
    return STATUS_OK;
}

status thread_pool_create(int threads, struct thread_pool **result, struct diagnostic *diagnostic)
{
    struct cpu_seats seats;
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = cpu_seats_read(NULL, arena, &seats, diagnostic);
    if (code == STATUS_OK) code = thread_pool_create_on(&seats, threads, result, diagnostic);
    arena_destroy(arena);
    return code;
}

void thread_pool_destroy(struct thread_pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->closing, true);
    gate_open(&pool->run);
    for (int thread = 1; thread < pool->started; thread++)
        pthread_join(pool->threads[thread], NULL);
    arena_destroy(pool->arena);
}

int thread_pool_size(const struct thread_pool *pool)
{
    return pool->size;
}

void thread_share(int64_t items, int64_t unit, int thread, int threads, int64_t *begin,
                  int64_t *end)
{
    int64_t units = (items + unit - 1) / unit;
    *begin = units * thread / threads * unit;
    *end = units * (thread + 1) / threads * unit;
    if (*begin > items) *begin = items;
    if (*end > items) *end = items;
}

void thread_pool_share(const struct thread_pool *pool, int64_t items, int64_t unit, int thread,
                       int64_t *begin, int64_t *end)
{
    int64_t units = (items + unit - 1) / unit, last = pool->size - 1;
    *begin = thread ? (int64_t)((double)units * pool->reach[thread - 1]) * unit : 0;
    *end = thread < last ? (int64_t)((double)units * pool->reach[thread]) * unit : items;
    if (*begin > items) *begin = items;
    if (*end > items) *end = items;
}

int thread_pool_node(const struct thread_pool *pool, int thread)
{
    return pool->seats[thread].node;
}

int thread_pool_nodes(const struct thread_pool *pool)
{
    return pool->nodes;
}
