/* Exhaustive: every legal config of every space, in order. */
#include "tuner/search_table.h"

struct exhaustive {
    const struct search_field *field;
    int next_first;
    uint64_t next, count;
};

static status create(const struct search_field *field, struct arena *arena, void **state,
                     struct diagnostic *diagnostic)
{
    struct exhaustive *own;
    TRY_NEW(own, arena, 1, diagnostic);
    *own = (struct exhaustive){.field = field, .count = search_count(field)};
    *state = own;
    return STATUS_OK;
}

static bool is_first(const struct search_field *field, const struct candidate *candidate)
{
    for (int f = 0; f < field->first_count; f++)
        if (candidate_equal(&field->first[f], candidate)) return true;
    return false;
}

static bool ask(void *state, struct search_request *request)
{
    struct exhaustive *own = state;
    request->level = 0;
    if (own->next_first < own->field->first_count) {
        request->candidate = own->field->first[own->next_first++];
        return true;
    }
    while (own->next < own->count) {
        if (!search_unrank(own->field, own->next++, &request->candidate)) return false;
        if (!is_first(own->field, &request->candidate)) return true;
    }
    return false;
}

static int ahead(const void *state, struct candidate *candidates, int most)
{
    const struct exhaustive *own = state;
    int count = 0;
    for (int f = own->next_first; f < own->field->first_count && count < most; f++)
        candidates[count++] = own->field->first[f];
    for (uint64_t next = own->next; next < own->count && count < most; next++)
        count += search_unrank(own->field, next, &candidates[count]);
    return count;
}

static void tell(void *state, const struct search_request *request,
                 const struct search_result *result)
{
    (void)state, (void)request, (void)result;
}

const struct search_strategy search_exhaustive = {
    .name = "exhaustive",
    .about = "every legal config in order",
    .create = create,
    .ask = ask,
    .ahead = ahead,
    .tell = tell,
};
