/* The strategies by name, for tuner/search_*.c only. */
#ifndef TUNER_SEARCH_TABLE_H
#define TUNER_SEARCH_TABLE_H

#include "include/hone/strategy.h"

extern const struct hone_strategy search_climb, search_coordinate, search_evolution,
    search_exhaustive, search_guided, search_pattern, search_random, search_transfer;

#endif
