/* Counting memory traffic. */
#ifndef EMULATOR_TRAFFIC_H
#define EMULATOR_TRAFFIC_H

#include "emulator/warp.h"

enum { TRAFFIC_MAP_WORDS = 1 << 14 };

/* The launch's map of sectors touched: bits by hash, from which their number is estimated. */
_Atomic uint64_t *machine_traffic_map(struct machine *machine);
double traffic_unique_sectors(const _Atomic uint64_t *map);
/* The instructions that lose most, into `counters`. */
void traffic_worst(const struct module *module, const struct access_counts *accesses,
                   struct hone_emulator_counters *counters);

#endif
