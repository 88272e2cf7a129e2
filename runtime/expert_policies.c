/* What an expert is worth, by every policy.
 *
 * Between the last use alone and the count of all uses lie sums of uses that fade (Lee et al., "LRFU", 2001).  They are kept
 * as 2^(request / half life), growing instead of fading, so that an expert that is not used need not be touched; and as
 * their logarithm, so that they never overflow. */
#include "runtime/expert_cache.h"

#include <string.h>

static double worth_frequency(const struct expert_use *use)
{
    return use->frequency;
}

static double worth_last(const struct expert_use *use)
{
    return (double)use->last;
}

static double worth_count(const struct expert_use *use)
{
    return use->count;
}

static double worth_recent(const struct expert_use *use)
{
    return use->recent;
}

static double worth_next(const struct expert_use *use)
{
    return -(double)use->next;
}

const struct expert_policy expert_policies[] = {
    {.name = "static",
     .help = "the most frequent ones of the record, always the same",
     .worth = worth_frequency,
     .needs_record = true},
    {.name = "lru", .help = "those used last", .worth = worth_last},
    {.name = "lfu", .help = "those used most often", .worth = worth_count},
    {.name = "faded-16",
     .help = "those used most often, a use losing half its weight in 16 requests",
     .worth = worth_recent,
     .half_life = 16},
    {.name = "faded-64", .help = "the same in 64 requests", .worth = worth_recent, .half_life = 64},
    {.name = "faded-256",
     .help = "the same in 256 requests",
     .worth = worth_recent,
     .half_life = 256},
    {.name = "best", .help = "those of the policy above that would have hit most of late"},
    {.name = "oracle",
     .help = "those used next: what nobody can know, for comparison",
     .worth = worth_next,
     .knows_future = true},
};

const int expert_policy_count = sizeof expert_policies / sizeof *expert_policies;

const struct expert_policy *expert_policy_find(const char *name)
{
    for (int p = 0; p < expert_policy_count; p++)
        if (strcmp(expert_policies[p].name, name) == 0) return &expert_policies[p];
    return NULL;
}

const struct expert_policy *expert_policy_default(void)
{
    return expert_policy_find("best");
}
