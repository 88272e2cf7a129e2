/* Asking a strategy, and the closer looks. */
#include "tuner/search_course.h"

#include <math.h>
#include <stdlib.h>

enum {
    KEPT_LEAST = 8,      /* as many as the finals take */
    REPEATS_MAX = 10000, /* known points in a row before a strategy is taken to be at its end */
    SLOTS_FIRST = 64
};

struct entry {
    uint64_t point;
    double seconds; /* infinite when it failed */
    int level;      /* looks taken so far; -1: asked for, not yet told */
};

struct course {
    const struct hone_field *field;
    const struct hone_strategy *strategy;
    void *state;
    struct arena *arena;
    const uint64_t *first;
    int first_count, first_next;
    struct entry *entries;
    int count;
    size_t capacity;
    int *slots; /* entry + 1 by the hash of its point; 0: free */
    size_t slot_count;
    int level;                           /* of the closer looks; 0 while points are collected */
    int *again, again_count, again_next; /* entries to be looked at again */
};

status course_open(const struct hone_field *field, const struct hone_strategy *strategy,
                   const uint64_t *first, int first_count, struct arena *arena,
                   struct course **result, struct diagnostic *diagnostic)
{
    struct course *course;
    TRY_NEW(course, arena, 1, diagnostic);
    *course =
        (struct course){.field = field,
                        .strategy = strategy,
                        .arena = arena,
                        .first = arena_copy(arena, first, (size_t)first_count * sizeof *first),
                        .first_count = first_count};
    if (first_count) TRY_MEMORY(course->first, diagnostic);
    course->state = strategy->create(field);
    if (!course->state)
        return fail(diagnostic, STATUS_FAILED,
                    "the search strategy '%s' does not take this space, or memory is out; choose "
                    "another with --strategy",
                    strategy->name);
    *result = course;
    return STATUS_OK;
}

void course_close(struct course *course)
{
    if (course && course->strategy->destroy) course->strategy->destroy(course->state);
}

/* ---- What is known ---- */

static size_t slot_of(const struct course *course, uint64_t point)
{
    size_t mask = course->slot_count - 1, at = (size_t)(point * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (course->slots[at] && course->entries[course->slots[at] - 1].point != point)
        at = (at + 1) & mask;
    return at;
}

static struct entry *find(const struct course *course, uint64_t point)
{
    if (!course->slot_count) return NULL;
    int slot = course->slots[slot_of(course, point)];
    return slot ? &course->entries[slot - 1] : NULL;
}

static bool reserve_slots(struct course *course)
{
    if (course->slot_count && (size_t)course->count < course->slot_count / 2) return true;
    course->slot_count = course->slot_count ? 2 * course->slot_count : SLOTS_FIRST;
    course->slots = arena_allocate(course->arena, course->slot_count, sizeof *course->slots);
    if (!course->slots) return false;
    for (int e = 0; e < course->count; e++)
        course->slots[slot_of(course, course->entries[e].point)] = e + 1;
    return true;
}

/* Takes a point up unless it is known; false when it is, or memory is out. */
static bool take(struct course *course, uint64_t point)
{
    if (find(course, point) || !reserve_slots(course)) return false;
    struct entry *grown = arena_grow(course->arena, course->entries, (size_t)course->count,
                                     &course->capacity, sizeof *grown);
    if (!grown) return false;
    course->entries = grown;
    course->entries[course->count] =
        (struct entry){.point = point, .seconds = INFINITY, .level = -1};
    course->slots[slot_of(course, point)] = ++course->count;
    return true;
}

static void tell_strategy(struct course *course, const struct entry *entry)
{
    const struct hone_outcome outcome = {.good = isfinite(entry->seconds),
                                         .seconds = entry->seconds};
    course->strategy->tell(course->state, entry->point, &outcome);
}

/* ---- Level 0 ---- */

static bool collect(struct course *course, uint64_t *point)
{
    const struct hone_field *field = course->field;
    while (course->first_next < course->first_count) {
        *point = course->first[course->first_next++];
        if (*point < field->point_count && take(course, *point)) return true;
    }
    if ((uint64_t)course->count >= field->budget || (uint64_t)course->count >= field->point_count)
        return false;
    for (int repeats = 0; repeats < REPEATS_MAX; repeats++) {
        if (!course->strategy->ask(course->state, point)) return false;
        if (*point >= field->point_count) return false; /* a strategy that has lost its way */
        if (take(course, *point)) return true;
        const struct entry *known = find(course, *point);
        if (!known) return false; /* memory is out */
        tell_strategy(course, known);
    }
    return false;
}

/* ---- Closer looks ---- */

static int compare_seconds(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;
    if ((*x)->seconds != (*y)->seconds) return (*x)->seconds > (*y)->seconds ? 1 : -1;
    return ((*x)->point > (*y)->point) - ((*x)->point < (*y)->point);
}

/* Chooses the best third of those that had the look before for a closer one; false when the finals
 * can take them all. */
static bool start_level(struct course *course)
{
    struct entry **sorted =
        arena_allocate(course->arena, (size_t)course->count + 1, sizeof *sorted);
    int good = 0, previous = course->level++;
    for (int e = 0; sorted && e < course->count; e++)
        if (course->entries[e].level == previous && isfinite(course->entries[e].seconds))
            sorted[good++] = &course->entries[e];
    int kept = good / 3 > KEPT_LEAST ? good / 3 : KEPT_LEAST;
    course->again = arena_allocate(course->arena, (size_t)kept, sizeof *course->again);
    course->again_count = course->again_next = 0;
    if (good <= KEPT_LEAST || !course->again) return false;
    qsort(sorted, (size_t)good, sizeof *sorted, compare_seconds);
    for (int k = 0; k < kept; k++)
        course->again[course->again_count++] = (int)(sorted[k] - course->entries);
    return true;
}

bool course_ask(struct course *course, uint64_t *point, int *level)
{
    *level = 0;
    if (course->level == 0 && collect(course, point)) return true;
    while (course->again_next == course->again_count)
        if (course->level >= SEARCH_LEVELS || !start_level(course)) return false;
    *point = course->entries[course->again[course->again_next++]].point;
    *level = course->level;
    return true;
}

void course_tell(struct course *course, uint64_t point, int level,
                 const struct hone_outcome *outcome)
{
    struct entry *entry = find(course, point);
    if (!entry) return;
    entry->level = level;
    entry->seconds = outcome->good && outcome->seconds > 0 ? outcome->seconds : INFINITY;
    if (level == 0) tell_strategy(course, entry);
}

int course_ahead(const struct course *course, uint64_t *points, int most)
{
    int count = 0;
    uint64_t left = course->level == 0 && (uint64_t)course->count < course->field->budget
                        ? course->field->budget - (uint64_t)course->count
                        : 0;
    if ((uint64_t)most > left) most = (int)left;
    for (int f = course->first_next; f < course->first_count && count < most; f++)
        points[count++] = course->first[f];
    if (course->strategy->ahead && count < most)
        count += course->strategy->ahead(course->state, points + count, most - count);
    return count;
}
