/* Contests of search strategies as an SVG file that needs nothing else: for each space the best config found over the configs
 * measured, and the score over time, with bands of 95 % confidence; legible on light and dark grounds. */
#ifndef ENGINE_CONTEST_CHART_H
#define ENGINE_CONTEST_CHART_H

#include "tuner/contest.h"

/* The contest on one space. */
struct contest_entry {
    const char *name;
    int configs;
    double seconds;                 /* its length in recorded cost */
    struct contest_result *results; /* by strategy */
};

/* NULL when memory is out. */
const char *contest_chart_print(const struct contest_entry *entries, int entry_count,
                                int strategy_count, int repeats, struct arena *arena);

#endif
