/* A strategy from a shared object (include/hone/strategy.h). */
#ifndef TUNER_SEARCH_LIBRARY_H
#define TUNER_SEARCH_LIBRARY_H

#include "base/arena.h"
#include "include/hone/strategy.h"

/* One of the table, or, where the name has a slash, the shared object of that path, which stays loaded until the process ends. */
CHECKED status search_find(const char *name, const struct hone_strategy **strategy,
                           struct diagnostic *diagnostic);

#endif
