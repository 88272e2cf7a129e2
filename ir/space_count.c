/* Counting, numbering and visiting legal configs without building the list of them. */
#include "ir/space_internal.h"

#include <assert.h>
#include <string.h>

/* Legal configs below one state of the walk.  The state is known by a 128-bit hash of what the rest
 * depends on: for two states among a million to share one by chance has a probability of 1e-27. */
struct count_entry {
    struct hash state;
    uint64_t count;
    bool used;
};

struct space_counts {
    struct arena *arena;
    struct count_entry *entries;
    size_t capacity, used; /* capacity: a power of two, or 0 */
};

/* 32 MB: past this nothing more is remembered, and counting is exact but slow. */
enum { COUNT_ENTRIES_MAX = 1 << 20, COUNT_ENTRIES_FIRST = 64 };

status space_counts_create(struct arena *arena, struct space_counts **counts,
                           struct diagnostic *diagnostic)
{
    TRY_NEW(*counts, arena, 1, diagnostic);
    (*counts)->arena = arena;
    return STATUS_OK;
}

/* The state's entry, or the free one where it belongs. */
static struct count_entry *counts_slot(struct count_entry *entries, size_t capacity,
                                       struct hash state)
{
    size_t mask = capacity - 1, at = (size_t)state.low & mask;
    while (entries[at].used && !hash_equal(entries[at].state, state)) at = (at + 1) & mask;
    return &entries[at];
}

/* Doubles the table when it is three quarters full; false when there is no room for more. */
static bool counts_reserve(struct space_counts *counts)
{
    if (counts->capacity && counts->used < counts->capacity / 4 * 3) return true;
    size_t capacity = counts->capacity ? counts->capacity * 2 : COUNT_ENTRIES_FIRST;
    if (capacity > COUNT_ENTRIES_MAX) return false;
    struct count_entry *entries = arena_allocate(counts->arena, capacity, sizeof *entries);
    if (!entries) return false;
    for (size_t i = 0; i < counts->capacity; i++)
        if (counts->entries[i].used)
            *counts_slot(entries, capacity, counts->entries[i].state) = counts->entries[i];
    counts->entries = entries;
    counts->capacity = capacity;
    return true;
}

static void counts_add(struct space_counts *counts, struct hash state, uint64_t count)
{
    if (!counts_reserve(counts)) return;
    struct count_entry *entry = counts_slot(counts->entries, counts->capacity, state);
    *entry = (struct count_entry){.state = state, .count = count, .used = true};
    counts->used++;
}

/* A walk in progress. */
struct walker {
    const struct bound_space *bound;
    struct slot_values values;
};

static const struct tunable *step_tunable(const struct space *space, int depth)
{
    return &space->tunables[space->walk->steps[depth].tunable];
}

/* Gives the tunable of step `depth` a value and computes what that allows; false when a rule is
 * broken. */
static bool walker_assign(struct walker *walker, int depth, int64_t value)
{
    const struct space *space = walker->bound->space;
    const struct walk_step *step = &space->walk->steps[depth];
    slot_assign(&walker->values, step->tunable, value);
    for (uint64_t lets = step->lets; lets; lets &= lets - 1)
        let_evaluate(space, __builtin_ctzll(lets), &walker->values);
    for (uint64_t rules = step->rules; rules; rules &= rules - 1) {
        const struct rule *rule = &space->rules[__builtin_ctzll(rules)];
        if (!condition_holds(rule->require, rule->real, &walker->values)) return false;
    }
    return true;
}

/* What the steps from `depth` on depend on. */
static struct hash walker_state(const struct walker *walker, int depth)
{
    enum { BUFFER = 64 };
    uint64_t buffer[BUFFER + 2];
    int used = 0;
    struct hash state = {.high = 0, .low = (uint64_t)depth};
    const struct walk_step *step = &walker->bound->space->walk->steps[depth - 1];
    for (int p = 0; p < step->piece_count; p++) {
        const struct piece *piece = &step->pieces[p];
        int64_t whole = 0;
        double real = 0;
        buffer[used] = piece->real ? value_real(piece->expression, &walker->values, &real)
                                   : value_whole(piece->expression, &walker->values, &whole);
        if (piece->real) memcpy(&whole, &real, sizeof whole);
        if (!buffer[used]) whole = 0;
        buffer[used + 1] = (uint64_t)whole;
        used += 2;
        if (used < BUFFER && p + 1 < step->piece_count) continue;
        state = hash_combine(state, hash_bytes(buffer, (size_t)used * sizeof *buffer));
        used = 0;
    }
    return state;
}

/* Legal ways to go on from step `depth`. */
static uint64_t count_below(struct walker *walker, int depth)
{
    const struct space *space = walker->bound->space;
    if (depth == space->tunable_count) return 1;
    struct space_counts *counts = walker->bound->counts;
    struct hash state = depth ? walker_state(walker, depth) : (struct hash){0};
    if (counts->capacity) {
        const struct count_entry *known = counts_slot(counts->entries, counts->capacity, state);
        if (known->used) return known->count;
    }
    const struct tunable *tunable = step_tunable(space, depth);
    uint64_t count = 0;
    for (int v = 0; v < tunable->value_count; v++)
        if (walker_assign(walker, depth, tunable->values[v]))
            count += count_below(walker, depth + 1);
    counts_add(counts, state, count);
    return count;
}

/* As count_below(depth + 1) after giving step `depth` its v-th value; 0 when that breaks a rule. */
static uint64_t count_value(struct walker *walker, int depth, int v)
{
    const struct tunable *tunable = step_tunable(walker->bound->space, depth);
    if (!walker_assign(walker, depth, tunable->values[v])) return 0;
    return count_below(walker, depth + 1);
}

static void walker_start(struct walker *walker, const struct bound_space *bound)
{
    walker->bound = bound;
    walker->values = bound->values;
}

uint64_t space_count(const struct bound_space *bound)
{
    struct walker walker;
    walker_start(&walker, bound);
    return count_below(&walker, 0);
}

uint64_t space_raw_count(const struct space *space)
{
    uint64_t product = 1;
    for (int t = 0; t < space->tunable_count; t++)
        product *= (uint64_t)space->tunables[t].value_count;
    return product;
}

static void walker_take(struct walker *walker, int depth, int v, struct config *config)
{
    const struct space *space = walker->bound->space;
    int64_t value = step_tunable(space, depth)->values[v];
    bool legal = walker_assign(walker, depth, value);
    assert(legal);
    (void)legal;
    config->values[space->walk->steps[depth].tunable] = value;
}

bool space_unrank(const struct bound_space *bound, uint64_t rank, struct config *config)
{
    struct walker walker;
    walker_start(&walker, bound);
    *config = (struct config){0};
    for (int depth = 0; depth < bound->space->tunable_count; depth++) {
        const struct tunable *tunable = step_tunable(bound->space, depth);
        int v = 0;
        for (; v < tunable->value_count; v++) {
            uint64_t count = count_value(&walker, depth, v);
            if (rank < count) break;
            rank -= count;
        }
        if (v == tunable->value_count) return false;
        walker_take(&walker, depth, v, config);
    }
    return rank == 0;
}

bool space_rank(const struct bound_space *bound, const struct config *config, uint64_t *rank)
{
    if (space_check(bound, config)) return false;
    struct walker walker;
    walker_start(&walker, bound);
    uint64_t before = 0;
    for (int depth = 0; depth < bound->space->tunable_count; depth++) {
        const struct tunable *tunable = step_tunable(bound->space, depth);
        int index =
            tunable_index(tunable, config->values[bound->space->walk->steps[depth].tunable]);
        if (index < 0) return false;
        for (int v = 0; v < index; v++) before += count_value(&walker, depth, v);
        if (!walker_assign(&walker, depth, tunable->values[index])) return false;
    }
    *rank = before;
    return true;
}

void space_default(const struct bound_space *bound, struct config *config)
{
    struct walker walker;
    walker_start(&walker, bound);
    *config = (struct config){0};
    for (int depth = 0; depth < bound->space->tunable_count; depth++) {
        const struct tunable *tunable = step_tunable(bound->space, depth);
        int best = -1, best_distance = 0;
        for (int v = 0; v < tunable->value_count; v++) {
            int distance = v < tunable->otherwise ? tunable->otherwise - v : v - tunable->otherwise;
            if (best >= 0 && distance >= best_distance) continue;
            if (!count_value(&walker, depth, v)) continue;
            best = v;
            best_distance = distance;
        }
        if (best < 0) return; /* no config is legal; space_bind refuses such spaces */
        walker_take(&walker, depth, best, config);
    }
}

struct visit {
    struct walker walker;
    struct config config;
    bool (*function)(void *context, const struct config *config);
    void *context;
};

static bool visit_below(struct visit *visit, int depth)
{
    const struct space *space = visit->walker.bound->space;
    if (depth == space->tunable_count) return visit->function(visit->context, &visit->config);
    const struct tunable *tunable = step_tunable(space, depth);
    for (int v = 0; v < tunable->value_count; v++) {
        if (!count_value(&visit->walker, depth, v)) continue;
        walker_take(&visit->walker, depth, v, &visit->config);
        if (!visit_below(visit, depth + 1)) return false;
    }
    return true;
}

void space_each(const struct bound_space *bound,
                bool (*function)(void *context, const struct config *config), void *context)
{
    struct visit visit = {.function = function, .context = context};
    walker_start(&visit.walker, bound);
    visit_below(&visit, 0);
}
