/* STEP_RESOLVE: routed experts become places.  All that was enqueued before is done when it runs, so the ids are there and
 * nobody uses a slot: slots are filled over the link while the host computes the rest of the misses. */
#include "runtime/executor_slots.h"

status executor_fetch_expert(struct executor *executor, const struct slot_group *group, int expert,
                             int slot, struct diagnostic *diagnostic)
{
    struct device *queue = executor->copies[group->device] ? executor->copies[group->device]
                                                           : executor->devices[group->device];
    for (int w = 0; w < group->weight_count; w++) {
        const struct slot_weight *weight = &group->weights[w];
        char *to = executor->homes[weight->card].address;
        const char *from = executor->homes[weight->host].address;
        TRY(device_copy(queue, to + slot * weight->expert_bytes, executor->devices[group->host],
                        from + expert * weight->expert_bytes, weight->expert_bytes, diagnostic));
        executor->slots->counts.fetched_bytes += weight->expert_bytes;
    }
    return STATUS_OK;
}

/* The different experts of a step and their rows. */
static int count_rows(struct expert_slots *slots, const struct slot_group *group,
                      const int32_t *ids, int64_t count)
{
    int found = 0;
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= group->experts) continue;
        if (slots->rows[ids[i]]++ == 0) slots->experts[found++] = ids[i];
    }
    return found;
}

/* Those with most rows first. */
static int list_misses(struct expert_slots *slots, const struct slot_group *group, int asked)
{
    int count = 0;
    for (int i = 0; i < asked; i++) {
        const struct asked miss = {slots->experts[i], slots->rows[slots->experts[i]]};
        if (expert_cache_slot(&group->cache, miss.expert) >= 0) continue;
        int at = count++;
        for (; at > 0 && slots->misses[at - 1].rows < miss.rows; at--)
            slots->misses[at] = slots->misses[at - 1];
        slots->misses[at] = miss;
    }
    for (int m = 0; m < count; m++) slots->miss_rows[m] = slots->misses[m].rows;
    return count;
}

static double host_seconds(const struct expert_slots *slots, int misses)
{
    double seconds = 0;
    for (int m = 0; m < misses; m++)
        seconds += slots->times.host_seconds +
                   slots->times.host_row_seconds * (double)(slots->miss_rows[m] - 1);
    return seconds;
}

/* The link of a host that is quicker than it fetches all the same, or its slots would never change; but what the policy wants
 * only, and no longer in sum than the host has computed meanwhile. */
static status fetch_on_credit(struct executor *executor, struct slot_group *group, int misses,
                              int *fetched, struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    group->credit_seconds += host_seconds(slots, misses);
    for (int m = 0; m < misses && group->credit_seconds >= slots->times.fetch_seconds; m++) {
        int expert = slots->misses[m].expert;
        int slot = expert_cache_room(&group->cache, expert, false);
        if (slot < 0) continue;
        TRY(executor_fetch_expert(executor, group, expert, slot, diagnostic));
        expert_cache_place(&group->cache, expert, slot);
        group->credit_seconds = 0;
        ++*fetched;
        break;
    }
    return STATUS_OK;
}

static status fetch_misses(struct executor *executor, struct slot_group *group, int misses,
                           int *fetched, struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    int wanted = divide_misses(&slots->times, slots->miss_rows, misses);
    if (wanted == 0) return fetch_on_credit(executor, group, misses, fetched, diagnostic);
    for (int m = 0; m < misses && *fetched < wanted; m++) {
        int expert = slots->misses[m].expert;
        int slot = expert_cache_room(&group->cache, expert, true);
        if (slot < 0) return STATUS_OK; /* the step needs all that are there */
        TRY(executor_fetch_expert(executor, group, expert, slot, diagnostic));
        expert_cache_place(&group->cache, expert, slot);
        ++*fetched;
    }
    return STATUS_OK;
}

/* The card's work goes on when they are there. */
static status await_fetched(struct executor *executor, const struct slot_group *group,
                            struct diagnostic *diagnostic)
{
    struct device *copies = executor->copies[group->device];
    struct event *arrived = executor->slots->arrived;
    if (!copies) return STATUS_OK;
    event_reset(arrived);
    TRY(device_signal(copies, arrived, diagnostic));
    return device_wait(executor->devices[group->device], arrived, diagnostic);
}

static void write_places(const struct slot_group *group, const int32_t *ids, int64_t count,
                         int32_t *places)
{
    for (int64_t i = 0; i < count; i++) {
        bool known = ids[i] >= 0 && ids[i] < group->experts;
        int slot = known ? expert_cache_slot(&group->cache, ids[i]) : -1;
        places[i] = slot >= 0 ? slot : group->slots + (known ? ids[i] : group->experts);
    }
}

status executor_resolve(struct executor *executor, int s, const struct run *run,
                        struct diagnostic *diagnostic)
{
    struct expert_slots *slots = executor->slots;
    struct slot_group *group = &slots->groups[slots->group_of_step[s]];
    const struct node *node = &executor->plan->graph->nodes[executor->plan->steps[s].node];
    const int32_t *ids = executor->operands[s][0];
    int64_t count =
        tensor_bytes(&executor->plan->graph->values[node->inputs[0]].type, run->symbols) /
        (int64_t)sizeof *ids;
    int asked = count_rows(slots, group, ids, count), fetched = 0;
    expert_cache_request(&group->cache, slots->experts, asked, NULL);
    int misses = list_misses(slots, group, asked);
    for (int i = 0; i < asked; i++) slots->rows[slots->experts[i]] = 0;
    if (misses && slots->slots) TRY(fetch_misses(executor, group, misses, &fetched, diagnostic));
    if (fetched) TRY(await_fetched(executor, group, diagnostic));
    write_places(group, ids, count, executor->operands[s][1]);
    slots->counts.asked += asked;
    slots->counts.hits += asked - misses;
    slots->counts.fetched += fetched;
    slots->counts.computed += misses - fetched;
    return STATUS_OK;
}
