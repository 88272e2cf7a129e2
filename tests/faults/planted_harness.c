/* The planted kernels. */
#include "base/clock.h"
#include "base/text.h"
#include "tests/faults/planted.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *statuses;
} plants[PLANT_COUNT] = {
#define PLANT(name, statuses) [PLANT_##name] = {#name, (statuses)},
    PLANTS(PLANT)
#undef PLANT
};

const char *plant_name(enum plant plant)
{
    return plants[plant].name;
}

const char *plant_statuses(enum plant plant)
{
    return plants[plant].statuses;
}

const char *planted_space(struct arena *arena, int only)
{
    struct text text = {.arena = arena};
    text_append(&text, "variant: planted_cpu\nop: linear\ntarget: cpu\n"
                       "numerics: {operands: exact, accumulation: f32}\n"
                       "tunables:\n  plant: {values: [plain, good");
    for (int p = PLANT_good + 1; p < PLANT_COUNT; p++)
        if (only < 0 || p == only) text_print(&text, ", %s", plants[p].name);
    text_append(&text, "]}\nestimate: 1e-6 if plant == plain else 2e-6\n");
    return text_finish(&text);
}

static status plant_open(const void *setup, void **context, struct diagnostic *diagnostic)
{
    (void)setup;
    (void)diagnostic;
    *context = NULL;
    return STATUS_OK;
}

static void plant_close(void *context)
{
    (void)context;
}

/* A volatile zero keeps the compiler from knowing what will happen. */
static volatile int zero;

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char frame[4096];
    frame[depth % 4096] = (char)depth;
    if (depth < zero) return depth; /* never, but the compiler cannot know */
    return recurse(depth + 1) + frame[(depth + 1) % 4096];
}

static void hang(void)
{
    while (!zero) {
    }
}

static status plant_generate(void *context, const struct generation *generation,
                             struct arena *arena, struct image *image,
                             struct diagnostic *diagnostic)
{
    (void)context;
    const struct tunable *tunable = &generation->space->tunables[0];
    const char *name = tunable->words[generation->config->values[0]];
    if (strcmp(name, "compile_fails") == 0)
        return fail(diagnostic, STATUS_COMPILE, "this kernel cannot be compiled");
    if (strcmp(name, "compile_aborts") == 0) abort();
    if (strcmp(name, "compile_hangs") == 0) hang();
    image_reference(generation->problem, image);
    image->launches[0].name = arena_text(arena, name);
    return STATUS_OK;
}

struct planted {
    enum plant plant;
    const struct problem *problem;
    long runs;
};

static status plant_load(void *context, const struct problem *problem, const struct image *image,
                         void **kernel, struct diagnostic *diagnostic)
{
    (void)context;
    struct planted *planted = calloc(1, sizeof *planted);
    if (!planted) return fail_memory(diagnostic, sizeof *planted);
    planted->problem = problem;
    planted->plant = PLANT_plain; /* also for the reference's image */
    for (int p = 0; p < PLANT_COUNT; p++)
        if (strcmp(image->launches[0].name, plants[p].name) == 0) planted->plant = (enum plant)p;
    if (planted->plant == PLANT_no_workspace) {
        free(planted);
        return fail(diagnostic, STATUS_NO_MEMORY, "the workspace does not fit");
    }
    *kernel = planted;
    return STATUS_OK;
}

static void plant_unload(void *context, void *kernel)
{
    (void)context;
    free(kernel);
}

static void wait_for(double seconds)
{
    for (double start = clock_seconds(); clock_seconds() - start < seconds;) {
    }
}

struct sizes {
    int64_t rows, columns, outputs;
};

static void multiply(const struct sizes *sizes, const float *x, const float *weight,
                     int64_t columns, bool coarse, float *y)
{
    for (int64_t r = 0; r < sizes->rows; r++)
        for (int64_t n = 0; n < sizes->outputs; n++) {
            double sum = 0;
            for (int64_t k = 0; k < columns; k++) {
                double value = (double)x[r * sizes->columns + k];
                if (coarse) value = round(value * 64) / 64;
                sum += value * (double)weight[n * sizes->columns + k];
            }
            y[r * sizes->outputs + n] = (float)sum;
        }
}

static void eat_memory(bool keep)
{
    for (size_t total = 0; !keep || total < (size_t)256 << 20; total += (size_t)64 << 20) {
        char *bytes = malloc((size_t)64 << 20);
        if (!bytes) abort();
        memset(bytes, 1, (size_t)64 << 20);
    }
}

/* Mistakes that end the process, or do not end at all. */
static void misbehave(const struct planted *planted)
{
    bool later = planted->runs > 6;
    switch (planted->plant) {
    case PLANT_hangs: hang(); break;
    case PLANT_hangs_later:
        if (later) hang();
        break;
    case PLANT_segfault: *(volatile int *)(uintptr_t)(zero + 64) = 1; break;
    case PLANT_divides_by_zero:
        raise(SIGFPE); /* what the processor does; dividing is undefined in C */
        break;
    case PLANT_aborts: abort();
    case PLANT_exits: exit(0);
    case PLANT_kills_itself: kill(getpid(), SIGKILL); break;
    case PLANT_overflows_stack: zero = recurse(zero); break;
    case PLANT_closes_files:
        for (int file = 3; file < 1024; file++) close(file);
        break;
    case PLANT_crashes_later:
        if (later) abort();
        break;
    case PLANT_eats_memory: eat_memory(false); break;
    case PLANT_keeps_memory:
        if (planted->runs == 1) eat_memory(true);
        break;
    default: break;
    }
}

/* Mistakes in the results, made after the right ones are there. */
static void spoil_results(const struct planted *planted, const struct sizes *sizes, const float *x,
                          const float *weight, float *y)
{
    static float remembered[1 << 16]; /* a child process has its own */
    static bool remembers;
    int64_t count = sizes->rows * sizes->outputs, width = sizes->outputs;
    switch (planted->plant) {
    case PLANT_first_element: y[0] += 0.01f; break;
    case PLANT_one_element: y[count * 2 / 3] *= 1.01f; break;
    case PLANT_last_row:
        for (int64_t n = 0; n < width; n++) y[count - 1 - n] += 0.05f;
        break;
    case PLANT_odd_rest:
        if (sizes->rows % 2) y[count - width] = 0;
        break;
    case PLANT_last_term: multiply(sizes, x, weight, sizes->columns - 1, false, y); break;
    case PLANT_coarse: multiply(sizes, x, weight, sizes->columns, true, y); break;
    case PLANT_nan_result: y[count / 2] = NAN; break;
    case PLANT_infinite: y[count - 1] = INFINITY; break;
    case PLANT_swapped_rows:
        for (int64_t n = 0; sizes->rows > 1 && n < width; n++) {
            float kept = y[n];
            y[n] = y[width + n];
            y[width + n] = kept;
        }
        break;
    case PLANT_remembers: /* what it saw first, whatever the inputs are now */
        if (!remembers) memcpy(remembered, y, (size_t)count * sizeof *y);
        memcpy(y, remembered, (size_t)count * sizeof *y);
        remembers = true;
        break;
    case PLANT_random_noise: y[1] *= 1 + 1e-7f * (float)(planted->runs % 7); break;
    case PLANT_late_noise:
        if (planted->runs > 6) y[1] *= 1 + 1e-7f * (float)(planted->runs % 7 + 1);
        break;
    case PLANT_late_mistake:
        if (planted->runs > 6) y[1] += 1;
        break;
    default: break;
    }
}

/* Mistakes in where it writes. */
static void write_elsewhere(const struct planted *planted, const struct sizes *sizes,
                            void *const *operands, float *y)
{
    float *x = operands[0], *weight = operands[1];
    int64_t count = sizes->rows * sizes->outputs;
    switch (planted->plant) {
    case PLANT_past_end: y[count] = 0; break;
    case PLANT_before_start: y[-1] = 0; break;
    case PLANT_far_write: y[count + (1 << 20)] = 0; break;
    case PLANT_corrupts_input: x[3] += 1e-6f; break;
    case PLANT_corrupts_weight: weight[5] = 0; break;
    case PLANT_corrupts_later_copy:
        if (planted->runs > 4) weight[5] = 0;
        break;
    default: break;
    }
}

static status plant_run(void *context, void *kernel, const struct run *run, void *const *operands,
                        struct diagnostic *diagnostic)
{
    (void)context;
    (void)diagnostic;
    struct planted *planted = kernel;
    const struct problem *problem = planted->problem;
    const struct sizes sizes = {run->symbols[SYMBOL_ROWS], problem_dimension(problem, 0, 1),
                                problem_dimension(problem, 1, 0)};
    const float *x = operands[0], *weight = operands[1];
    float *y = operands[problem->input_count];
    planted->runs++;
    misbehave(planted);
    /* Good is faster than plain, wrong ones are faster still. */
    if (planted->plant == PLANT_plain) wait_for(400e-6);
    if (planted->plant == PLANT_good) wait_for(100e-6);
    if (planted->plant == PLANT_slow) wait_for(5e-3);
    if (planted->plant == PLANT_nothing || (planted->plant == PLANT_stale && planted->runs > 1))
        return STATUS_OK;
    struct sizes done = sizes;
    float before = y[0];
    if (planted->plant == PLANT_half_output) done.rows = (sizes.rows + 1) / 2 - (sizes.rows == 1);
    multiply(&done, x, weight, sizes.columns, false, y);
    if (planted->plant == PLANT_adds_to_output) y[0] += before;
    if (planted->plant == PLANT_skips_columns)
        for (int64_t n = 15; n < sizes.outputs; n += 16)
            memset(&y[n], 0xff, sizeof *y); /* as it found them */
    spoil_results(planted, &sizes, x, weight, y);
    write_elsewhere(planted, &sizes, operands, y);
    return STATUS_OK;
}

struct runner planted_runner(void)
{
    return (struct runner){.open = plant_open,
                           .close = plant_close,
                           .generate = plant_generate,
                           .load = plant_load,
                           .unload = plant_unload,
                           .run = plant_run};
}
