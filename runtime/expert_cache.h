/* Which experts are kept in the slots of a card.
 *
 * A policy is a number: what an expert is worth by what is known of it.  A cache keeps those that are worth most: one that is
 * asked for and not there takes the place of the one worth least, if it is worth more itself; else it is done without (the
 * host computes it).  So policies are data, and the same code serves the executor and replays of recorded routings
 * (planner/expert_replay.h).
 *
 * A request is what one step of a layer asks for.  Nothing that a request asks for is given up for it. */
#ifndef RUNTIME_EXPERT_CACHE_H
#define RUNTIME_EXPERT_CACHE_H

#include "base/arena.h"

#include <stdint.h>

struct expert_use {
    int64_t last;  /* request that used it last; -1: none */
    int64_t next;  /* request that uses it next, for those who know the future; INT64_MAX: none */
    double count;  /* requests that used it */
    double recent; /* logarithm (base 2) of the sum of 2^(request / half life) over its uses */
    double frequency; /* in a record */
};

struct expert_policy {
    const char *name, *help;
    double (*worth)(const struct expert_use *use); /* NULL: of the policy that does best of late */
    double half_life;                              /* of `recent`, in requests; 0: not used */
    bool knows_future;                             /* for comparison only */
    bool needs_record;                             /* `frequency` */
};

enum { EXPERT_POLICY_MOST = 16 };
extern const struct expert_policy expert_policies[];
extern const int expert_policy_count;
const struct expert_policy *expert_policy_find(const char *name); /* NULL: there is none */
/* What is taken when nothing is recorded: it follows the best of the others. */
const struct expert_policy *expert_policy_default(void);

struct expert_cache {
    const struct expert_policy *policy;
    int experts, slots;
    int *slot_of;   /* [experts] -1: not there */
    int *expert_of; /* [slots] -1: empty */
    struct expert_use *uses;
    int64_t now;                  /* requests so far */
    struct expert_cache *shadows; /* of a policy that follows others: what they would hold */
    int shadow_count, leader;
    double hits; /* of a shadow, lately */
};

/* `frequencies` [experts] of a record; NULL: there is none. */
CHECKED status expert_cache_create(struct arena *arena, const struct expert_policy *policy,
                                   int experts, int slots, const double *frequencies,
                                   struct expert_cache *cache, struct diagnostic *diagnostic);

/* Begins a request for `count` different experts; `next` (NULL: unknown): the request that wants each of them again. */
void expert_cache_request(struct expert_cache *cache, const int32_t *experts, int count,
                          const int64_t *next);
/* Of the request: where expert is; -1: a miss. */
static inline int expert_cache_slot(const struct expert_cache *cache, int expert)
{
    return cache->slot_of[expert];
}
/* The slot that the policy gives a missed expert of the request; -1: it is not worth one.  `forced`: whatever it is worth, so
 * -1 only where the request needs all slots. */
int expert_cache_room(const struct expert_cache *cache, int expert, bool forced);
/* The expert is in the slot from now on, in the place of what was there. */
void expert_cache_place(struct expert_cache *cache, int expert, int slot);
/* What an expert is worth now. */
double expert_cache_worth(const struct expert_cache *cache, int expert);
/* Another number of slots, at most those it was made with: those that stay keep what they hold, or all are empty. */
void expert_cache_resize(struct expert_cache *cache, int slots);
void expert_cache_empty(struct expert_cache *cache, int slots);

#endif
