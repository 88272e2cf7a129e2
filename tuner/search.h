/* Searching: which candidates of a problem to measure next.
 *
 * Strategies are those of include/hone/strategy.h: one file each (search_NAME.c) and one line in search_table.c, or a shared
 * object of someone else.  A search is asked for a candidate and told how it did, until it has no more to ask or the caller has
 * no more time.  It never measures, so recorded measurements can be replayed to it. */
#ifndef TUNER_SEARCH_H
#define TUNER_SEARCH_H

#include "include/hone/strategy.h"
#include "ir/variant.h"
#include "tuner/search_course.h"

/* How much is looked at: 0 nothing (estimates decide), 1 a handful, 2 some, 3 many, 4 everything.
 */
enum { EFFORT_MOST = 4, EFFORT_DEFAULT = 2 };

/* What a strategy may choose from.  It all outlives the strategy. */
struct search_field {
    struct bound_space *spaces; /* those that answer the problem */
    int space_count;
    int effort;
    uint64_t most; /* candidates to look at; 0: as many as the effort takes */
    uint64_t seed;
    const struct candidate
        *first; /* to be measured in any case and before others: the default, the incumbent */
    int first_count;
};

struct search_request {
    struct candidate candidate;
    int level;
};

struct search_result {
    bool good;      /* right results and a time */
    double seconds; /* its median so far */
};

/* NULL when there is none of that name. */
const struct hone_strategy *search_by_name(const char *name);
const struct hone_strategy *const *
search_table(void); /* NULL-terminated; the first is the default */

/* One search in progress. */
struct search;

/* `transferred`: candidates of near problems and devices, nearest and best first.  The field must outlive the search. */
CHECKED status search_open(const struct search_field *field, const struct hone_strategy *strategy,
                           const struct candidate *transferred, int transferred_count,
                           struct arena *arena, struct search **search,
                           struct diagnostic *diagnostic);
void search_close(struct search *search); /* NULL is allowed */
/* False when the search is over. */
bool search_ask(struct search *search, struct search_request *request);
void search_tell(struct search *search, const struct search_request *request,
                 const struct search_result *result);
/* Some of those that will be asked for whatever is told until then, to be compiled ahead. */
int search_ahead(const struct search *search, struct candidate *candidates, int most);

/* The most candidates that a search of this effort looks at (all, at effort 4). */
uint64_t search_limit(const struct search_field *field);

/* Configs of all spaces together, numbered through. */
uint64_t search_count(const struct search_field *field);
bool search_unrank(const struct search_field *field, uint64_t rank, struct candidate *candidate);

/* The i-th of `count` numbers 0 .. count - 1 in an order that the seed shuffles, without a list of
 * them. */
uint64_t search_permute(uint64_t i, uint64_t count, uint64_t seed);

/* The candidates with the lowest estimates, best first, those that break soft rules behind all
 * others.  Of every space the best is among them if `limit` allows.  Spaces too large to look at
 * whole are sampled. */
struct ranked {
    struct candidate candidate;
    double seconds; /* the estimate */
    bool soft;      /* breaks a soft rule */
};
CHECKED status search_rank(const struct search_field *field, int limit, struct arena *arena,
                           struct ranked **ranked, int *count, struct diagnostic *diagnostic);

/* The space that a candidate belongs to; NULL for the reference. */
const struct bound_space *search_space(const struct search_field *field,
                                       const struct candidate *candidate);

#endif
