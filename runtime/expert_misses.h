/* What to do with experts that are asked for and not on the card: fetch them over the link, or compute them on the host.
 * Both go on at once, so that number is fetched with which they end together. */
#ifndef RUNTIME_EXPERT_MISSES_H
#define RUNTIME_EXPERT_MISSES_H

#include <stdint.h>

/* Measured. */
struct miss_times {
    double fetch_seconds;    /* of one expert over the link */
    double host_seconds;     /* of one expert on the host with a single row: its bytes are read */
    double host_row_seconds; /* of each further row */
};

/* `rows` [count]: how many rows each missed expert has, most first.  Gives how many of the first ones to fetch, so that the
 * longer of fetching and computing takes least; of equal numbers the fewest. */
int divide_misses(const struct miss_times *times, const int64_t *rows, int count);

#endif
