/* The instant answer for every problem.
 *
 * Tuning looks at decode and at whole prompt chunks.  A bucket between takes the candidate of the nearest tuned bucket that
 * is legal for it, in rows as long as both are prompt-like (kernels for many rows differ little among themselves, those for
 * one row are made for one row), in context always. */
#include "planner/choose.h"

#include "codegen/compile.h"
#include "ir/bucket.h"
#include "tuner/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Estimates are not wrong by more. */
static const double far_off = 3;

static bool is_measured(const struct decision *decision)
{
    return decision->basis == DECISION_EXPLORED || decision->basis == DECISION_FINAL;
}

/* The records under the routing that was measured last, if there are any; times under different routings are not mixed. */
static int keep_last_routing(const struct problem *problem, struct record *records, int count)
{
    int last = count - 1, kept = 0;
    while (last >= 0 && (hash_equal(records[last].problem_key, problem->key) ||
                         records[last].status != RECORD_OK))
        last--;
    if (last < 0) return 0;
    struct hash key = records[last].problem_key;
    for (int r = 0; r < count; r++)
        if (hash_equal(records[r].problem_key, key)) records[kept++] = records[r];
    return kept;
}

/* Experts as a workload routed its tokens tell more than made-up ones. */
static status decide_routed(const struct chooser *chooser, const struct problem *problem,
                            const struct device_facts *facts, struct arena *scratch,
                            struct decision *decision, struct diagnostic *diagnostic)
{
    const struct decision_policy policy = {.fast = chooser->fast, .measured_only = true};
    struct record *records;
    int count;
    *decision = (struct decision){.basis = DECISION_REFERENCE};
    if (!problem->op->experts || !chooser->store) return STATUS_OK;
    TRY(store_routed_records(chooser->store, problem->key, facts->class_name, scratch, &records,
                             &count, diagnostic));
    count = keep_last_routing(problem, records, count);
    if (count == 0) return STATUS_OK;
    return decision_make(chooser->catalogue, problem, facts, compile_identity(facts->target),
                         &policy, records, count, scratch, decision, diagnostic);
}

/* `measured_only`: ranking by estimates takes milliseconds, which neighbours need not. */
static status decide_unrouted(const struct chooser *chooser, const struct problem *problem,
                              const struct device_facts *facts, bool measured_only,
                              struct arena *scratch, struct decision *decision,
                              struct diagnostic *diagnostic)
{
    /* What neighbours were locked to is no answer for another problem. */
    const struct decision_policy policy = {.fast = chooser->fast,
                                           .measured_only = measured_only,
                                           .lock = measured_only ? NULL : chooser->lock};
    struct record *records = NULL;
    int count = 0;
    if (chooser->store)
        TRY(store_records(chooser->store, problem->key, facts->class_name, scratch, &records,
                          &count, diagnostic));
    return decision_make(chooser->catalogue, problem, facts, compile_identity(facts->target),
                         &policy, records, count, scratch, decision, diagnostic);
}

/* Finals first; of two that are alike, those under a routing. */
static status decide(const struct chooser *chooser, const struct problem *problem,
                     const struct device_facts *facts, bool measured_only, struct arena *scratch,
                     struct decision *decision, struct diagnostic *diagnostic)
{
    struct decision routed;
    if (lock_find(chooser->lock, facts->class_name, problem->key))
        return decide_unrouted(chooser, problem, facts, measured_only, scratch, decision,
                               diagnostic);
    TRY(decide_routed(chooser, problem, facts, scratch, &routed, diagnostic));
    *decision = routed;
    if (routed.basis == DECISION_FINAL) return STATUS_OK;
    TRY(decide_unrouted(chooser, problem, facts, measured_only, scratch, decision, diagnostic));
    if (is_measured(&routed) && decision->basis != DECISION_FINAL) *decision = routed;
    return STATUS_OK;
}

/* Whether a neighbour's candidate may answer this problem. */
static bool is_legal(const struct candidate *candidate, const struct problem *problem,
                     const struct device_facts *facts, struct arena *scratch,
                     struct bound_space *bound)
{
    const char *reason;
    if (!candidate->space || !space_bind(candidate->space, problem, facts, scratch, bound, &reason))
        return false;
    const struct rule *broken = space_check(bound, &candidate->config);
    return !broken || broken->class == RULE_SOFT;
}

static status ask_bucket(const struct chooser *chooser, const struct choose_request *request,
                         int64_t rows, int64_t context, struct arena *scratch,
                         struct bound_space *bound, struct choice *choice, bool *found,
                         struct diagnostic *diagnostic)
{
    struct problem *neighbour;
    struct decision decision;
    TRY(problem_create(request->graph, request->node, rows, context, scratch, &neighbour,
                       diagnostic));
    TRY(decide(chooser, neighbour, request->facts, true, scratch, &decision, diagnostic));
    *found = is_measured(&decision) &&
             is_legal(&decision.candidate, request->problem, request->facts, scratch, bound);
    if (*found) *choice = (struct choice){.candidate = decision.candidate};
    return STATUS_OK;
}

/* Nearest rows first, then the smallest context. */
static status ask_neighbours(const struct chooser *chooser, const struct choose_request *request,
                             struct arena *scratch, struct choice *choice,
                             struct diagnostic *diagnostic)
{
    const struct problem *problem = request->problem;
    struct bound_space *bound;
    TRY_NEW(bound, scratch, 1, diagnostic);
    int own = bucket_of_rows(problem->rows), contexts = problem->context ? BUCKET_CONTEXT_COUNT : 1;
    for (int distance = 0; distance < BUCKET_ROW_COUNT; distance++)
        for (int r = 0; r < BUCKET_ROW_COUNT; r++) {
            if (abs(r - own) != distance) continue;
            if (distance && (problem->rows <= CHOOSE_FEW_ROWS || bucket_rows(r) <= CHOOSE_FEW_ROWS))
                continue;
            for (int c = 0; c < contexts; c++) {
                bool found;
                int64_t context = problem->context ? bucket_context(c) : 0;
                TRY(ask_bucket(chooser, request, bucket_rows(r), context, scratch, bound, choice,
                               &found, diagnostic));
                if (found) return STATUS_OK;
            }
        }
    return STATUS_OK;
}

/* How many heads meet a key at once changes the order of their sums, and a slice has fewer: the first config of each space
 * takes them one by one. */
static bool takes_heads(const struct problem *problem)
{
    return strcmp(problem->op->name, "attention") == 0;
}

/* The first variant in the catalogue, with its default config: shapes that differ in outputs or heads only, as slices do,
 * get the same.  What libraries do with a shape is their own affair, so they are left out. */
static status choose_first(const struct chooser *chooser, const struct choose_request *request,
                           struct arena *scratch, struct choice *choice,
                           struct diagnostic *diagnostic)
{
    const struct decision_policy policy = {.fast = false};
    struct bound_space *spaces;
    int count;
    TRY(decision_bind(chooser->catalogue, request->problem, request->facts, &policy, scratch,
                      &spaces, &count, diagnostic));
    for (int s = 0; s < count; s++) {
        if (space_calls_library(spaces[s].space)) continue;
        choice->candidate.space = spaces[s].space;
        if (!takes_heads(request->problem) ||
            !space_unrank(&spaces[s], 0, &choice->candidate.config))
            space_default(&spaces[s], &choice->candidate.config);
        choice->seconds = space_estimate(&spaces[s], &choice->candidate.config);
        if (!isfinite(choice->seconds)) choice->seconds = 0;
        return STATUS_OK;
    }
    return STATUS_OK;
}

status choose_candidate(const struct chooser *chooser, const struct choose_request *request,
                        struct arena *scratch, struct choice *choice, struct diagnostic *diagnostic)
{
    *choice = (struct choice){.candidate = {.space = NULL}};
    if (chooser->references) return STATUS_OK;
    if (chooser->deterministic) return choose_first(chooser, request, scratch, choice, diagnostic);
    struct decision decision;
    TRY(decide(chooser, request->problem, request->facts, false, scratch, &decision, diagnostic));
    *choice = (struct choice){.candidate = decision.candidate,
                              .seconds = decision.seconds,
                              .measured = is_measured(&decision)};
    if (choice->measured || !chooser->store || decision.basis == DECISION_REFERENCE ||
        lock_find(chooser->lock, request->facts->class_name, request->problem->key))
        return STATUS_OK;
    return ask_neighbours(chooser, request, scratch, choice, diagnostic);
}

static bool is_chosen(const struct choice *choices, int count, const struct candidate *candidate)
{
    for (int c = 0; c < count; c++)
        if (candidate_equal(&choices[c].candidate, candidate)) return true;
    return false;
}

status choose_several(const struct chooser *chooser, const struct choose_request *request,
                      const struct choice *chosen, int limit, struct arena *scratch,
                      struct choice **choices, int *count, struct diagnostic *diagnostic)
{
    const struct decision_policy policy = {.fast = chooser->fast};
    struct search_field field = {.spaces = NULL};
    struct ranked *ranked;
    int ranked_count;
    TRY_NEW(*choices, scratch, limit > 1 ? limit : 1, diagnostic);
    (*choices)[0] = *chosen;
    *count = 1;
    if (limit <= 1 || !chosen->candidate.space) return STATUS_OK;
    TRY(decision_bind(chooser->catalogue, request->problem, request->facts, &policy, scratch,
                      &field.spaces, &field.space_count, diagnostic));
    TRY(search_rank(&field, limit, scratch, &ranked, &ranked_count, diagnostic));
    double least = INFINITY;
    for (int r = 0; r < ranked_count; r++) least = fmin(least, ranked[r].seconds);
    for (int r = 0; r < ranked_count && *count < limit; r++) {
        if (ranked[r].seconds > far_off * least ||
            is_chosen(*choices, *count, &ranked[r].candidate))
            continue;
        (*choices)[(*count)++] =
            (struct choice){.candidate = ranked[r].candidate,
                            .seconds = isfinite(ranked[r].seconds) ? ranked[r].seconds : 0};
    }
    return STATUS_OK;
}
