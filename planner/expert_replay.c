/* Replaying routings. */
#include "planner/expert_replay.h"

enum { QUARTERS = 4 };

/* The requests of one cache, one behind the other. */
struct requests {
    int64_t count, counted_from; /* request number of `middle` */
    int64_t *starts;             /* [count + 1] */
    int32_t *experts;
    int64_t *next; /* [as experts] request that asks for it again; INT64_MAX: none */
};

struct replay {
    const struct routing_trace *trace;
    const struct replay_range *range;
    const struct expert_policy *policy;
    struct arena *scratch;
    int first_layer, layers; /* of the cache */
    int keys;
};

/* The different experts of some rows, counted from `base`; `seen` [experts] is zero before and after. */
static int64_t gather(const uint16_t *ids, int64_t count, int base, bool *seen, int32_t *experts)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        if (seen[ids[i]]) continue;
        seen[ids[i]] = true;
        experts[found++] = base + ids[i];
    }
    for (int64_t f = 0; f < found; f++) seen[experts[f] - base] = false;
    return found;
}

static status find_next(const struct replay *replay, struct requests *requests,
                        struct diagnostic *diagnostic)
{
    int64_t *coming;
    TRY_NEW(coming, replay->scratch, replay->keys, diagnostic);
    for (int k = 0; k < replay->keys; k++) coming[k] = INT64_MAX;
    for (int64_t r = requests->count - 1; r >= 0; r--)
        for (int64_t i = requests->starts[r]; i < requests->starts[r + 1]; i++) {
            requests->next[i] = coming[requests->experts[i]];
            coming[requests->experts[i]] = r;
        }
    return STATUS_OK;
}

static status make_requests(const struct replay *replay, struct requests *requests,
                            struct diagnostic *diagnostic)
{
    const struct routing_trace *trace = replay->trace;
    const struct replay_range *range = replay->range;
    int64_t steps = range->end - range->begin, rows, most = 0, filled = 0;
    bool *seen;
    for (int64_t s = range->begin; s < range->end; s++)
        for (int l = 0; l < replay->layers; l++) {
            (void)routing_trace_rows(trace, s, replay->first_layer + l, &rows);
            int64_t asked = rows * trace->used;
            most += asked < trace->experts ? asked : trace->experts;
        }
    *requests = (struct requests){.counted_from = (range->middle - range->begin) * replay->layers};
    TRY_NEW(requests->starts, replay->scratch, steps * replay->layers + 1, diagnostic);
    TRY_NEW(requests->experts, replay->scratch, most, diagnostic);
    TRY_NEW(requests->next, replay->scratch, most, diagnostic);
    TRY_NEW(seen, replay->scratch, trace->experts, diagnostic);
    for (int64_t s = range->begin; s < range->end; s++)
        for (int l = 0; l < replay->layers; l++) {
            const uint16_t *ids = routing_trace_rows(trace, s, replay->first_layer + l, &rows);
            filled += gather(ids, rows * trace->used, l * trace->experts, seen,
                             requests->experts + filled);
            requests->starts[++requests->count] = filled;
        }
    return find_next(replay, requests, diagnostic);
}

static status count_uses(const struct replay *replay, const struct requests *requests,
                         double **frequencies, struct diagnostic *diagnostic)
{
    TRY_NEW(*frequencies, replay->scratch, replay->keys, diagnostic);
    for (int64_t i = 0; i < requests->starts[requests->counted_from]; i++)
        (*frequencies)[requests->experts[i]]++;
    return STATUS_OK;
}

/* Hits are those that are there when the request comes; then the misses are taken in, as the policy likes. */
static void serve(struct expert_cache *cache, const struct requests *requests, int64_t r,
                  bool knows_future, struct replay_rate *rate)
{
    int64_t start = requests->starts[r];
    int count = (int)(requests->starts[r + 1] - start);
    const int32_t *experts = requests->experts + start;
    expert_cache_request(cache, experts, count, knows_future ? requests->next + start : NULL);
    for (int i = 0; i < count; i++) rate->hits += expert_cache_slot(cache, experts[i]) >= 0;
    rate->asked += count;
    for (int i = 0; i < count; i++) {
        if (expert_cache_slot(cache, experts[i]) >= 0) continue;
        int slot = expert_cache_room(cache, experts[i], false);
        if (slot < 0) continue;
        expert_cache_place(cache, experts[i], slot);
        rate->taken++;
    }
}

static status replay_cache(const struct replay *replay, struct replay_rate *rate,
                           struct diagnostic *diagnostic)
{
    struct requests requests;
    struct expert_cache cache;
    double *frequencies;
    arena_reset(replay->scratch);
    TRY(make_requests(replay, &requests, diagnostic));
    TRY(count_uses(replay, &requests, &frequencies, diagnostic));
    TRY(expert_cache_create(replay->scratch, replay->policy, replay->keys,
                            replay->range->slots * replay->layers, frequencies, &cache,
                            diagnostic));
    struct replay_rate filling = {0};
    for (int64_t r = 0; r < requests.count; r++)
        serve(&cache, &requests, r, replay->policy->knows_future,
              r < requests.counted_from ? &filling : rate);
    return STATUS_OK;
}

static status check_range(const struct routing_trace *trace, const struct replay_range *range,
                          struct diagnostic *diagnostic)
{
    if (range->slots < 1 || range->slots > trace->experts)
        return fail(diagnostic, STATUS_USAGE,
                    "--slots: a layer of this trace has %d experts; %d of them cannot be kept",
                    trace->experts, range->slots);
    if (range->begin < 0 || range->middle < range->begin || range->end < range->middle ||
        range->end > routing_trace_steps(trace))
        return fail(diagnostic, STATUS_FAILED, "a replay of steps %lld to %lld of %lld",
                    (long long)range->begin, (long long)range->end,
                    (long long)routing_trace_steps(trace));
    return STATUS_OK;
}

status expert_replay(const struct routing_trace *trace, const struct expert_policy *policy,
                     const struct replay_range *range, struct replay_rate *rate,
                     struct diagnostic *diagnostic)
{
    *rate = (struct replay_rate){0};
    TRY(check_range(trace, range, diagnostic));
    struct replay replay = {.trace = trace,
                            .range = range,
                            .policy = policy,
                            .scratch = arena_create(0),
                            .layers = range->shared ? trace->layer_count : 1};
    TRY_MEMORY(replay.scratch, diagnostic);
    replay.keys = replay.layers * trace->experts;
    status code = STATUS_OK;
    for (int l = 0; l < trace->layer_count && code == STATUS_OK; l += replay.layers) {
        replay.first_layer = l;
        code = replay_cache(&replay, rate, diagnostic);
    }
    arena_destroy(replay.scratch);
    return code;
}

status expert_frequencies(const struct routing_trace *trace, struct arena *arena,
                          double **frequencies, struct diagnostic *diagnostic)
{
    int64_t rows;
    TRY_NEW(*frequencies, arena, trace->layer_count * trace->experts, diagnostic);
    for (int64_t e = 0; e < trace->start_count - 1; e++) {
        const uint16_t *ids = routing_trace_rows(trace, 0, (int)e, &rows);
        double *layer = *frequencies + e % trace->layer_count * trace->experts;
        for (int64_t i = 0; i < rows * trace->used; i++) layer[ids[i]]++;
    }
    return STATUS_OK;
}

static int find_best(const struct replay_rate *rates)
{
    int best = -1;
    for (int p = 0; p < expert_policy_count; p++)
        if (!expert_policies[p].knows_future &&
            (best < 0 || replay_share(rates[p]) > replay_share(rates[best])))
            best = p;
    return best;
}

/* A quarter of a trace tells policies apart by no less than this; the default one also follows what changes later. */
static const double CLEARLY = 1.02;

static int choose(const struct replay_rate *rates)
{
    int best = find_best(rates), usual = (int)(expert_policy_default() - expert_policies);
    return replay_share(rates[best]) > CLEARLY * replay_share(rates[usual]) ? best : usual;
}

status expert_compare(const struct routing_trace *trace, int slots, bool shared,
                      struct expert_comparison *comparison, struct diagnostic *diagnostic)
{
    int64_t steps = routing_trace_steps(trace), half = steps / 2;
    const struct replay_range trial = {slots, shared, 0, steps / QUARTERS, half};
    const struct replay_range unseen = {slots, shared, 0, half, steps};
    if (steps < QUARTERS)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "the trace has %lld steps; policies are compared on at least %d",
                    (long long)steps, QUARTERS);
    *comparison = (struct expert_comparison){0};
    for (int p = 0; p < expert_policy_count; p++) {
        const struct expert_policy *policy = &expert_policies[p];
        if (policy->knows_future) comparison->oracle = p;
        TRY(expert_replay(trace, policy, &trial, &comparison->trial[p], diagnostic));
        TRY(expert_replay(trace, policy, &unseen, &comparison->rates[p], diagnostic));
    }
    comparison->chosen = choose(comparison->trial);
    comparison->best = find_best(comparison->rates);
    comparison->advised = choose(comparison->rates);
    return STATUS_OK;
}
