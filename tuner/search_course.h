/* The course of one search: what is common to all strategies.
 *
 *   1. the points that must be measured come first
 *   2. the strategy chooses others until the budget is spent; none comes twice
 *   3. the best third is looked at again more closely, then the best third of those
 *
 * The finals, in which the best are measured side by side, are tune_finals.c. */
#ifndef TUNER_SEARCH_COURSE_H
#define TUNER_SEARCH_COURSE_H

#include "base/arena.h"
#include "include/hone/strategy.h"

#include <stdint.h>

/* Looks get closer level by level: the caller decides how many samples each takes. */
enum { SEARCH_LEVELS = 3 };

struct course;

/* `first` is copied.  The strategy's state ends with course_close. */
CHECKED status course_open(const struct hone_field *field, const struct hone_strategy *strategy,
                           const uint64_t *first, int first_count, struct arena *arena,
                           struct course **course, struct diagnostic *diagnostic);
void course_close(struct course *course); /* NULL is allowed */

/* False when the search is over, or memory is out. */
bool course_ask(struct course *course, uint64_t *point, int *level);
void course_tell(struct course *course, uint64_t point, int level,
                 const struct hone_outcome *outcome);
/* Some of those that will be asked for in any case. */
int course_ahead(const struct course *course, uint64_t *points, int most);

#endif
