/* Dividing misses.  A fetch takes the same for every expert, the host longer for those with more rows: so whatever number is
 * fetched, those with most rows are fetched first, and only the number is left to find. */
#include "runtime/expert_misses.h"

static double host_seconds(const struct miss_times *times, int64_t rows)
{
    return times->host_seconds + times->host_row_seconds * (double)(rows - 1);
}

int divide_misses(const struct miss_times *times, const int64_t *rows, int count)
{
    double left = 0;
    for (int i = 0; i < count; i++) left += host_seconds(times, rows[i]);
    int best = 0;
    double best_seconds = left;
    for (int fetched = 1; fetched <= count; fetched++) {
        double fetching = times->fetch_seconds * fetched;
        left -= host_seconds(times, rows[fetched - 1]);
        double longer = fetching > left ? fetching : left;
        if (longer < best_seconds) {
            best = fetched;
            best_seconds = longer;
        }
    }
    return best;
}
