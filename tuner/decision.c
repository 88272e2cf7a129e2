/* Choosing among records. */
#include "tuner/decision.h"

#include "tuner/measure.h"
#include "tuner/search.h"

#include <math.h>
#include <string.h>

/* Differences below this are not worth a change, and candidates this near to the best may stand for
 * it. */
static const double indifference = 0.01;

/* Half intervals (95 %) that a difference must exceed: one in twenty pairs of equals would be told
 * apart by one, and there are many pairs. */
static const double certainty = 1.6;

/* A record with its candidate. */
struct entry {
    const struct record *record;
    struct candidate candidate; /* not where records alone decide */
};

struct chooser {
    struct bound_space *spaces;
    int space_count;
    struct entry *entries;
    int count;
};

const char *decision_basis_name(enum decision_basis basis)
{
    static const char *const names[] = {[DECISION_REFERENCE] = "reference",
                                        [DECISION_ESTIMATE] = "estimate",
                                        [DECISION_EXPLORED] = "explored",
                                        [DECISION_FINAL] = "final"};
    return names[basis];
}

status decision_bind(const struct catalogue *catalogue, const struct problem *problem,
                     const struct device_facts *facts, const struct decision_policy *policy,
                     struct arena *arena, struct bound_space **spaces, int *count,
                     struct diagnostic *diagnostic)
{
    TRY_NEW(*spaces, arena, catalogue->count + 1, diagnostic);
    *count = 0;
    for (int s = 0; s < catalogue->count; s++) {
        const struct space *space = catalogue->spaces[s];
        const char *reason;
        if (space->fast && !policy->fast) continue;
        if (space_bind(space, problem, facts, arena, &(*spaces)[*count], &reason)) ++*count;
    }
    return STATUS_OK;
}

static const struct bound_space *find_space(const struct bound_space *spaces, int count,
                                            const struct space *space)
{
    for (int s = 0; s < count; s++)
        if (spaces[s].space == space) return &spaces[s];
    return NULL;
}

bool decision_record_counts(const struct bound_space *spaces, int space_count,
                            const struct catalogue *catalogue, const char *compiler,
                            const struct record *record, struct candidate *candidate)
{
    struct diagnostic ignored = {0};
    if (record->protocol != RECORD_PROTOCOL ||
        candidate_parse(catalogue, record->candidate, candidate, &ignored) != STATUS_OK)
        return false;
    if (!candidate->space) return true;
    const struct bound_space *bound = find_space(spaces, space_count, candidate->space);
    return bound && hash_equal(record->source, candidate->space->source) &&
           strcmp(record->compiler, compiler) == 0 && !space_check(bound, &candidate->config);
}

static bool is_same(const struct entry *a, const struct entry *b)
{
    if (a->candidate.space || b->candidate.space)
        return candidate_equal(&a->candidate, &b->candidate);
    return strcmp(a->record->candidate, b->record->candidate) == 0;
}

/* Wrong once is wrong; what crashed or took too long may have been the machine's fault, so the last
 * word counts. */
static bool is_disqualified(const struct chooser *chooser, const struct entry *entry)
{
    bool disqualified = false;
    for (int e = 0; e < chooser->count; e++) {
        if (!is_same(&chooser->entries[e], entry)) continue;
        enum record_status found = chooser->entries[e].record->status;
        if (found == RECORD_MISMATCH || found == RECORD_NONDETERMINISTIC ||
            found == RECORD_OUT_OF_BOUNDS || found == RECORD_TAMPERED)
            return true;
        disqualified = found != RECORD_OK;
    }
    return disqualified;
}

/* ---- By finals ---- */

static bool is_finalist(const struct chooser *chooser, int e, int64_t session)
{
    const struct entry *entry = &chooser->entries[e];
    return entry->record->stage == RECORD_FINAL && entry->record->session == session &&
           entry->record->status == RECORD_OK && !is_disqualified(chooser, entry);
}

static bool last_session(const struct chooser *chooser, int64_t *session)
{
    for (int e = chooser->count - 1; e >= 0; e--) {
        *session = chooser->entries[e].record->session;
        if (is_finalist(chooser, e, *session)) return true;
    }
    return false;
}

static struct summary compare(const struct record *a, const struct record *b)
{
    int count = a->sample_count < b->sample_count ? a->sample_count : b->sample_count;
    return measure_difference(a->samples, b->samples, count);
}

/* Whether finals do not show `entry` to be slower than the best. */
static bool is_equal(const struct entry *entry, const struct entry *best)
{
    if (entry->record->median_seconds > best->record->median_seconds * (1 + indifference))
        return false;
    struct summary lag = compare(entry->record, best->record);
    return lag.median <= certainty * (lag.high - lag.low) / 2;
}

/* Whether the best beats the incumbent by more than noise and the indifference. */
static bool is_beaten(const struct entry *incumbent, const struct entry *best)
{
    struct summary lead = compare(incumbent->record, best->record);
    double noise = lead.high - lead.low; /* twice the half interval */
    return lead.median > fmax(noise, indifference * incumbent->record->median_seconds);
}

static bool comes_first(const struct entry *a, const struct entry *b)
{
    return strcmp(a->record->candidate, b->record->candidate) < 0;
}

static const struct entry *choose_by_finals(const struct chooser *chooser,
                                            struct decision *decision)
{
    int64_t session;
    if (!last_session(chooser, &session)) return NULL;
    const struct entry *best = NULL, *incumbent = NULL, *chosen = NULL;
    for (int e = 0; e < chooser->count; e++) {
        const struct entry *entry = &chooser->entries[e];
        if (!is_finalist(chooser, e, session)) continue;
        if (!best || entry->record->median_seconds < best->record->median_seconds) best = entry;
        if (entry->record->roles & RECORD_INCUMBENT) incumbent = entry;
        if (entry->record->roles & RECORD_DEFAULT)
            decision->default_seconds = entry->record->median_seconds;
    }
    chosen = best;
    for (int e = 0; e < chooser->count; e++)
        if (is_finalist(chooser, e, session) && is_equal(&chooser->entries[e], best) &&
            comes_first(&chooser->entries[e], chosen))
            chosen = &chooser->entries[e];
    if (incumbent && !is_beaten(incumbent, best)) chosen = incumbent;
    decision->candidate = chosen->candidate;
    decision->seconds = chosen->record->median_seconds;
    decision->session = session;
    decision->basis = DECISION_FINAL;
    return chosen;
}

/* ---- By any record, by estimates ---- */

static const struct entry *choose_by_medians(const struct chooser *chooser,
                                             struct decision *decision)
{
    const struct entry *best = NULL;
    for (int e = 0; e < chooser->count; e++) {
        const struct entry *entry = &chooser->entries[e];
        if (entry->record->status != RECORD_OK || is_disqualified(chooser, entry)) continue;
        if (!best || entry->record->median_seconds < best->record->median_seconds) best = entry;
    }
    if (!best) return NULL;
    decision->candidate = best->candidate;
    decision->seconds = best->record->median_seconds;
    decision->basis = DECISION_EXPLORED;
    return best;
}

static status choose_by_estimate(const struct chooser *chooser, struct arena *scratch,
                                 struct decision *decision, struct diagnostic *diagnostic)
{
    enum { LOOKED_AT = 64 }; /* the best may have failed */
    const struct search_field field = {.spaces = chooser->spaces,
                                       .space_count = chooser->space_count};
    struct ranked *ranked;
    int count;
    TRY(search_rank(&field, LOOKED_AT, scratch, &ranked, &count, diagnostic));
    for (int r = 0; r < count; r++) {
        const struct entry entry = {.candidate = ranked[r].candidate};
        if (is_disqualified(chooser, &entry)) continue;
        decision->candidate = ranked[r].candidate;
        decision->seconds = isfinite(ranked[r].seconds) ? ranked[r].seconds : 0;
        decision->basis = DECISION_ESTIMATE;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static status collect(struct chooser *chooser, const struct catalogue *catalogue,
                      const char *compiler, const struct record *records, int count,
                      struct arena *scratch, struct diagnostic *diagnostic)
{
    TRY_NEW(chooser->entries, scratch, count + 1, diagnostic);
    for (int r = 0; r < count; r++) {
        struct candidate candidate;
        if (!decision_record_counts(chooser->spaces, chooser->space_count, catalogue, compiler,
                                    &records[r], &candidate))
            continue;
        chooser->entries[chooser->count++] =
            (struct entry){.record = &records[r], .candidate = candidate};
    }
    return STATUS_OK;
}

status decision_make(const struct catalogue *catalogue, const struct problem *problem,
                     const struct device_facts *facts, const char *compiler,
                     const struct decision_policy *policy, const struct record *records, int count,
                     struct arena *scratch, struct decision *decision,
                     struct diagnostic *diagnostic)
{
    struct chooser chooser = {0};
    *decision = (struct decision){.basis = DECISION_REFERENCE};
    TRY(decision_bind(catalogue, problem, facts, policy, scratch, &chooser.spaces,
                      &chooser.space_count, diagnostic));
    TRY(collect(&chooser, catalogue, compiler, records, count, scratch, diagnostic));
    if (choose_by_finals(&chooser, decision) || choose_by_medians(&chooser, decision) ||
        policy->measured_only)
        return STATUS_OK;
    return choose_by_estimate(&chooser, scratch, decision, diagnostic);
}

status decision_among(const struct record *records, int count, struct arena *scratch,
                      const struct record **chosen, enum decision_basis *basis,
                      struct diagnostic *diagnostic)
{
    struct chooser chooser = {0};
    struct decision decision = {.basis = DECISION_REFERENCE};
    TRY_NEW(chooser.entries, scratch, count + 1, diagnostic);
    for (int r = 0; r < count; r++)
        if (records[r].protocol == RECORD_PROTOCOL)
            chooser.entries[chooser.count++] = (struct entry){.record = &records[r]};
    const struct entry *entry = choose_by_finals(&chooser, &decision);
    if (!entry) entry = choose_by_medians(&chooser, &decision);
    *chosen = entry ? entry->record : NULL;
    *basis = decision.basis;
    return STATUS_OK;
}
