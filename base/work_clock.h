/* A clock for budgets: seconds in which this process could work.  A process that is stopped (SIGSTOP, a debugger, a laptop that
 * sleeps) is not told how long; but whoever looks at the clock many times a second sees it jump.  Jumps above
 * WORK_CLOCK_JUMP_SECONDS are left out, so looks must be closer together than that: waits look every tenth of a second. */
#ifndef BASE_WORK_CLOCK_H
#define BASE_WORK_CLOCK_H

/* Far above what a scheduler keeps a process waiting, far below what anybody stops one for. */
#define WORK_CLOCK_JUMP_SECONDS 2.0
/* How long a wait goes on without a look. */
#define WORK_CLOCK_GLANCE_SECONDS 0.1

struct work_clock {
    double last; /* clock_seconds() at the last look; 0: none yet */
    double left_out;
};

/* The time now. */
double work_clock_look(struct work_clock *clock);
/* The same at a given time of clock_seconds(). */
double work_clock_at(struct work_clock *clock, double now);

#endif
