/* Buckets that are tuned: the ones in which a step spends its time.  A workload of prompts and answers runs decode steps
 * (bucket of the sequences) and prompt steps (bucket of the chunk); both in the smallest context bucket, whose winner serves
 * longer contexts until these are tuned for themselves. */
#include "planner/tuning.h"

#include <string.h>

struct listing_problems {
    const struct plan *plan;
    const struct catalogue *catalogue;
    const struct device_facts *facts;
    const struct tuning_options *options;
    int device, decode_bucket, prompt_bucket;
    struct arena *arena;
    struct tune_problem *problems;
    int count;
    size_t capacity;
};

static bool any_variant_answers(const struct listing_problems *listing,
                                const struct problem *problem, struct bound_space *bound)
{
    const char *reason;
    for (int s = 0; s < listing->catalogue->count; s++)
        if (space_bind(listing->catalogue->spaces[s], problem, listing->facts, listing->arena,
                       bound, &reason))
            return true;
    return false;
}

static bool is_wanted(const struct listing_problems *listing, const struct plan_bucket *bucket,
                      int pass)
{
    const struct node *node = &listing->plan->graph->nodes[bucket->node];
    if (node->device != listing->device || bucket->context_bucket != 0) return false;
    if (listing->options->op && strcmp(node->op->name, listing->options->op) != 0) return false;
    return bucket->row_bucket == (pass == 0 ? listing->decode_bucket : listing->prompt_bucket);
}

static struct tune_problem *find_problem(struct listing_problems *listing,
                                         const struct problem *problem)
{
    for (int p = 0; p < listing->count; p++)
        if (hash_equal(listing->problems[p].problem->key, problem->key))
            return &listing->problems[p];
    return NULL;
}

struct visit {
    struct listing_problems *listing;
    struct bound_space *bound; /* scratch */
    int pass;
    double weight; /* of one node in this pass */
};

static status add_bucket(void *context, const struct plan_bucket *bucket,
                         struct diagnostic *diagnostic)
{
    struct visit *visit = context;
    struct listing_problems *listing = visit->listing;
    if (!is_wanted(listing, bucket, visit->pass)) return STATUS_OK;
    struct problem *problem;
    TRY(problem_create(listing->plan->graph, &listing->plan->graph->nodes[bucket->node],
                       bucket->rows, bucket->context, listing->arena, &problem, diagnostic));
    struct tune_problem *known = find_problem(listing, problem);
    if (known) {
        known->weight += visit->weight;
        return STATUS_OK;
    }
    if (!any_variant_answers(listing, problem, visit->bound)) return STATUS_OK;
    TRY_APPEND(listing->problems, listing->count, listing->capacity, listing->arena, diagnostic);
    listing->problems[listing->count - 1] =
        (struct tune_problem){.problem = problem, .weight = visit->weight};
    return STATUS_OK;
}

status tuning_problems(const struct plan *plan, const struct catalogue *catalogue,
                       const struct device_facts *facts, int device,
                       const struct tuning_options *options, struct arena *arena,
                       struct tune_problem **problems, int *count, struct diagnostic *diagnostic)
{
    struct listing_problems listing = {
        .plan = plan,
        .catalogue = catalogue,
        .facts = facts,
        .options = options,
        .device = device,
        .decode_bucket = bucket_of_rows(plan->bounds.sequences),
        .prompt_bucket = bucket_of_rows(plan->bounds.tokens),
        .arena = arena,
    };
    struct visit visit = {.listing = &listing, .weight = 1};
    TRY_NEW(visit.bound, arena, 1, diagnostic);
    TRY(plan_each_bucket(plan, add_bucket, &visit, diagnostic));
    /* One prompt step serves a whole chunk of tokens. */
    visit.pass = 1;
    visit.weight = (double)options->prompt_share / (double)plan->bounds.tokens;
    if (listing.prompt_bucket != listing.decode_bucket)
        TRY(plan_each_bucket(plan, add_bucket, &visit, diagnostic));
    *problems = listing.problems;
    *count = listing.count;
    return STATUS_OK;
}
