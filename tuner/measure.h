/* Statistics of timings, and the loop that takes them.
 *
 * Everything is judged by medians with intervals from order statistics, which assume nothing of the
 * distribution, and never by one number.  What was measured side by side is compared by paired
 * differences: a machine that slows down slows both. */
#ifndef TUNER_MEASURE_H
#define TUNER_MEASURE_H

#include "base/status.h"

struct summary {
    int count;
    double median, least; /* seconds */
    double low, high;     /* interval of the median, with a confidence of about 95 % */
};

/* `count` from 1 to RECORD_SAMPLES_MAX. */
struct summary measure_summarise(const float *samples, int count);

/* Half of the interval, relative to the median. */
double summary_relative_error(const struct summary *summary);

/* a - b, sample by sample. */
struct summary measure_difference(const float *a, const float *b, int count);

struct measure_limits {
    double seconds;    /* stop after this time */
    double precision;  /* stop when the relative error of the median is below this; 0: not */
    int samples_least; /* taken in any case */
    int samples_most;  /* at most RECORD_SAMPLES_MAX */
};

/* What is timed: the runs n to n + runs - 1, n counting up from 0, and their seconds together. */
typedef status measure_run(void *context, int n, int runs, double *seconds,
                           struct diagnostic *diagnostic);

/* Runs once untimed; then each sample is the mean of as many runs as the clock needs to be exact.
 * `samples` has room for limits->samples_most. */
CHECKED status measure_samples(measure_run *run, void *context, const struct measure_limits *limits,
                               float *samples, int *count, struct diagnostic *diagnostic);

/* One sample of `runs` runs, after one untimed run where `warm` asks for it: threads that sleep
 * wake up, hot operands come back into the caches. */
CHECKED status measure_sample(measure_run *run, void *context, int runs, bool warm, int *n,
                              float *seconds, struct diagnostic *diagnostic);

/* How many runs of this length make a sample that the clock measures well. */
int measure_runs(double seconds);

#endif
