/* Statistics of timings: medians, their intervals, paired differences, and the loop that takes
 * samples. */
#include "base/clock.h"
#include "base/random.h"
#include "tests/check.h"
#include "tuner/measure.h"
#include "tuner/record.h"

#include <math.h>

static void medians_and_intervals_are_order_statistics(void **unused)
{
    (void)unused;
    const float one[] = {3}, two[] = {4, 2}, nine[] = {9, 1, 8, 2, 7, 3, 6, 4, 5};
    struct summary summary = measure_summarise(one, 1);
    assert_true(summary.median == 3 && summary.low == 3 && summary.high == 3 && summary.least == 3);
    assert_true(summary_relative_error(&summary) ==
                1); /* one sample says nothing about its error */
    summary = measure_summarise(two, 2);
    assert_true(summary.median == 3 && summary.low == 2 && summary.high == 4);
    summary = measure_summarise(nine, 9);
    assert_true(summary.median == 5 && summary.least == 1);
    assert_true(summary.low == 2 && summary.high == 8); /* the 2nd and 8th of 9: 96 % */
}

/* Of many sets of samples, the interval holds the true median in 95 % or a little more. */
static void intervals_hold_the_median_as_often_as_they_say(void **unused)
{
    (void)unused;
    static const int counts[] = {9, 16, 31, 60, 240};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int held = 0;
        for (uint64_t set = 0; set < 2000; set++) {
            float samples[240];
            for (int i = 0; i < counts[c]; i++) /* skewed, as timings are; the median is e^0 */
                samples[i] = (float)exp(0.1 * random_normal(c, set, (uint64_t)i));
            struct summary summary = measure_summarise(samples, counts[c]);
            held += summary.low <= 1 && summary.high >= 1;
        }
        if (held < 1870 || held > 1995)
            CHECK_FAIL("%d samples: the interval held the median in %d of 2000", counts[c], held);
    }
}

/* A machine that slows down half-way: each median alone is useless, the paired difference is exact.
 */
static void paired_differences_ignore_drift(void **unused)
{
    (void)unused;
    float a[100], b[100];
    for (int i = 0; i < 100; i++) {
        float drift = i < 50 ? 1.0f : 1.5f;
        float noise = 0.001f * (float)random_normal(1, 2, (uint64_t)i);
        a[i] = 1.01f * drift + noise;
        b[i] = 1.00f * drift - noise;
    }
    struct summary alone = measure_summarise(a, 100), other = measure_summarise(b, 100);
    struct summary difference = measure_difference(a, b, 100);
    assert_true(alone.low < other.high);                   /* their intervals overlap */
    assert_true(difference.low > 0);                       /* and yet a is slower, */
    assert_true(fabs(difference.median - 0.0125) < 0.004); /* by one per cent */
}

struct busy {
    double seconds;
    int runs, fail_at;
};

static status spin(void *context, int n, int runs, double *seconds, struct diagnostic *diagnostic)
{
    struct busy *busy = context;
    double begin = clock_seconds();
    assert_int_equal(n, busy->runs);
    for (int r = 0; r < runs; r++) {
        if (busy->runs++ == busy->fail_at) return fail(diagnostic, STATUS_DEVICE, "it failed");
        for (double start = clock_seconds(); clock_seconds() - start < busy->seconds;) {
        }
    }
    *seconds = clock_seconds() - begin;
    return STATUS_OK;
}

static void sampling_respects_its_limits(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    float samples[RECORD_SAMPLES_MAX];
    int count;
    struct busy busy = {.seconds = 200e-6, .fail_at = -1};
    struct measure_limits limits = {.seconds = 10, .samples_least = 3, .samples_most = 20};
    CHECK_OK(measure_samples(spin, &busy, &limits, samples, &count, &diagnostic));
    assert_int_equal(count, 20); /* no precision asked for: all of them */
    struct summary summary = measure_summarise(samples, count);
    assert_true(summary.least >= 199e-6 && summary.least < 400e-6);

    busy.runs = 0;
    limits = (struct measure_limits){.seconds = 0, .samples_least = 5, .samples_most = 100};
    CHECK_OK(measure_samples(spin, &busy, &limits, samples, &count, &diagnostic));
    assert_int_equal(count, 5); /* no time: what is taken in any case */

    busy.runs = 0;
    limits = (struct measure_limits){
        .seconds = 5, .precision = 0.5, .samples_least = 3, .samples_most = 1000};
    CHECK_OK(measure_samples(spin, &busy, &limits, samples, &count, &diagnostic));
    assert_in_range(count, 3, 200); /* precise enough soon */

    busy = (struct busy){.seconds = 1e-7, .fail_at = -1}; /* far below what a sample lasts */
    limits = (struct measure_limits){.seconds = 1, .samples_least = 3, .samples_most = 10};
    CHECK_OK(measure_samples(spin, &busy, &limits, samples, &count, &diagnostic));
    assert_true(busy.runs > 10 * 20); /* several runs per sample */

    busy = (struct busy){.seconds = 1e-6, .fail_at = 4};
    CHECK_REFUSED(measure_samples(spin, &busy, &limits, samples, &count, &diagnostic),
                  STATUS_DEVICE, "it failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_and_intervals_are_order_statistics),
        cmocka_unit_test(intervals_hold_the_median_as_often_as_they_say),
        cmocka_unit_test(paired_differences_ignore_drift),
        cmocka_unit_test(sampling_respects_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
