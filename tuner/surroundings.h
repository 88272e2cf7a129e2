/* What a kernel finds around it in its process, and must leave as it found it: the state of the
 * floating-point unit, open files, threads, child processes, signal handlers, priority, the clock.
 * A kernel that changes any of it changes how others are judged, or how the model runs later. */
#ifndef TUNER_SURROUNDINGS_H
#define TUNER_SURROUNDINGS_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SURROUNDINGS_FILES = 256, SURROUNDINGS_SIGNALS = 32 };

struct surroundings {
    pid_t process;
    unsigned float_state; /* rounding, and what becomes of denormal numbers */
    int threads, priority;
    cpu_set_t processors;
    uint64_t files[SURROUNDINGS_FILES / 64]; /* open ones */
    uint64_t masked;                         /* signals */
    void *handlers[SURROUNDINGS_SIGNALS];
    bool timer;
};

/* The floating-point state alone: it costs nothing to look at. */
unsigned surroundings_float_state(void);
void surroundings_set_float_state(unsigned state);

/* Makes sure that the process holds nothing of its parent's that a kernel could spoil: closes all
 * files but `kept` and the one for errors, and lets what is printed go nowhere. */
void surroundings_clear(int kept);

/* Whether the clock that times kernels tells the time that the system does: code of a kernel's could
 * have been put in its place. */
bool surroundings_clock_agrees(void);

void surroundings_look(struct surroundings *surroundings);

/* What has changed since, in words; NULL: nothing.  A copy of the process that the kernel has made
 * ends here. */
const char *surroundings_changed(const struct surroundings *before);

#endif
