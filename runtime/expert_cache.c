/* Caches of experts. */
#include "runtime/expert_cache.h"

#include <math.h>

/* Hits of a policy lose half their weight in so many requests: long enough to tell policies a few percent apart, short
 * enough to notice within an answer that the text has changed. */
static const double LEADER_HALF_LIFE = 256;

static status create_shadows(struct arena *arena, struct expert_cache *cache,
                             const double *frequencies, struct diagnostic *diagnostic)
{
    TRY_NEW(cache->shadows, arena, expert_policy_count, diagnostic);
    for (int p = 0; p < expert_policy_count; p++) {
        const struct expert_policy *policy = &expert_policies[p];
        if (!policy->worth || policy->knows_future || (policy->needs_record && !frequencies))
            continue;
        TRY(expert_cache_create(arena, policy, cache->experts, cache->slots, frequencies,
                                &cache->shadows[cache->shadow_count++], diagnostic));
    }
    return STATUS_OK;
}

status expert_cache_create(struct arena *arena, const struct expert_policy *policy, int experts,
                           int slots, const double *frequencies, struct expert_cache *cache,
                           struct diagnostic *diagnostic)
{
    *cache = (struct expert_cache){.policy = policy, .experts = experts, .slots = slots};
    TRY_NEW(cache->slot_of, arena, experts, diagnostic);
    TRY_NEW(cache->expert_of, arena, slots, diagnostic);
    TRY_NEW(cache->uses, arena, experts, diagnostic);
    for (int e = 0; e < experts; e++)
        cache->uses[e] = (struct expert_use){.last = -1,
                                             .next = INT64_MAX,
                                             .recent = -INFINITY,
                                             .frequency = frequencies ? frequencies[e] : 0};
    if (!policy->worth) TRY(create_shadows(arena, cache, frequencies, diagnostic));
    expert_cache_empty(cache, slots);
    return STATUS_OK;
}

void expert_cache_empty(struct expert_cache *cache, int slots)
{
    for (int e = 0; e < cache->experts; e++) cache->slot_of[e] = -1;
    for (int s = 0; s < slots; s++) cache->expert_of[s] = -1;
    cache->slots = slots;
    for (int s = 0; s < cache->shadow_count; s++) expert_cache_empty(&cache->shadows[s], slots);
}

void expert_cache_resize(struct expert_cache *cache, int slots)
{
    for (int s = slots; s < cache->slots; s++) {
        if (cache->expert_of[s] >= 0) cache->slot_of[cache->expert_of[s]] = -1;
        cache->expert_of[s] = -1;
    }
    for (int s = cache->slots; s < slots; s++) cache->expert_of[s] = -1;
    cache->slots = slots;
    for (int s = 0; s < cache->shadow_count; s++) expert_cache_resize(&cache->shadows[s], slots);
}

/* log2(2^a + 2^b) */
static double add_logarithms(double a, double b)
{
    double larger = a > b ? a : b, smaller = a > b ? b : a;
    return larger + log2(1 + exp2(smaller - larger));
}

static void note_use(struct expert_cache *cache, int expert, int64_t next)
{
    struct expert_use *use = &cache->uses[expert];
    use->last = cache->now;
    use->next = next;
    use->count++;
    if (cache->policy->half_life > 0)
        use->recent = add_logarithms(use->recent, (double)cache->now / cache->policy->half_life);
}

/* A shadow lives through the request at once. */
static void follow(struct expert_cache *shadow, const int32_t *experts, int count)
{
    double hits = 0;
    expert_cache_request(shadow, experts, count, NULL);
    for (int i = 0; i < count; i++) {
        if (expert_cache_slot(shadow, experts[i]) >= 0) {
            hits++;
            continue;
        }
        int slot = expert_cache_room(shadow, experts[i], false);
        if (slot >= 0) expert_cache_place(shadow, experts[i], slot);
    }
    shadow->hits = shadow->hits * exp2(-1 / LEADER_HALF_LIFE) + hits;
}

void expert_cache_request(struct expert_cache *cache, const int32_t *experts, int count,
                          const int64_t *next)
{
    cache->now++;
    for (int i = 0; i < count; i++) note_use(cache, experts[i], next ? next[i] : INT64_MAX);
    for (int s = 0; s < cache->shadow_count; s++) {
        follow(&cache->shadows[s], experts, count);
        if (cache->shadows[s].hits > cache->shadows[cache->leader].hits) cache->leader = s;
    }
}

double expert_cache_worth(const struct expert_cache *cache, int expert)
{
    if (cache->shadow_count) return expert_cache_worth(&cache->shadows[cache->leader], expert);
    return cache->policy->worth(&cache->uses[expert]);
}

/* Of two that are worth the same the one used last is kept; static ones stay. */
static bool is_worth_more(const struct expert_cache *cache, int a, int b)
{
    double worth_a = expert_cache_worth(cache, a), worth_b = expert_cache_worth(cache, b);
    if (worth_a != worth_b) return worth_a > worth_b;
    return !cache->policy->needs_record && cache->uses[a].last > cache->uses[b].last;
}

int expert_cache_room(const struct expert_cache *cache, int expert, bool forced)
{
    int least = -1;
    for (int s = 0; s < cache->slots; s++) {
        int there = cache->expert_of[s];
        if (there < 0) return s;
        if (cache->uses[there].last == cache->now) continue;
        if (least < 0 || is_worth_more(cache, cache->expert_of[least], there)) least = s;
    }
    if (least < 0 || forced || is_worth_more(cache, expert, cache->expert_of[least])) return least;
    return -1;
}

void expert_cache_place(struct expert_cache *cache, int expert, int slot)
{
    int before = cache->expert_of[slot];
    if (before >= 0) cache->slot_of[before] = -1;
    cache->expert_of[slot] = expert;
    cache->slot_of[expert] = slot;
}
