/* Counting memory traffic. */
#ifndef EMULATOR_TRAFFIC_H
#define EMULATOR_TRAFFIC_H

#include "emulator/warp.h"

enum { TRAFFIC_MAP_WORDS = 1 << 14 };

/* The launch's map of sectors touched: bits by hash, from which their number is estimated. */
_Atomic uint64_t *machine_traffic_map(struct machine *machine);
double traffic_unique_sectors(const _Atomic uint64_t *map);

#endif
