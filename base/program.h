/* Running another program: bytes in, bytes out, what it says on standard error, and its exit status.
 *
 * It is found on PATH, has no terminal, dies with the thread that started it, and is killed when its time is over or when it
 * says more than it may. */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include "base/arena.h"

struct program {
    const char *const *arguments; /* NULL-terminated; the first is the program */
    const char *folder;           /* where it works; NULL: here */
    const void *input;            /* of its standard input */
    size_t input_bytes;
    double seconds;     /* wall time; 0: no limit */
    size_t output_most; /* bytes of standard output, and of standard error; 0: 64 MiB */
};

struct program_result {
    int exit_status;             /* 128 + the signal that ended it */
    const char *output, *errors; /* with a zero byte behind */
    size_t output_bytes;
};

/* STATUS_NOT_FOUND: there is no such program; STATUS_TIMEOUT; STATUS_OK whatever its exit status is. */
CHECKED status program_run(const struct program *program, struct arena *arena,
                           struct program_result *result, struct diagnostic *diagnostic);

/* The first of these (NULL-terminated) that is on PATH, or is a path to an executable file; NULL when none is. */
const char *program_find(const char *const *names, struct arena *arena);

#endif
