/* The text of candidates: what records, plans and people know them by. */
#include "ir/variant.h"

#include <string.h>

static const char reference_name[] = "reference";

void candidate_print(const struct candidate *candidate, struct text *text)
{
    if (!candidate->space) {
        text_append(text, reference_name);
        return;
    }
    text_append(text, candidate->space->variant);
    if (candidate->space->tunable_count) text_append(text, " ");
    config_print(candidate->space, &candidate->config, text);
}

void candidate_numerics(const struct candidate *candidate, struct text *text)
{
    const struct space *space = candidate->space;
    if (!space) {
        text_append(text, reference_name);
        return;
    }
    text_print(text, "%s, %s", space->variant, space->numerics.text);
    for (int t = 0; t < space->tunable_count; t++) {
        if (!(space->order >> t & 1)) continue;
        const struct tunable *tunable = &space->tunables[t];
        int64_t value = candidate->config.values[t];
        int index = tunable->words ? tunable_index(tunable, value) : -1;
        if (index >= 0)
            text_print(text, ", %s=%s", tunable->name, tunable->words[index]);
        else
            text_print(text, ", %s=%lld", tunable->name, (long long)value);
    }
}

const struct space *catalogue_find(const struct catalogue *catalogue, const char *variant)
{
    for (int s = 0; s < catalogue->count; s++)
        if (strcmp(catalogue->spaces[s]->variant, variant) == 0) return catalogue->spaces[s];
    return NULL;
}

status candidate_parse(const struct catalogue *catalogue, const char *text,
                       struct candidate *candidate, struct diagnostic *diagnostic)
{
    *candidate = (struct candidate){0};
    if (strcmp(text, reference_name) == 0) return STATUS_OK;
    size_t length = strcspn(text, " ");
    for (int s = 0; s < catalogue->count; s++) {
        const char *variant = catalogue->spaces[s]->variant;
        if (strlen(variant) != length || memcmp(variant, text, length) != 0) continue;
        candidate->space = catalogue->spaces[s];
        const char *config = text + length + strspn(text + length, " ");
        return config_parse(candidate->space, config, &candidate->config, diagnostic);
    }
    return fail(diagnostic, STATUS_NOT_FOUND, "there is no variant '%.*s'", (int)length, text);
}

bool candidate_equal(const struct candidate *a, const struct candidate *b)
{
    if (a->space != b->space) return false;
    return !a->space || config_equal(a->space, &a->config, &b->config);
}
