/* The strategies, one line each; the first is the default. */
#include "tuner/search_table.h"

#include <string.h>

static const struct search_strategy *const table[] = {
    &search_halving,
    &search_random,
    &search_exhaustive,
    NULL,
};

const struct search_strategy *const *search_table(void)
{
    return table;
}

const struct search_strategy *search_by_name(const char *name)
{
    for (int s = 0; table[s]; s++)
        if (strcmp(table[s]->name, name) == 0) return table[s];
    return NULL;
}
