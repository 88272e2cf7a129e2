/* The strategies by name, for tuner/search_*.c only. */
#ifndef TUNER_SEARCH_TABLE_H
#define TUNER_SEARCH_TABLE_H

#include "tuner/search.h"

extern const struct search_strategy search_halving, search_random, search_exhaustive;

#endif
