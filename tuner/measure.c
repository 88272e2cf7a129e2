/* Order statistics and the timing loop. */
#include "tuner/measure.h"

#include "base/clock.h"
#include "tuner/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sample lasts at least this long: reading the clock costs some 30 ns and steps by less, so it
 * errs by 0.1 %. */
static const double sample_seconds = 25e-6;

/* Enough runs of even an empty launch to fill a sample. */
enum { RUNS_MAX = 1000 };

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The median lies between the order statistics at n/2 -+ 0.98 sqrt(n) in 95 % of cases (the
 * binomial distribution, approximated). */
static struct summary summarise_sorted(const float *sorted, int count)
{
    int middle = count / 2;
    double median = count % 2 ? (double)sorted[middle]
                              : ((double)sorted[middle - 1] + (double)sorted[middle]) / 2;
    double reach = 0.98 * sqrt((double)count);
    int low = (int)floor(((double)count - 1) / 2 - reach);
    int high = (int)ceil(((double)count - 1) / 2 + reach);
    if (low < 0) low = 0;
    if (high > count - 1) high = count - 1;
    return (struct summary){.count = count,
                            .median = median,
                            .least = (double)sorted[0],
                            .low = (double)sorted[low],
                            .high = (double)sorted[high]};
}

struct summary measure_summarise(const float *samples, int count)
{
    float sorted[RECORD_SAMPLES_MAX];
    memcpy(sorted, samples, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_floats);
    return summarise_sorted(sorted, count);
}

struct summary measure_difference(const float *a, const float *b, int count)
{
    float differences[RECORD_SAMPLES_MAX];
    for (int i = 0; i < count; i++) differences[i] = a[i] - b[i];
    qsort(differences, (size_t)count, sizeof *differences, compare_floats);
    return summarise_sorted(differences, count);
}

double summary_relative_error(const struct summary *summary)
{
    if (summary->count < 3 || !(summary->median > 0)) return 1;
    return (summary->high - summary->low) / 2 / summary->median;
}

int measure_runs(double seconds)
{
    if (!(seconds > 0)) return RUNS_MAX;
    double runs = ceil(sample_seconds / seconds);
    return runs > RUNS_MAX ? RUNS_MAX : (int)runs;
}

/* Runs `runs` times and gives the mean. */
static status time_runs(measure_run *run, void *context, int runs, int *n, double *seconds,
                        struct diagnostic *diagnostic)
{
    double all = 0;
    TRY(run(context, *n, runs, &all, diagnostic));
    *n += runs;
    *seconds = all / runs;
    return STATUS_OK;
}

status measure_sample(measure_run *run, void *context, int runs, bool warm, int *n, float *seconds,
                      struct diagnostic *diagnostic)
{
    double mean;
    if (warm) TRY(time_runs(run, context, 1, n, &mean, diagnostic));
    TRY(time_runs(run, context, runs, n, &mean, diagnostic));
    *seconds = (float)fmax(mean, 1e-9);
    return STATUS_OK;
}

status measure_samples(measure_run *run, void *context, const struct measure_limits *limits,
                       float *samples, int *count, struct diagnostic *diagnostic)
{
    double start = clock_seconds(), mean;
    int n = 0;
    TRY(time_runs(run, context, 1, &n, &mean, diagnostic));
    TRY(time_runs(run, context, 1, &n, &mean, diagnostic));
    int runs = measure_runs(mean);
    for (*count = 0; *count < limits->samples_most;) {
        TRY(time_runs(run, context, runs, &n, &mean, diagnostic));
        samples[(*count)++] = (float)fmax(mean, 1e-9);
        if (*count < limits->samples_least) continue;
        if (clock_seconds() - start > limits->seconds) break;
        /* Every eighth sample: sorting is not free beside kernels of microseconds. */
        if (limits->precision <= 0 || *count % 8) continue;
        struct summary summary = measure_summarise(samples, *count);
        if (summary_relative_error(&summary) < limits->precision) break;
    }
    return STATUS_OK;
}
