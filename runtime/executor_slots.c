/* Expert slots of a bound plan: whose weights lie in them, and how many there are. */
#include "runtime/executor_slots.h"

#include "ir/graph_edit.h"

#include <string.h>

/* ---- Whose weights ---- */

static status not_slots(int s, const char *what, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_BAD_INPUT,
                "plan: step %d resolves experts, but %s; build the plan anew", s, what);
}

static int find_user(const struct graph *graph, const char *op_name, int value, int device)
{
    for (int n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].device == device && graph->nodes[n].inputs[0] == value &&
            node_is(&graph->nodes[n], op_name))
            return n;
    return -1;
}

static const char *stored_name(const struct value *value)
{
    return value->source ? value->source : value->name;
}

/* The weight of those that are sorted by `offsets` whose source is that of `card`. */
static int find_whole(const struct graph *graph, int offsets, const struct value *card)
{
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        if (node_find_input(node, "offsets") != offsets) continue;
        for (int i = 0; i < op_input_count(node->op); i++) {
            int v = node->inputs[i];
            if (v != VALUE_NONE && graph->values[v].kind == VALUE_WEIGHT &&
                strcmp(stored_name(&graph->values[v]), stored_name(card)) == 0)
                return v;
        }
    }
    return VALUE_NONE;
}

static status add_weight(const struct graph *graph, struct slot_group *group, int s, int v,
                         struct diagnostic *diagnostic)
{
    const struct value *card = &graph->values[v];
    for (int w = 0; w < group->weight_count; w++)
        if (group->weights[w].card == v) return STATUS_OK;
    int whole = find_whole(graph, group->offsets, card);
    if (whole == VALUE_NONE || graph->values[whole].device != group->host)
        return not_slots(s, "the host has none of them", diagnostic);
    const struct value *host = &graph->values[whole];
    int64_t symbols[SYMBOL_COUNT] = {0};
    int64_t bytes = tensor_bytes(&card->type, symbols) / group->slots;
    if (card->type.shape[0].scale != group->slots || host->type.shape[0].scale != group->experts ||
        tensor_bytes(&host->type, symbols) != bytes * group->experts ||
        card->type.layout != host->type.layout || card->type.element != host->type.element)
        return not_slots(s, "card and host keep them differently", diagnostic);
    if (group->weight_count == SLOT_WEIGHTS_MAX)
        return not_slots(s, "an expert has more matrices than are known", diagnostic);
    group->weights[group->weight_count++] = (struct slot_weight){v, whole, bytes};
    return STATUS_OK;
}

/* From ids to places, to both dispatches, to the weights whose rows they sort. */
static status find_group(const struct plan *plan, int s, struct slot_group *group,
                         struct diagnostic *diagnostic)
{
    const struct graph *graph = plan->graph;
    const struct node *resolve = &graph->nodes[plan->steps[s].node];
    int places = resolve->outputs[0], card = -1;
    int theirs = find_user(graph, "dispatch", places, resolve->device);
    for (int d = 0; d < plan->device_count && card < 0; d++) {
        int moved = d == resolve->device ? -1 : find_user(graph, "transfer", places, d);
        if (moved >= 0) card = find_user(graph, "dispatch", graph->nodes[moved].outputs[0], d);
    }
    if (theirs < 0 || card < 0) return not_slots(s, "nobody sorts them", diagnostic);
    *group = (struct slot_group){
        .device = graph->nodes[card].device,
        .host = resolve->device,
        .experts = (int)resolve->attributes[attribute_by_name(resolve->op, "experts")].integer,
        .slots = (int)resolve->attributes[attribute_by_name(resolve->op, "slots")].integer,
        .offsets = graph->nodes[theirs].outputs[1]};
    int offsets = graph->nodes[card].outputs[1];
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        if (node_find_input(node, "offsets") != offsets) continue;
        for (int i = 0; i < op_input_count(node->op); i++)
            if (node->inputs[i] != VALUE_NONE &&
                graph->values[node->inputs[i]].kind == VALUE_WEIGHT)
                TRY(add_weight(graph, group, s, node->inputs[i], diagnostic));
    }
    return group->weight_count ? STATUS_OK : not_slots(s, "nobody computes them", diagnostic);
}

static status add_group(struct executor *executor, int s, struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    struct slot_group *group = &slots->groups[slots->group_count];
    TRY(find_group(executor->plan, s, group, diagnostic));
    if (!device_is_host(executor->devices[group->host]))
        return not_slots(s, "no host keeps them", diagnostic);
    int g = 0;
    while (slots->groups[g].weights[0].card != group->weights[0].card) g++;
    slots->group_of_step[s] = g;
    if (g == slots->group_count) slots->group_count++;
    return STATUS_OK;
}

/* ---- What is kept ---- */

static void add_frequencies(const struct expert_record *record, int layer, double *sums)
{
    for (int l = 0; l < record->layer_count; l++)
        for (int e = 0; e < record->experts && record->layers[l] == layer; e++)
            sums[e] += record->frequencies[l * record->experts + e];
}

/* Of all virtual layers that share the group. */
static status sum_frequencies(const struct executor *executor, int g,
                              const struct expert_record *record, struct arena *arena,
                              double **sums, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    const struct slot_group *group = &executor->slots->groups[g];
    *sums = NULL;
    if (!record) return STATUS_OK;
    if (record->experts != group->experts)
        return fail(diagnostic, STATUS_USAGE,
                    "the record is of %d experts per layer, the model has %d", record->experts,
                    group->experts);
    TRY_NEW(*sums, arena, group->experts, diagnostic);
    for (int s = 0; s < plan->step_count; s++)
        if (plan->steps[s].kind == STEP_RESOLVE && executor->slots->group_of_step[s] == g)
            add_frequencies(record, plan->graph->nodes[plan->steps[s].node].layer, *sums);
    return STATUS_OK;
}

/* The new cache of a group, with what its slots hold. */
static status make_cache(const struct executor *executor, int g, const struct expert_policy *policy,
                         const struct expert_record *record, struct arena *arena,
                         struct expert_cache *cache, struct diagnostic *diagnostic)
{
    const struct slot_group *group = &executor->slots->groups[g];
    double *frequencies;
    TRY(sum_frequencies(executor, g, record, arena, &frequencies, diagnostic));
    TRY(expert_cache_create(arena, policy, group->experts, group->slots, frequencies, cache,
                            diagnostic));
    expert_cache_empty(cache, executor->slots->slots);
    for (int s = 0; s < cache->slots && group->cache.expert_of; s++)
        if (group->cache.expert_of[s] >= 0) expert_cache_place(cache, group->cache.expert_of[s], s);
    return STATUS_OK;
}

static status make_caches(struct executor *executor, const struct expert_policy *policy,
                          const struct expert_record *record, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    struct expert_cache *caches;
    TRY_NEW(caches, arena, slots->group_count, diagnostic);
    for (int g = 0; g < slots->group_count; g++)
        TRY(make_cache(executor, g, policy, record, arena, &caches[g], diagnostic));
    for (int g = 0; g < slots->group_count; g++) slots->groups[g].cache = caches[g];
    return STATUS_OK;
}

status executor_set_expert_policy(struct executor *executor, const struct expert_policy *policy,
                                  const struct expert_record *record, struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    if (!slots) return STATUS_OK;
    if (policy->knows_future || (policy->needs_record && !record))
        return fail(diagnostic, STATUS_USAGE, "experts cannot be kept by policy %s%s", policy->name,
                    record ? "" : " without a record");
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = make_caches(executor, policy, record, arena, diagnostic);
    if (code != STATUS_OK) {
        arena_destroy(arena);
        return code;
    }
    arena_destroy(slots->policy_arena);
    slots->policy_arena = arena;
    return STATUS_OK;
}

int executor_expert_slots(const struct executor *executor)
{
    return executor->slots ? executor->slots->slots : 0;
}

struct expert_counts executor_expert_counts(const struct executor *executor)
{
    return executor->slots ? executor->slots->counts : (struct expert_counts){0};
}

/* ---- How many ---- */

static void free_home(struct executor *executor, int value)
{
    struct home *home = &executor->homes[value];
    device_free(executor->devices[executor->plan->graph->values[value].device], home->address,
                home->bytes);
    *home = (struct home){0};
}

void executor_drop_slots(struct executor *executor)
{
    struct expert_slots *slots = executor->slots;
    for (int g = 0; slots && g < slots->group_count; g++)
        for (int w = 0; w < slots->groups[g].weight_count; w++)
            free_home(executor, slots->groups[g].weights[w].card);
    if (slots) slots->slots = 0;
}

/* What is there stays there where the card has room for both homes for a moment. */
static status resize_home(struct executor *executor, const struct slot_group *group,
                          const struct slot_weight *weight, int count, bool *kept,
                          struct diagnostic *diagnostic)
{
    struct device *card = executor->devices[group->device];
    struct home *home = &executor->homes[weight->card], before = *home;
    int64_t bytes = weight->expert_bytes * count;
    int64_t both = before.bytes < bytes ? before.bytes : bytes;
    *kept = *kept && both > 0 && device_memory_limit(card) - device_memory_used(card) >= bytes;
    if (!*kept) free_home(executor, weight->card);
    if (count == 0) return STATUS_OK;
    TRY(device_allocate(card, bytes, &home->address, diagnostic));
    home->bytes = bytes;
    if (!*kept) return STATUS_OK;
    status code = device_copy(card, home->address, card, before.address, both, diagnostic);
    if (code == STATUS_OK) code = executor_finish(executor, diagnostic);
    device_free(card, before.address, before.bytes);
    return code;
}

static status resize_group(struct executor *executor, struct slot_group *group, int count,
                           struct diagnostic *diagnostic)
{
    bool kept = true;
    status code = STATUS_OK;
    for (int w = 0; w < group->weight_count && code == STATUS_OK; w++)
        code = resize_home(executor, group, &group->weights[w], count, &kept, diagnostic);
    if (code == STATUS_OK && kept)
        expert_cache_resize(&group->cache, count);
    else
        expert_cache_empty(&group->cache, count);
    return code;
}

status executor_resize_expert_slots(struct executor *executor, int count,
                                    struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    if (!slots)
        return fail(diagnostic, STATUS_USAGE, "the plan has no expert slots (--expert-slots)");
    if (count < 0 || count > slots->groups[0].slots)
        return fail(diagnostic, STATUS_USAGE, "the plan has %d expert slots per layer, not %d",
                    slots->groups[0].slots, count);
    TRY(executor_finish(executor, diagnostic));
    status code = STATUS_OK;
    for (int g = 0; g < slots->group_count && code == STATUS_OK; g++)
        code = resize_group(executor, &slots->groups[g], count, diagnostic);
    slots->slots = count;
    if (code != STATUS_OK) {
        executor_drop_slots(executor);
        for (int g = 0; g < slots->group_count; g++) expert_cache_empty(&slots->groups[g].cache, 0);
    }
    executor_resolve_operands(executor);
    return code;
}

/* ---- Beginning and end ---- */

static status open_group(struct executor *executor, const struct slot_group *group,
                         struct diagnostic *diagnostic)
{
    struct device **copies = &executor->copies[group->device];
    if (!*copies) TRY(device_open_copies(executor->devices[group->device], copies, diagnostic));
    return device_connect(executor->devices[group->device], executor->devices[group->host],
                          diagnostic);
}

static status allocate_slots(struct executor *executor, int resolves, struct diagnostic *diagnostic)
{
    struct arena *arena = executor->arena;
    TRY_NEW(executor->slots, arena, 1, diagnostic);
    struct expert_slots *slots = executor->slots;
    TRY_NEW(slots->groups, arena, resolves, diagnostic);
    TRY_NEW(slots->group_of_step, arena, executor->plan->step_count, diagnostic);
    return event_create(&slots->arrived, diagnostic);
}

static status allocate_lists(struct executor *executor, struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    int most = 0;
    for (int g = 0; g < slots->group_count; g++)
        if (slots->groups[g].experts > most) most = slots->groups[g].experts;
    TRY_NEW(slots->rows, executor->arena, most, diagnostic);
    TRY_NEW(slots->experts, executor->arena, most, diagnostic);
    TRY_NEW(slots->misses, executor->arena, most, diagnostic);
    TRY_NEW(slots->miss_rows, executor->arena, most, diagnostic);
    return STATUS_OK;
}

status executor_prepare_slots(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    int resolves = 0;
    for (int s = 0; s < plan->step_count; s++) resolves += plan->steps[s].kind == STEP_RESOLVE;
    if (!resolves) return STATUS_OK;
    TRY(allocate_slots(executor, resolves, diagnostic));
    struct expert_slots *slots = executor->slots;
    for (int s = 0; s < plan->step_count; s++)
        if (plan->steps[s].kind == STEP_RESOLVE) TRY(add_group(executor, s, diagnostic));
    TRY(allocate_lists(executor, diagnostic));
    for (int g = 0; g < slots->group_count; g++) {
        if (slots->groups[g].slots != slots->groups[0].slots)
            return not_slots(0, "layers have unlike numbers of slots", diagnostic);
        TRY(open_group(executor, &slots->groups[g], diagnostic));
    }
    slots->slots = slots->groups[0].slots;
    TRY(executor_set_expert_policy(executor, expert_policy_default(), NULL, diagnostic));
    /* The slices that were loaded are those of the first experts. */
    for (int g = 0; g < slots->group_count; g++)
        for (int e = 0; e < slots->slots; e++) expert_cache_place(&slots->groups[g].cache, e, e);
    return executor_measure_misses(executor, diagnostic);
}

void executor_free_slots(struct executor *executor)
{
    if (!executor->slots) return;
    event_destroy(executor->slots->arrived);
    arena_destroy(executor->slots->policy_arena);
}
