/* The text form of a layer map: inclusive ranges of layers, in the order of execution; a layer may appear several times. */
#ifndef ENGINE_LAYER_MAP_H
#define ENGINE_LAYER_MAP_H

#include "base/arena.h"

#include <stdint.h>

/* "0..51,45..79", "3,4,4"; STATUS_USAGE for anything else and for layers outside 0..layer_count-1. */
CHECKED status layer_map_parse(const char *list, int64_t layer_count, struct arena *arena,
                               int **map, int *count, struct diagnostic *diagnostic);

#endif
