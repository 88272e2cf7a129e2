/* How long work tells that it goes on.  The library reports, whoever calls decides what to show:
 * the command line draws one line with an estimate of the time left (cli/progress_line.c). */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>

struct progress_state {
    const char *stage;   /* "tuning", "loading" */
    const char *detail;  /* what is being done now; may be NULL */
    double done, total;  /* same unit; total 0: unknown */
    double seconds_left; /* below 0: unknown */
};

/* Any member may be NULL, and so may be a pointer to the struct. */
struct progress {
    void *context;
    void (*update)(void *context, const struct progress_state *state);
    void (*warn)(void *context, const char *message); /* one line for the user, without newline */
    bool (*interrupted)(void *context);               /* Ctrl-C was pressed: stop cleanly */
};

void progress_update(const struct progress *progress, const struct progress_state *state);
void progress_warn(const struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool progress_interrupted(const struct progress *progress);

#endif
