/* The strategies, one line each; the first is the default. */
#include "tuner/search_table.h"

#include "tuner/search.h"

#include <string.h>

static const struct hone_strategy *const table[] = {
    &search_guided,  &search_climb,      &search_coordinate,
    &search_pattern, &search_evolution,  &search_transfer,
    &search_random,  &search_exhaustive, NULL,
};

const struct hone_strategy *const *search_table(void)
{
    return table;
}

const struct hone_strategy *search_by_name(const char *name)
{
    for (int s = 0; table[s]; s++)
        if (strcmp(table[s]->name, name) == 0) return table[s];
    return NULL;
}
