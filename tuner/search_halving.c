/* Halving: few samples for many candidates, more samples for the best of them.
 *
 *   1. the candidates that must be measured, then those with the best estimates: half of the budget
 *   2. moves: from the best ones measured, one tunable one step up or down; every sixth candidate
 * is drawn at random, so that a wrong estimate cannot hide a whole region
 *   3. the best third is looked at again more closely, then the best third of those
 *
 * What is left is for the finals (tune.c). */
#include "tuner/search_table.h"

#include <math.h>
#include <stdlib.h>

struct entry {
    struct candidate candidate;
    double seconds; /* infinite when it failed */
    int level;      /* looks taken so far; -1: asked for, not yet told */
    bool moved;     /* its neighbours have been looked at */
};

struct halving {
    const struct search_field *field;
    struct arena *arena;
    struct entry *entries;
    int count;
    size_t capacity;
    uint64_t limit, all, random_next;
    struct ranked *ranked;
    int ranked_count, ranked_next, first_next;
    int level;                           /* of the closer looks; 0 while candidates are collected */
    int *again, again_count, again_next; /* entries to be looked at again */
};

enum {
    RANDOM_EVERY = 6,
    MOVERS_MAX = 4, /* the best so many are moved from */
    KEPT_LEAST = 8, /* as many as the finals take */
};

static status create(const struct search_field *field, struct arena *arena, void **state,
                     struct diagnostic *diagnostic)
{
    enum { RANKED_MAX = 4096 };
    struct halving *own;
    TRY_NEW(own, arena, 1, diagnostic);
    *own = (struct halving){
        .field = field, .arena = arena, .limit = search_limit(field), .all = search_count(field)};
    int ranked = own->limit < RANKED_MAX ? (int)own->limit : RANKED_MAX;
    if (ranked > 0)
        TRY(search_rank(field, ranked, arena, &own->ranked, &own->ranked_count, diagnostic));
    *state = own;
    return STATUS_OK;
}

static struct entry *find(const struct halving *own, const struct candidate *candidate)
{
    for (int e = 0; e < own->count; e++)
        if (candidate_equal(&own->entries[e].candidate, candidate)) return &own->entries[e];
    return NULL;
}

/* Takes a candidate up unless it is known; false when it is, or memory is out. */
static bool take(struct halving *own, const struct candidate *candidate,
                 struct search_request *request)
{
    if (find(own, candidate)) return false;
    struct entry *grown = arena_grow(own->arena, own->entries, (size_t)own->count, &own->capacity,
                                     sizeof *own->entries);
    if (!grown) return false;
    own->entries = grown;
    own->entries[own->count++] =
        (struct entry){.candidate = *candidate, .seconds = INFINITY, .level = -1};
    *request = (struct search_request){.candidate = *candidate};
    return true;
}

static bool take_first(struct halving *own, struct search_request *request)
{
    while (own->first_next < own->field->first_count)
        if (take(own, &own->field->first[own->first_next++], request)) return true;
    return false;
}

/* Below exhaustive effort what breaks a soft rule comes only when nothing else is left. */
static bool take_ranked(struct halving *own, struct search_request *request)
{
    while (own->ranked_next < own->ranked_count)
        if (take(own, &own->ranked[own->ranked_next++].candidate, request)) return true;
    return false;
}

static bool take_random(struct halving *own, struct search_request *request)
{
    while (own->random_next < own->all) {
        struct candidate candidate;
        uint64_t rank = search_permute(own->random_next++, own->all, own->field->seed);
        if (!search_unrank(own->field, rank, &candidate)) return false;
        const struct bound_space *space = search_space(own->field, &candidate);
        if (own->field->effort < EFFORT_MOST && space_check_soft(space, &candidate.config))
            continue;
        if (take(own, &candidate, request)) return true;
    }
    return false;
}

/* The neighbour with the best estimate that is legal and new. */
static bool take_neighbour(struct halving *own, const struct entry *from,
                           struct search_request *request)
{
    const struct bound_space *bound = search_space(own->field, &from->candidate);
    struct candidate best = {0};
    double best_seconds = INFINITY;
    for (int t = 0; bound && t < bound->space->tunable_count; t++) {
        const struct tunable *tunable = &bound->space->tunables[t];
        int index = tunable_index(tunable, from->candidate.config.values[t]);
        for (int step = -1; step <= 1; step += 2) {
            if (index + step < 0 || index + step >= tunable->value_count) continue;
            struct candidate moved = from->candidate;
            moved.config.values[t] = tunable->values[index + step];
            if (find(own, &moved) || space_check(bound, &moved.config) ||
                space_check_soft(bound, &moved.config))
                continue;
            double seconds = space_estimate(bound, &moved.config);
            if (best.space && seconds >= best_seconds) continue;
            best = moved;
            best_seconds = seconds;
        }
    }
    return best.space && take(own, &best, request);
}

/* The best entry that still has new neighbours, among the best few. */
static bool take_move(struct halving *own, struct search_request *request)
{
    for (int tried = 0; tried < MOVERS_MAX; tried++) {
        int best = -1;
        for (int e = 0; e < own->count; e++) {
            const struct entry *entry = &own->entries[e];
            if (entry->moved || !isfinite(entry->seconds)) continue;
            if (best < 0 || entry->seconds < own->entries[best].seconds) best = e;
        }
        if (best < 0) return false;
        struct entry from = own->entries[best]; /* taking may move the array */
        if (take_neighbour(own, &from, request)) return true;
        own->entries[best].moved = true;
    }
    return false;
}

static bool collect(struct halving *own, struct search_request *request)
{
    if (take_first(own, request)) return true;
    if ((uint64_t)own->count >= own->limit) return false;
    bool estimates = own->field->effort <= 1 || (uint64_t)own->count * 2 < own->limit;
    bool random = own->field->effort > 1 && own->count % RANDOM_EVERY == RANDOM_EVERY - 1;
    if (random && take_random(own, request)) return true;
    if (!estimates && take_move(own, request)) return true;
    return take_ranked(own, request) || take_move(own, request) || take_random(own, request);
}

static int compare_seconds(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;
    return ((*x)->seconds > (*y)->seconds) - ((*x)->seconds < (*y)->seconds);
}

/* Chooses the best third of those that had the look before for a closer one; false when the finals
 * can take them all. */
static bool start_level(struct halving *own)
{
    struct entry **sorted = arena_allocate(own->arena, (size_t)own->count + 1, sizeof *sorted);
    int good = 0, previous = own->level++;
    for (int e = 0; sorted && e < own->count; e++)
        if (own->entries[e].level == previous && isfinite(own->entries[e].seconds))
            sorted[good++] = &own->entries[e];
    int kept = good / 3 > KEPT_LEAST ? good / 3 : KEPT_LEAST;
    own->again = arena_allocate(own->arena, (size_t)kept, sizeof *own->again);
    own->again_count = own->again_next = 0;
    if (good <= KEPT_LEAST || !own->again) return false;
    qsort(sorted, (size_t)good, sizeof *sorted, compare_seconds);
    for (int k = 0; k < kept; k++) own->again[own->again_count++] = (int)(sorted[k] - own->entries);
    return true;
}

static bool ask(void *state, struct search_request *request)
{
    struct halving *own = state;
    if (own->level == 0 && collect(own, request)) return true;
    while (own->again_next == own->again_count)
        if (own->level >= SEARCH_LEVELS || !start_level(own)) return false;
    const struct entry *entry = &own->entries[own->again[own->again_next++]];
    *request = (struct search_request){.candidate = entry->candidate, .level = own->level};
    return true;
}

/* What estimates choose; moves depend on what is told. */
static int ahead(const void *state, struct candidate *candidates, int most)
{
    const struct halving *own = state;
    int count = 0, first = own->field->first_count;
    uint64_t left = own->level == 0 && (uint64_t)own->count < own->limit
                        ? own->limit - (uint64_t)own->count
                        : 0;
    if (own->field->effort > 1) left /= 2; /* the other half are moves */
    if ((uint64_t)most > left) most = (int)left;
    for (int f = own->first_next; f < first && count < most; f++)
        candidates[count++] = own->field->first[f];
    for (int r = own->ranked_next; r < own->ranked_count && count < most; r++)
        if (!find(own, &own->ranked[r].candidate)) candidates[count++] = own->ranked[r].candidate;
    return count;
}

static void tell(void *state, const struct search_request *request,
                 const struct search_result *result)
{
    struct entry *entry = find(state, &request->candidate);
    if (!entry) return;
    entry->level = request->level;
    entry->seconds = result->good ? result->seconds : INFINITY;
}

const struct search_strategy search_halving = {
    .name = "halving",
    .about = "best estimates, moves round the best, closer looks at fewer and fewer",
    .create = create,
    .ask = ask,
    .ahead = ahead,
    .tell = tell,
};
