/* Experts that a card keeps for a while (docs/expert-cache.md), for whoever runs an executor whose plan has slots for them. */
#ifndef RUNTIME_EXPERT_SLOTS_H
#define RUNTIME_EXPERT_SLOTS_H

#include "runtime/execute.h"
#include "runtime/expert_cache.h"
#include "runtime/expert_misses.h"

/* Slots per layer and card that there are now; 0: none, or the plan has none. */
int executor_expert_slots(const struct executor *executor);

/* Another number of them, 0 up to what the plan has: memory of the card is given back, or taken again.  Slots that stay keep
 * their experts where the card has room for a second home of one matrix meanwhile; else all are empty and fill as they are used.  To be called between steps.  After STATUS_NO_MEMORY there are none, the host computes
 * everything, and a smaller number may be asked for. */
CHECKED status executor_resize_expert_slots(struct executor *executor, int slots,
                                            struct diagnostic *diagnostic);

/* How often experts of layers were used in a record. */
struct expert_record {
    const int *layers; /* [layer_count] virtual ones */
    int layer_count, experts;
    const double *frequencies; /* [layer_count, experts] */
};
/* What is kept from here on (the default at first); `record` NULL: there is none. */
CHECKED status executor_set_expert_policy(struct executor *executor,
                                          const struct expert_policy *policy,
                                          const struct expert_record *record,
                                          struct diagnostic *diagnostic);

/* What misses are divided by, measured when the executor was made; and other values in their place. */
struct miss_times executor_miss_times(const struct executor *executor);
void executor_set_miss_times(struct executor *executor, const struct miss_times *times);

/* Since the executor was made. */
struct expert_counts {
    int64_t asked, hits;       /* experts per layer and step */
    int64_t fetched, computed; /* misses, and the host's share of them */
    int64_t fetched_bytes;
};
struct expert_counts executor_expert_counts(const struct executor *executor);

#endif
