/* How long a launch would take: a model, so that event times are the same in every run.
 *
 * A launch takes its latency and the largest of three: the busiest multiprocessor's time to issue
 * its blocks' instructions, the bytes of all sectors over the L2 cache's bandwidth, and the bytes of
 * the different sectors over the memory's.  It ranks candidates roughly; it predicts no card. */
#ifndef EMULATOR_COST_H
#define EMULATOR_COST_H

#include "emulator/counters.h"

#include <stddef.h>

struct cost_card {
    int target;
    uint32_t multiprocessors;
    double clock_hz;
    double memory_bytes_per_second, cache_bytes_per_second;
    double matrix_operations_per_clock; /* of one multiprocessor */
};

/* Clocks that one multiprocessor needs to issue what was counted. */
double cost_clocks(const struct cost_card *card, const struct hone_emulator_counters *counters);
/* `busiest_clocks`: of the multiprocessor with most to do. */
double cost_seconds(const struct cost_card *card, double busiest_clocks,
                    const struct hone_emulator_counters *counters);
const char *cost_category_name(size_t category);

/* Time of a copy of `bytes` between host and card, or between cards. */
double cost_copy_seconds(uint64_t bytes);
double cost_memory_seconds(const struct cost_card *card, uint64_t bytes); /* within the card */

#endif
