/* What strategies share: numbering, shuffling and ranking the candidates of several spaces. */
#include "base/random.h"
#include "tuner/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t search_limit(const struct search_field *field)
{
    static const uint64_t limits[EFFORT_MOST + 1] = {0, 8, 24, 100, UINT64_MAX};
    uint64_t all = search_count(field), limit = limits[field->effort];
    if (field->most && field->most < limit) limit = field->most;
    return limit < all ? limit : all;
}

uint64_t search_count(const struct search_field *field)
{
    uint64_t count = 0;
    for (int s = 0; s < field->space_count; s++) {
        uint64_t own = space_count(&field->spaces[s]);
        if (__builtin_add_overflow(count, own, &count)) return UINT64_MAX;
    }
    return count;
}

bool search_unrank(const struct search_field *field, uint64_t rank, struct candidate *candidate)
{
    for (int s = 0; s < field->space_count; s++) {
        uint64_t own = space_count(&field->spaces[s]);
        if (rank < own) {
            candidate->space = field->spaces[s].space;
            return space_unrank(&field->spaces[s], rank, &candidate->config);
        }
        rank -= own;
    }
    return false;
}

const struct bound_space *search_space(const struct search_field *field,
                                       const struct candidate *candidate)
{
    for (int s = 0; s < field->space_count; s++)
        if (field->spaces[s].space == candidate->space) return &field->spaces[s];
    return NULL;
}

/* A Feistel network permutes the numbers of 2 * half bits; what falls outside is sent through again
 * until it falls inside, which a network of the next larger size needs less than four times on
 * average. */
uint64_t search_permute(uint64_t i, uint64_t count, uint64_t seed)
{
    enum { ROUNDS = 6 };
    int bits = 64 - __builtin_clzll(count > 1 ? count - 1 : 1);
    int half = (bits + 1) / 2;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint64_t mixed = left ^ (random_bits(seed, round, right) & mask);
            left = right;
            right = mixed;
        }
        i = left << half | right;
    } while (i >= count);
    return i;
}

/* Configs of one space that are estimated; more are sampled.  An estimate takes about a
 * microsecond. */
enum { ESTIMATES_MAX = 16384 };

/* The best `limit` so far, as a heap with the worst on top. */
struct ranking {
    struct ranked *items;
    int count, limit;
};

static bool is_worse(const struct ranked *a, const struct ranked *b)
{
    if (a->soft != b->soft) return a->soft;
    return a->seconds > b->seconds;
}

static void sink(struct ranking *ranking, int at)
{
    for (;;) {
        int worst = at, left = 2 * at + 1;
        for (int child = left; child < left + 2 && child < ranking->count; child++)
            if (is_worse(&ranking->items[child], &ranking->items[worst])) worst = child;
        if (worst == at) return;
        struct ranked swapped = ranking->items[at];
        ranking->items[at] = ranking->items[worst];
        ranking->items[worst] = swapped;
        at = worst;
    }
}

static void consider(struct ranking *ranking, const struct ranked *item)
{
    if (ranking->count == ranking->limit) {
        if (!is_worse(&ranking->items[0], item)) return;
        ranking->items[0] = *item;
        sink(ranking, 0);
        return;
    }
    int at = ranking->count++;
    for (; at > 0 && is_worse(item, &ranking->items[(at - 1) / 2]); at = (at - 1) / 2)
        ranking->items[at] = ranking->items[(at - 1) / 2];
    ranking->items[at] = *item;
}

static struct ranked rank_config(const struct bound_space *bound, const struct config *config)
{
    return (struct ranked){.candidate = {.space = bound->space, .config = *config},
                           .seconds = space_estimate(bound, config),
                           .soft = space_check_soft(bound, config) != NULL};
}

/* The default first: it wins ties. */
static void rank_space(const struct bound_space *bound, uint64_t seed, struct ranking *ranking)
{
    uint64_t count = space_count(bound), looked_at = count < ESTIMATES_MAX ? count : ESTIMATES_MAX;
    struct config config;
    space_default(bound, &config);
    struct ranked first = rank_config(bound, &config), item;
    consider(ranking, &first);
    for (uint64_t i = 0; i < looked_at; i++) {
        uint64_t rank = count > ESTIMATES_MAX ? search_permute(i, count, seed) : i;
        if (!space_unrank(bound, rank, &config)) continue;
        if (config_equal(bound->space, &config, &first.candidate.config)) continue;
        item = rank_config(bound, &config);
        consider(ranking, &item);
    }
}

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->soft != y->soft) return x->soft ? 1 : -1;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

/* Moves the best of each space to the front, in the order of their estimates. */
static void spread(struct ranked *items, int count)
{
    int front = 0;
    for (int i = 0; i < count; i++) {
        bool seen = false;
        for (int f = 0; f < front; f++)
            seen = seen || items[f].candidate.space == items[i].candidate.space;
        if (seen) continue;
        struct ranked moved = items[i];
        memmove(&items[front + 1], &items[front], (size_t)(i - front) * sizeof *items);
        items[front++] = moved;
    }
}

status search_rank(const struct search_field *field, int limit, struct arena *arena,
                   struct ranked **result, int *count, struct diagnostic *diagnostic)
{
    struct ranked *all;
    size_t total = (size_t)(limit * (field->space_count ? field->space_count : 1));
    TRY_NEW(all, arena, total ? total : 1, diagnostic);
    *count = 0;
    for (int s = 0; s < field->space_count; s++) {
        struct ranking ranking = {.items = all + *count, .limit = limit};
        rank_space(&field->spaces[s], field->seed, &ranking);
        *count += ranking.count;
    }
    qsort(all, (size_t)*count, sizeof *all, compare_ranked);
    spread(all, *count);
    if (*count > limit) *count = limit;
    *result = all;
    return STATUS_OK;
}
