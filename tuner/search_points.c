/* Numbers for candidates, and what strategies may ask about them. */
#include "tuner/search_points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIMENSIONS_MAX = 256, RANKED_MAX = 4096 };

struct point_axis {
    const char *name;
    double *values;
    int count;
};

struct search_points {
    const struct search_field *field;
    struct arena *arena;
    struct hone_field face;
    int dimension_count;
    struct point_axis dimensions[DIMENSIONS_MAX]; /* 0: the variant */
    int *places;                                  /* [space][tunable]: the tunable's dimension */
};

static int place_of(const struct search_points *points, int space, int tunable)
{
    return points->places[space * SPACE_TUNABLES_MAX + tunable];
}

/* ---- Dimensions ---- */

static int find_value(const struct point_axis *dimension, double value)
{
    for (int v = 0; v < dimension->count; v++)
        if (dimension->values[v] == value) return v;
    return -1;
}

static int compare_values(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static status add_values(struct point_axis *dimension, const struct tunable *tunable,
                         struct arena *arena, struct diagnostic *diagnostic)
{
    double *values;
    TRY_NEW(values, arena, dimension->count + tunable->value_count, diagnostic);
    if (dimension->count)
        memcpy(values, dimension->values, (size_t)dimension->count * sizeof *values);
    dimension->values = values;
    for (int v = 0; v < tunable->value_count; v++)
        if (find_value(dimension, (double)tunable->values[v]) < 0)
            values[dimension->count++] = (double)tunable->values[v];
    qsort(values, (size_t)dimension->count, sizeof *values, compare_values);
    return STATUS_OK;
}

static status place_tunable(struct search_points *points, int space, int t,
                            struct diagnostic *diagnostic)
{
    const struct tunable *tunable = &points->field->spaces[space].space->tunables[t];
    int d = 1;
    while (d < points->dimension_count && strcmp(points->dimensions[d].name, tunable->name) != 0)
        d++;
    if (d == DIMENSIONS_MAX)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "the variants have more than %d different tunables", DIMENSIONS_MAX - 1);
    if (d == points->dimension_count)
        points->dimensions[points->dimension_count++].name = tunable->name;
    points->places[space * SPACE_TUNABLES_MAX + t] = d;
    return add_values(&points->dimensions[d], tunable, points->arena, diagnostic);
}

static status make_dimensions(struct search_points *points, struct diagnostic *diagnostic)
{
    const struct search_field *field = points->field;
    struct point_axis *variant = &points->dimensions[points->dimension_count++];
    *variant = (struct point_axis){.name = "variant", .count = field->space_count};
    TRY_NEW(variant->values, points->arena, field->space_count + 1, diagnostic);
    TRY_NEW(points->places, points->arena, (field->space_count + 1) * SPACE_TUNABLES_MAX,
            diagnostic);
    for (int s = 0; s < field->space_count; s++) {
        variant->values[s] = s;
        for (int t = 0; t < field->spaces[s].space->tunable_count; t++)
            TRY(place_tunable(points, s, t, diagnostic));
    }
    return STATUS_OK;
}

/* ---- What strategies call ---- */

static void *allocate(void *host, size_t bytes)
{
    const struct search_points *points = host;
    return arena_allocate(points->arena, 1, bytes);
}

static int space_index(const struct search_field *field, const struct space *space)
{
    int s = 0;
    while (s < field->space_count && field->spaces[s].space != space) s++;
    return s;
}

static int describe(void *host, uint64_t point, int32_t *indices)
{
    const struct search_points *points = host;
    struct candidate candidate;
    if (!search_unrank(points->field, point, &candidate)) return 0;
    int s = space_index(points->field, candidate.space);
    for (int d = 0; d < points->dimension_count; d++) indices[d] = -1;
    indices[0] = s;
    for (int t = 0; t < candidate.space->tunable_count; t++) {
        int d = place_of(points, s, t);
        indices[d] = find_value(&points->dimensions[d], (double)candidate.config.values[t]);
    }
    return 1;
}

static int find(void *host, const int32_t *indices, uint64_t *point)
{
    const struct search_points *points = host;
    const struct search_field *field = points->field;
    int s = indices[0];
    if (s < 0 || s >= field->space_count) return 0;
    struct candidate candidate = {.space = field->spaces[s].space};
    for (int t = 0; t < candidate.space->tunable_count; t++) {
        const struct tunable *tunable = &candidate.space->tunables[t];
        const struct point_axis *dimension = &points->dimensions[place_of(points, s, t)];
        int index = indices[dimension - points->dimensions];
        if (index >= dimension->count) return 0;
        int64_t value =
            index < 0 ? tunable->values[tunable->otherwise] : (int64_t)dimension->values[index];
        if (tunable_index(tunable, value) < 0) return 0;
        candidate.config.values[t] = value;
    }
    return search_points_number(points, &candidate, point);
}

static double estimate(void *host, uint64_t point)
{
    const struct search_points *points = host;
    struct candidate candidate;
    if (!search_unrank(points->field, point, &candidate)) return INFINITY;
    return space_estimate(search_space(points->field, &candidate), &candidate.config);
}

static int discouraged(void *host, uint64_t point)
{
    const struct search_points *points = host;
    struct candidate candidate;
    return search_unrank(points->field, point, &candidate) &&
           space_check_soft(search_space(points->field, &candidate), &candidate.config) != NULL;
}

bool search_points_number(const struct search_points *points, const struct candidate *candidate,
                          uint64_t *point)
{
    const struct search_field *field = points->field;
    uint64_t before = 0, rank;
    if (!candidate->space) return false;
    for (int s = 0; s < field->space_count; s++) {
        if (field->spaces[s].space == candidate->space) {
            if (!space_rank(&field->spaces[s], &candidate->config, &rank)) return false;
            *point = before + rank;
            return true;
        }
        before += space_count(&field->spaces[s]);
    }
    return false;
}

/* ---- The field ---- */

static status list_ranked(struct search_points *points, uint64_t limit,
                          struct diagnostic *diagnostic)
{
    struct ranked *ranked;
    uint64_t *numbers;
    int count, known = 0;
    int most = limit < RANKED_MAX ? (int)limit : RANKED_MAX;
    if (!most) return STATUS_OK;
    TRY(search_rank(points->field, most, points->arena, &ranked, &count, diagnostic));
    TRY_NEW(numbers, points->arena, count + 1, diagnostic);
    for (int r = 0; r < count; r++)
        known += search_points_number(points, &ranked[r].candidate, &numbers[known]);
    points->face.ranked = numbers;
    points->face.ranked_count = (uint64_t)known;
    return STATUS_OK;
}

static status list_transferred(struct search_points *points, const struct candidate *candidates,
                               int count, struct diagnostic *diagnostic)
{
    uint64_t *numbers;
    int known = 0;
    TRY_NEW(numbers, points->arena, count + 1, diagnostic);
    for (int c = 0; c < count; c++)
        known += search_points_number(points, &candidates[c], &numbers[known]);
    points->face.transferred = numbers;
    points->face.transferred_count = (uint64_t)known;
    return STATUS_OK;
}

static status list_dimensions(struct search_points *points, struct diagnostic *diagnostic)
{
    struct hone_dimension *faces;
    TRY_NEW(faces, points->arena, points->dimension_count, diagnostic);
    for (int d = 0; d < points->dimension_count; d++)
        faces[d] = (struct hone_dimension){.name = points->dimensions[d].name,
                                           .value_count = points->dimensions[d].count,
                                           .values = points->dimensions[d].values};
    points->face.dimensions = faces;
    points->face.dimension_count = points->dimension_count;
    return STATUS_OK;
}

status search_points_create(const struct search_field *field, const struct candidate *transferred,
                            int transferred_count, struct arena *arena,
                            struct search_points **result, struct diagnostic *diagnostic)
{
    struct search_points *points;
    TRY_NEW(points, arena, 1, diagnostic);
    points->field = field;
    points->arena = arena;
    points->face = (struct hone_field){.abi = HONE_STRATEGY_ABI,
                                       .point_count = search_count(field),
                                       .budget = search_limit(field),
                                       .seed = field->seed,
                                       .host = points,
                                       .allocate = allocate,
                                       .describe = describe,
                                       .find = find,
                                       .estimate = estimate};
    if (field->effort < EFFORT_MOST) points->face.discouraged = discouraged;
    TRY(make_dimensions(points, diagnostic));
    TRY(list_dimensions(points, diagnostic));
    TRY(list_ranked(points, points->face.budget, diagnostic));
    TRY(list_transferred(points, transferred, transferred_count, diagnostic));
    *result = points;
    return STATUS_OK;
}

const struct hone_field *search_points_field(const struct search_points *points)
{
    return &points->face;
}
