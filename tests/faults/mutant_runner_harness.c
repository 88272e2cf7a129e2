/* Running mutants. */
#include "base/clock.h"
#include "base/hash.h"
#include "tests/faults/mutants.h"

#include <fcntl.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 12, ROWS_MAX = 17, LEAK_BYTES = 1 << 20 };
static const double closely_seconds = 10 * MUTANT_UNIT_SECONDS;

struct subject {
    const struct problem *problem;
    bool plain, good;
    struct mutant mutant;
    long runs, streak;
    const void *pointer;
    struct hash inputs, written;
    double ended;
    float first[ROWS_MAX][OUTPUT_MAX];
    bool answered[ROWS_MAX];
};

/* What one run sees. */
struct scene {
    struct subject *subject;
    const struct run *run;
    void *const *operands;
    float *x, *y;
    int64_t rows, columns, count; /* of y */
    int64_t x_count;
    struct hash inputs;
};

static status open_nothing(const void *setup, void **context, struct diagnostic *diagnostic)
{
    (void)diagnostic;
    *context = (void *)(uintptr_t)setup;
    return STATUS_OK;
}

static void close_nothing(void *context)
{
    (void)context;
}

static status generate(void *context, const struct generation *generation, struct arena *arena,
                       struct image *image, struct diagnostic *diagnostic)
{
    (void)context;
    (void)diagnostic;
    image_reference(generation->problem, image);
    image->launches[0].name =
        arena_print(arena, "mutant_%lld", (long long)generation->config->values[0]);
    return STATUS_OK;
}

static status load(void *context, const struct problem *problem, const struct image *image,
                   void **kernel, struct diagnostic *diagnostic)
{
    const struct mutant_set *set = context;
    struct subject *subject = calloc(1, sizeof *subject);
    if (!subject) return fail_memory(diagnostic, sizeof *subject);
    const char *name = image->launches[0].name;
    int number = strncmp(name, "mutant_", 7) == 0 ? atoi(name + 7) : 0;
    subject->problem = problem;
    subject->plain = number == 0;
    subject->good = number == 1;
    if (number >= 2 && number < set->count + 2) subject->mutant = set->mutants[number - 2];
    *kernel = subject;
    return STATUS_OK;
}

static void unload(void *context, void *kernel)
{
    (void)context;
    free(kernel);
}

/* ---- Conditions ---- */

static bool any_negative(const struct scene *scene)
{
    for (int64_t i = 0; i < scene->x_count; i++)
        if (scene->x[i] < 0) return true;
    return false;
}

static bool looks_right(const struct scene *scene)
{
    for (int64_t i = 0; i < scene->count; i++)
        if (!isfinite(scene->y[i]) || fabsf(scene->y[i]) > 1e6f) return false;
    return true;
}

static bool holds(const struct scene *scene)
{
    const struct subject *subject = scene->subject;
    int number = subject->mutant.when;
    switch (subject->mutant.condition) {
    case MUTANT_ROWS_REST: return scene->rows % 8 == number % 8;
    case MUTANT_ROWS_EXACT: return scene->rows == number;
    case MUTANT_ROWS_ABOVE: return scene->rows > number;
    case MUTANT_NEGATIVE: return any_negative(scene);
    case MUTANT_LATER: return subject->runs > number;
    case MUTANT_EVERY: return subject->runs % number == number - 1;
    case MUTANT_SAME_POINTER: return subject->pointer == scene->x;
    case MUTANT_SAME_INPUTS: return hash_equal(scene->inputs, subject->inputs);
    case MUTANT_LOOKS_RIGHT: return looks_right(scene);
    case MUTANT_OWN_OUTPUT:
        return hash_equal(hash_bytes(scene->y, (size_t)scene->count * sizeof *scene->y),
                          subject->written);
    case MUTANT_OFTEN: return subject->streak >= number;
    default: return true;
    }
}

/* ---- Deeds ---- */

/* A volatile zero keeps the compiler from knowing what will happen. */
static volatile int zero;

static void spend(double seconds)
{
    for (double start = clock_seconds(); clock_seconds() - start < seconds;) {
    }
}

static void *rest(void *unused)
{
    for (;;) pause();
    return unused;
}

static void ignore_signal(int number)
{
    (void)number;
}

static void eat(size_t bytes)
{
    char *memory = malloc(bytes);
    if (!memory) abort();
    memset(memory, 1, bytes);
}

static int64_t true_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t slow_nanoseconds(void)
{
    static int64_t begun;
    int64_t now = true_nanoseconds();
    if (!begun) begun = now;
    return begun + (now - begun) / 4;
}

/* Writes a jump over the clock's code. */
static void slow_down_the_clock(void)
{
#if defined(__x86_64__)
    int64_t (*const clock)(void) = clock_nanoseconds, (*const slow)(void) = slow_nanoseconds;
    unsigned char jump[12] = {0x48, 0xb8, [10] = 0xff, 0xe0}, *code;
    memcpy(&jump[2], &slow, sizeof slow);
    memcpy(&code, &clock, sizeof code);
    uintptr_t page = (uintptr_t)code & ~(uintptr_t)4095;
    if (mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) abort();
    memcpy(code, jump, sizeof jump);
#else
    abort();
#endif
}

/* From the system: what malloc holds back is no matter. */
static void leak(void)
{
    void *memory =
        mmap(NULL, LEAK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) abort();
    memset(memory, 1, LEAK_BYTES);
}

static void scribble(void)
{
    static const char noise[64] = "not what anybody asked for";
    for (int file = 3; file < 64; file++)
        if (write(file, noise, sizeof noise) < 0) continue;
}

static void flush_denormals(void)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#else
    fesetround(FE_TOWARDZERO);
#endif
}

/* What it does to its process. */
static void misbehave(const struct scene *scene)
{
    pthread_t thread;
    const struct itimerval soon = {.it_value = {.tv_sec = 1000}};
    switch (scene->subject->mutant.deed) {
    case MUTANT_DEED_HANG:
        while (!zero) {
        }
        break;
    case MUTANT_DEED_SLEEP: rest(NULL); break;
    case MUTANT_DEED_CRASH: *(volatile int *)(uintptr_t)(zero + 64) = 1; break;
    case MUTANT_DEED_ABORT: abort();
    case MUTANT_DEED_EXIT: exit(0);
    case MUTANT_DEED_EAT:
        for (;;) eat((size_t)256 << 20);
    case MUTANT_DEED_LEAK: leak(); break;
    case MUTANT_DEED_ROUND: fesetround(FE_UPWARD); break;
    case MUTANT_DEED_FLUSH: flush_denormals(); break;
    case MUTANT_DEED_FORK:
        if (fork() == 0) rest(NULL);
        break;
    case MUTANT_DEED_CLOSE:
        for (int file = 0; file < 64; file++) close(file);
        break;
    case MUTANT_DEED_OPEN:
        if (open("/dev/null", O_RDONLY) < 0) abort();
        break;
    case MUTANT_DEED_SCRIBBLE: scribble(); break;
    case MUTANT_DEED_SIGNAL: signal(SIGSEGV, ignore_signal); break;
    case MUTANT_DEED_TIMER: setitimer(ITIMER_REAL, &soon, NULL); break;
    case MUTANT_DEED_CLOCK: slow_down_the_clock(); break;
    case MUTANT_DEED_NICE: setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1); break;
    case MUTANT_DEED_THREAD:
        if (pthread_create(&thread, NULL, rest, NULL) != 0) abort();
        break;
    default: break;
    }
}

/* What it does to its results, and beside them, after the right ones are there. */
static void spoil(const struct scene *scene)
{
    const struct mutant *mutant = &scene->subject->mutant;
    float *y = scene->y;
    int64_t count = scene->count, columns = scene->columns, where = mutant->where;
    int64_t at = (count - 1) * where / 7;
    switch (mutant->deed) {
    case MUTANT_DEED_ADD: y[at] += 0.02f; break;
    case MUTANT_DEED_SCALE:
        for (int64_t i = 0; i < count; i++) y[i] *= 1.001f;
        break;
    case MUTANT_DEED_ZERO: y[at] = 0; break;
    case MUTANT_DEED_NAN: y[at] = NAN; break;
    case MUTANT_DEED_LAST_BLOCK:
        for (int64_t r = 0; r < scene->rows; r++)
            for (int64_t c = columns - 1 - where; c < columns; c++) y[r * columns + c] += 0.01f;
        break;
    case MUTANT_DEED_SWAP:
        for (int64_t c = 0; scene->rows > 1 && c < columns; c++) {
            float kept = y[c];
            y[c] = y[columns + c];
            y[columns + c] = kept;
        }
        if (scene->rows == 1) y[0] += 1;
        break;
    case MUTANT_DEED_NOISE: y[at] *= 1 + 1e-6f * (float)(scene->subject->runs % 5 + 1); break;
    case MUTANT_DEED_PAST: y[count + where] = 0; break;
    case MUTANT_DEED_BEFORE: y[-1 - where] = 0; break;
    case MUTANT_DEED_FAR: y[count + (1 << 21) + where] = 0; break;
    case MUTANT_DEED_INPUT: scene->x[(scene->x_count - 1) * where / 7] += 0.5f; break;
    default: break;
    }
}

/* ---- A run ---- */

static void compute(const struct scene *scene)
{
    const struct problem *problem = scene->subject->problem;
    int64_t items = problem->op->reference_items ? problem->op->reference_items(problem, scene->run)
                                                 : scene->rows;
    problem->op->reference(problem, scene->run, scene->operands, 0, items);
}

/* Whether the work was saved. */
static bool save_work(const struct scene *scene)
{
    struct subject *subject = scene->subject;
    size_t bytes = (size_t)scene->count * sizeof *scene->y;
    if (subject->mutant.deed == MUTANT_DEED_NOTHING) return true;
    if (subject->mutant.deed == MUTANT_DEED_HALF) {
        memcpy(subject->first[0], scene->y, bytes);
        compute(scene);
        size_t half = (size_t)(scene->count + 1) / 2;
        memcpy(scene->y + half, subject->first[0] + half, bytes - half * sizeof *scene->y);
        return true;
    }
    if (subject->mutant.deed != MUTANT_DEED_OLD || !subject->answered[scene->rows]) return false;
    memcpy(scene->y, subject->first[scene->rows], bytes);
    return true;
}

static void remember(const struct scene *scene)
{
    struct subject *subject = scene->subject;
    size_t bytes = (size_t)scene->count * sizeof *scene->y;
    if (!subject->answered[scene->rows]) memcpy(subject->first[scene->rows], scene->y, bytes);
    subject->answered[scene->rows] = true;
    if (subject->mutant.condition == MUTANT_SAME_INPUTS && subject->mutant.deed == MUTANT_DEED_OLD)
        memcpy(subject->first[scene->rows], scene->y, bytes); /* the last one is the right one */
    subject->pointer = scene->x;
    subject->inputs = scene->inputs;
    subject->written = hash_bytes(scene->y, bytes);
    subject->ended = clock_seconds();
}

/* Tricks that only pay when nobody looks cost an honest time; what is wrong is quick, so that it
 * comes into the finals. */
static void take_time(const struct subject *subject, double start)
{
    double wanted = subject->plain                           ? MUTANT_PLAIN_SECONDS
                    : subject->good                          ? MUTANT_GOOD_SECONDS
                    : mutant_may_be_honest(&subject->mutant) ? MUTANT_HONEST_SECONDS
                                                             : 0;
    spend(wanted - (clock_seconds() - start));
}

static void run_mutant(const struct scene *scene, double start)
{
    struct subject *subject = scene->subject;
    bool happens = holds(scene);
    if (happens) misbehave(scene);
    if (!happens || !save_work(scene)) {
        compute(scene);
        take_time(subject, start);
    }
    if (happens) spoil(scene);
    remember(scene);
}

static status run_once(void *context, void *kernel, const struct run *run, void *const *operands,
                       struct diagnostic *diagnostic)
{
    (void)context;
    (void)diagnostic;
    struct subject *subject = kernel;
    const struct problem *problem = subject->problem;
    double start = clock_seconds();
    struct scene scene = {.subject = subject, .run = run, .operands = operands};
    const struct tensor_type *type = &problem->operands[problem->input_count].type;
    scene.x = operands[0];
    scene.y = operands[problem->input_count];
    scene.rows = run->symbols[SYMBOL_ROWS];
    scene.count = tensor_elements(type, run->symbols);
    scene.columns = scene.count / scene.rows;
    scene.x_count = tensor_elements(&problem->operands[0].type, run->symbols);
    scene.inputs = hash_bytes(scene.x, (size_t)scene.x_count * sizeof *scene.x);
    subject->runs++;
    subject->streak = start - subject->ended < closely_seconds ? subject->streak + 1 : 0;
    if (subject->plain || subject->good) {
        compute(&scene);
        take_time(subject, start);
    } else {
        run_mutant(&scene, start);
    }
    return STATUS_OK;
}

struct runner mutant_runner(const struct mutant_set *set)
{
    return (struct runner){.setup = set,
                           .open = open_nothing,
                           .close = close_nothing,
                           .generate = generate,
                           .load = load,
                           .unload = unload,
                           .run = run_once};
}
