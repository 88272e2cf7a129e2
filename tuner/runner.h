/* What the measuring worker needs of a device.  The worker knows nothing else of devices and code
 * generation, so that tests can give it kernels with planted mistakes, and recorded measurements
 * can be replayed. */
#ifndef TUNER_RUNNER_H
#define TUNER_RUNNER_H

#include "ir/variant.h"

/* `count` runs, the n-th on operands[(first + n) % operand_sets]. */
struct runner_timing {
    const struct run *run;
    void *(*operands)[OP_OPERANDS_MAX];
    int operand_sets, first, count;
};

/* All functions but `setup` are called in the worker's process only. */
struct runner {
    bool
        compiles_apart; /* `generate` needs no context (but for variants that call a library), and compiling beside a
                            measurement does not disturb it */
    const void *setup; /* whatever `open` needs; must stay while workers live */
    CHECKED status (*open)(const void *setup, void **context, struct diagnostic *diagnostic);
    void (*close)(void *context);
    /* Makes the candidate's image, in `arena`.  May crash or hang: the worker's process is there
     * for that. */
    CHECKED status (*generate)(void *context, const struct generation *generation,
                               struct arena *arena, struct image *image,
                               struct diagnostic *diagnostic);
    CHECKED status (*load)(void *context, const struct problem *problem, const struct image *image,
                           void **kernel, struct diagnostic *diagnostic);
    void (*unload)(void *context, void *kernel);
    /* Runs once and returns when all is done. */
    CHECKED status (*run)(void *context, void *kernel, const struct run *run, void *const *operands,
                          struct diagnostic *diagnostic);
    /* Runs as often as it says and gives the seconds of all runs by the device's own clock; NULL:
     * the host's clock takes the time of `run`. */
    CHECKED status (*time)(void *context, void *kernel, const struct runner_timing *timing,
                           double *seconds, struct diagnostic *diagnostic);
    /* Where kernels cannot use the host's memory: memory that they can use, and copies to it and
     * from it.  All NULL where they can. */
    CHECKED status (*allocate)(void *context, int64_t bytes, void **address,
                               struct diagnostic *diagnostic);
    void (*release)(void *context, void *address, int64_t bytes);
    CHECKED status (*store)(void *context, void *to, const void *from, int64_t bytes,
                            struct diagnostic *diagnostic);
    CHECKED status (*fetch)(void *context, void *to, const void *from, int64_t bytes,
                            struct diagnostic *diagnostic);
};

/* runner_device.c: the devices of runtime/device.h with codegen/compile.h. */
struct runner_device_setup {
    const char *specification; /* "cpu", "cuda:0" */
    bool memory_is_host;       /* device_memory_is_host() */
    int threads;
    const char *cpu; /* as in struct device_options */
};
struct runner runner_device(const struct runner_device_setup *setup);

#endif
