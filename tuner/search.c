/* A search over candidates: the course of a strategy over their numbers. */
#include "tuner/search.h"

#include "tuner/search_points.h"

struct search {
    const struct search_field *field;
    struct search_points *points;
    struct course *course;
    int strange_next; /* of field->first: what no number stands for (the reference) is asked for here */
};

status search_open(const struct search_field *field, const struct hone_strategy *strategy,
                   const struct candidate *transferred, int transferred_count, struct arena *arena,
                   struct search **result, struct diagnostic *diagnostic)
{
    struct search *search;
    uint64_t *first;
    int first_count = 0;
    TRY_NEW(search, arena, 1, diagnostic);
    TRY_NEW(first, arena, field->first_count + 1, diagnostic);
    search->field = field;
    TRY(search_points_create(field, transferred, transferred_count, arena, &search->points,
                             diagnostic));
    for (int f = 0; f < field->first_count; f++)
        first_count += search_points_number(search->points, &field->first[f], &first[first_count]);
    TRY(course_open(search_points_field(search->points), strategy, first, first_count, arena,
                    &search->course, diagnostic));
    *result = search;
    return STATUS_OK;
}

void search_close(struct search *search)
{
    if (search) course_close(search->course);
}

bool search_ask(struct search *search, struct search_request *request)
{
    uint64_t point;
    while (search->strange_next < search->field->first_count) {
        const struct candidate *first = &search->field->first[search->strange_next++];
        if (search_points_number(search->points, first, &point)) continue;
        *request = (struct search_request){.candidate = *first};
        return true;
    }
    return course_ask(search->course, &point, &request->level) &&
           search_unrank(search->field, point, &request->candidate);
}

void search_tell(struct search *search, const struct search_request *request,
                 const struct search_result *result)
{
    const struct hone_outcome outcome = {.good = result->good, .seconds = result->seconds};
    uint64_t point;
    if (search_points_number(search->points, &request->candidate, &point))
        course_tell(search->course, point, request->level, &outcome);
}

int search_ahead(const struct search *search, struct candidate *candidates, int most)
{
    enum { POINTS_MAX = 64 };
    uint64_t points[POINTS_MAX];
    int count = course_ahead(search->course, points, most < POINTS_MAX ? most : POINTS_MAX),
        used = 0;
    for (int p = 0; p < count; p++)
        used += search_unrank(search->field, points[p], &candidates[used]);
    return used;
}
