/* Random: distinct configs, uniformly from all spaces together.  The yardstick for cleverer
 * strategies. */
#include "tuner/search_table.h"

struct random_search {
    const struct search_field *field;
    int next_first;
    uint64_t asked, limit, next, count;
};

static status create(const struct search_field *field, struct arena *arena, void **state,
                     struct diagnostic *diagnostic)
{
    struct random_search *own;
    TRY_NEW(own, arena, 1, diagnostic);
    *own = (struct random_search){
        .field = field, .limit = search_limit(field), .count = search_count(field)};
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
    struct random_search *own = state;
    request->level = 0;
    if (own->next_first < own->field->first_count) {
        request->candidate = own->field->first[own->next_first++];
        own->asked++;
        return true;
    }
    while (own->asked < own->limit && own->next < own->count) {
        uint64_t rank = search_permute(own->next++, own->count, own->field->seed);
        if (!search_unrank(own->field, rank, &request->candidate)) return false;
        if (is_first(own->field, &request->candidate)) continue;
        own->asked++;
        return true;
    }
    return false;
}

static void tell(void *state, const struct search_request *request,
                 const struct search_result *result)
{
    (void)state, (void)request, (void)result;
}

const struct search_strategy search_random = {
    .name = "random",
    .about = "distinct configs at random",
    .create = create,
    .ask = ask,
    .tell = tell,
};
