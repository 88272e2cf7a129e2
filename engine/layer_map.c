/* Reads "0..51,45..79". */
#include "engine/layer_map.h"

#include <stdlib.h>

static status parse_range(const char **at, int64_t layer_count, long *first, long *last,
                          struct diagnostic *diagnostic)
{
    char *end;
    *first = *last = strtol(*at, &end, 10);
    bool good = end != *at;
    if (good && end[0] == '.' && end[1] == '.') {
        const char *second = end + 2;
        *last = strtol(second, &end, 10);
        good = end != second;
    }
    bool goes_on = *end == ',' && end[1];
    if (!good || (*end && !goes_on))
        return fail(diagnostic, STATUS_USAGE,
                    "--layer-map: \"%s\" is not understood; write 0..51,45..79", *at);
    if (*first < 0 || *last >= layer_count || *first > *last)
        return fail(
            diagnostic, STATUS_USAGE,
            "--layer-map: %.40s asks for layers %ld to %ld; the model has %lld layers, 0 to %lld",
            *at, *first, *last, (long long)layer_count, (long long)layer_count - 1);
    *at = *end ? end + 1 : end;
    return STATUS_OK;
}

status layer_map_parse(const char *list, int64_t layer_count, struct arena *arena, int **map,
                       int *count, struct diagnostic *diagnostic)
{
    size_t capacity = 0;
    *map = NULL;
    *count = 0;
    const char *at = list;
    do {
        long first, last;
        TRY(parse_range(&at, layer_count, &first, &last, diagnostic));
        for (long layer = first; layer <= last; layer++) {
            TRY_APPEND(*map, *count, capacity, arena, diagnostic);
            (*map)[*count - 1] = (int)layer;
        }
    } while (*at);
    return STATUS_OK;
}
