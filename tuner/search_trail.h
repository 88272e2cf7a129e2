/* What a search has seen so far, and the moves that strategies share: the next best estimate, the next point by chance, one
 * step along a dimension.  For tuner/search_*.c; a strategy of someone else has the field's functions alone. */
#ifndef TUNER_SEARCH_TRAIL_H
#define TUNER_SEARCH_TRAIL_H

#include "include/hone/strategy.h"

#include <stdbool.h>

struct trail_item {
    uint64_t point;
    double seconds;   /* infinite when it failed */
    int32_t *indices; /* of its values */
};

struct trail {
    const struct hone_field *field;
    struct trail_item *items; /* in the order of the search */
    int count, capacity;
    int best;   /* the fastest item; -1: none is good */
    int *slots; /* item + 1 by the hash of its point; 0: free */
    int slot_count;
    uint64_t random_next, ranked_next, transferred_next;
};

void trail_start(struct trail *trail, const struct hone_field *field);
/* False when memory is out; a point that is there already keeps its first outcome. */
bool trail_add(struct trail *trail, uint64_t point, const struct hone_outcome *outcome);
bool trail_knows(const struct trail *trail, uint64_t point);

/* The next point that is not known: of the ranked ones; of those of near problems; by chance, discouraged ones left out as
 * long as there are others. */
bool trail_ranked(struct trail *trail, uint64_t *point);
bool trail_transferred(struct trail *trail, uint64_t *point);
bool trail_random(struct trail *trail, uint64_t *point);

/* The legal point nearest to `indices` when that dimension's value goes up (direction 1) or down (-1); it may be known. */
bool trail_step(const struct trail *trail, const int32_t *indices, int dimension, int direction,
                uint64_t *point);

/* The items by their time, the fastest first: the first `most` of them into `order`; returns how many.  Failed ones are not
 * among them. */
int trail_order(const struct trail *trail, int *order, int most);

/* Memory of the field for `count` items; NULL when there is none. */
void *trail_allocate(const struct hone_field *field, size_t count, size_t item_bytes);

#endif
