/* The heat map of a layer search as an SVG file that needs nothing else: begin of the block downwards, end to the right, the
 * gain as a colour with its sign, numbers as tooltips, legible on light and dark grounds. */
#ifndef ENGINE_HEAT_MAP_H
#define ENGINE_HEAT_MAP_H

#include "engine/layer_search.h"

/* `model` and `probe` are names for the title.  NULL when memory is out. */
const char *heat_map_print(const struct layer_search_result *result, const struct probe *probe,
                           const char *model, struct arena *arena);

#endif
