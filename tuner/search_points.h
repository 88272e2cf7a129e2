/* The candidates of a problem as the points of a strategy's field (include/hone/strategy.h).
 *
 * The first dimension is the variant; tunables that have one name in several variants are one dimension with the values of all. */
#ifndef TUNER_SEARCH_POINTS_H
#define TUNER_SEARCH_POINTS_H

#include "include/hone/strategy.h"
#include "tuner/search.h"

struct search_points;

/* `transferred`: of near problems, nearest and best first (tuner/transfer.h).  Both must outlive the points. */
CHECKED status search_points_create(const struct search_field *field,
                                    const struct candidate *transferred, int transferred_count,
                                    struct arena *arena, struct search_points **points,
                                    struct diagnostic *diagnostic);
const struct hone_field *search_points_field(const struct search_points *points);

/* False when there is no such candidate, or it is not legal. */
bool search_points_number(const struct search_points *points, const struct candidate *candidate,
                          uint64_t *point);

#endif
