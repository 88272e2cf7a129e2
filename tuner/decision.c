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
    const char *numerics; /* the class that counts; NULL: all */
    bool holds;           /* a lock names what was in use before: */
    struct entry in_use;  /* its record is its last good one, NULL where there is none */
};

const char *decision_basis_name(enum decision_basis basis)
{
    static const char *const names[] = {[DECISION_REFERENCE] = "reference",
                                        [DECISION_ESTIMATE] = "estimate",
                                        [DECISION_EXPLORED] = "explored",
                                        [DECISION_FINAL] = "final"};
    return names[basis];
}

const char *decision_rule_text(enum decision_rule rule)
{
    static const char *const texts[] = {
        [DECIDED_REFERENCE] = "no variant answers",
        [DECIDED_ESTIMATE] = "nothing was measured: the lowest estimate",
        [DECIDED_MEDIAN] = "no finals were held: the lowest median",
        [DECIDED_FASTEST] = "the fastest of the finals",
        [DECIDED_CANONICAL] =
            "as fast as the fastest within noise, and first in the order of names",
        [DECIDED_INCUMBENT] =
            "it was in use before, and nothing beats it by more than noise and a per cent",
        [DECIDED_LOCKED] = "the lock names it"};
    return texts[rule];
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

/* ---- What was in use before ---- */

/* Whether the candidate in use, which was not raced with the best, may be as fast: their intervals and a per cent lie between. */
static bool holds_out(const struct chooser *chooser, const struct entry *best)
{
    const struct record *own = chooser->in_use.record;
    if (!chooser->holds || !own || is_same(&chooser->in_use, best)) return false;
    double lead = own->median_seconds - best->record->median_seconds;
    return lead <=
           own->spread_seconds + best->record->spread_seconds + indifference * own->median_seconds;
}

static void keep_in_use(const struct chooser *chooser, struct decision *decision)
{
    const struct record *own = chooser->in_use.record;
    decision->candidate = chooser->in_use.candidate;
    decision->rule = DECIDED_INCUMBENT;
    decision->basis = DECISION_ESTIMATE;
    decision->seconds = 0;
    if (own) {
        decision->basis = own->stage == RECORD_FINAL ? DECISION_FINAL : DECISION_EXPLORED;
        decision->session = own->session;
        decision->seconds = own->median_seconds;
        return;
    }
    for (int s = 0; s < chooser->space_count; s++)
        if (chooser->spaces[s].space == decision->candidate.space)
            decision->seconds = space_estimate(&chooser->spaces[s], &decision->candidate.config);
    if (!isfinite(decision->seconds)) decision->seconds = 0;
    if (!decision->candidate.space) decision->basis = DECISION_REFERENCE;
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
        if (chooser->holds ? is_same(entry, &chooser->in_use)
                           : (entry->record->roles & RECORD_INCUMBENT) != 0)
            incumbent = entry;
        if (entry->record->roles & RECORD_DEFAULT)
            decision->default_seconds = entry->record->median_seconds;
    }
    chosen = best;
    for (int e = 0; e < chooser->count; e++)
        if (is_finalist(chooser, e, session) && is_equal(&chooser->entries[e], best) &&
            comes_first(&chooser->entries[e], chosen))
            chosen = &chooser->entries[e];
    decision->rule = chosen == best ? DECIDED_FASTEST : DECIDED_CANONICAL;
    if (incumbent && incumbent != chosen && !is_beaten(incumbent, best)) {
        chosen = incumbent;
        decision->rule = DECIDED_INCUMBENT;
    } else if (!incumbent && holds_out(chooser, best)) {
        keep_in_use(chooser, decision);
        return &chooser->in_use;
    }
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
    if (holds_out(chooser, best)) {
        keep_in_use(chooser, decision);
        return &chooser->in_use;
    }
    decision->rule = DECIDED_MEDIAN;
    decision->candidate = best->candidate;
    decision->seconds = best->record->median_seconds;
    decision->basis = DECISION_EXPLORED;
    return best;
}

static status is_in_class(const struct chooser *chooser, const struct candidate *candidate,
                          struct arena *scratch, bool *is_in, struct diagnostic *diagnostic)
{
    struct text text = {.arena = scratch};
    *is_in = true;
    if (!chooser->numerics) return STATUS_OK;
    candidate_numerics(candidate, &text);
    const char *class = text_finish(&text);
    TRY_MEMORY(class, diagnostic);
    *is_in = strcmp(class, chooser->numerics) == 0;
    return STATUS_OK;
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
        bool counts;
        TRY(is_in_class(chooser, &entry.candidate, scratch, &counts, diagnostic));
        if (!counts || is_disqualified(chooser, &entry)) continue;
        decision->rule = DECIDED_ESTIMATE;
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
        bool counts;
        if (!decision_record_counts(chooser->spaces, chooser->space_count, catalogue, compiler,
                                    &records[r], &candidate))
            continue;
        TRY(is_in_class(chooser, &candidate, scratch, &counts, diagnostic));
        if (counts)
            chooser->entries[chooser->count++] =
                (struct entry){.record = &records[r], .candidate = candidate};
    }
    return STATUS_OK;
}

/* Why a locked candidate cannot be used here and now; NULL: it can. */
static const char *find_in_use(struct chooser *chooser, const struct catalogue *catalogue,
                               const struct locked_choice *locked)
{
    struct diagnostic ignored = {0};
    struct entry *own = &chooser->in_use;
    if (candidate_parse(catalogue, locked->candidate, &own->candidate, &ignored) != STATUS_OK)
        return "is not known to this Hone";
    if (own->candidate.space) {
        const struct bound_space *bound =
            find_space(chooser->spaces, chooser->space_count, own->candidate.space);
        if (!bound) return "does not answer this problem here";
        if (!hash_equal(own->candidate.space->source, locked->source))
            return "has another source now";
        if (space_check(bound, &own->candidate.config)) return "is not legal here";
        if (is_disqualified(chooser, own)) return "gave wrong results or crashed here";
    }
    for (int e = 0; e < chooser->count; e++)
        if (chooser->entries[e].record->status == RECORD_OK && is_same(&chooser->entries[e], own) &&
            (!own->record || chooser->entries[e].record->stage >= own->record->stage))
            own->record = chooser->entries[e].record;
    return NULL;
}

static status refuse_lock(const struct choice_lock *lock, const struct problem *problem,
                          const char *candidate, const char *why, struct diagnostic *diagnostic)
{
    return fail(
        diagnostic, STATUS_MISMATCH,
        "%s: for %.400s the lock's %.200s %s; `--lock-mode same-numerics` or `free` chooses "
        "again, `hone compile` with --lock adds what is missing",
        lock->path, problem->text, candidate, why);
}

static status choose_unlocked(const struct chooser *chooser, const struct decision_policy *policy,
                              struct arena *scratch, struct decision *decision,
                              struct diagnostic *diagnostic)
{
    if (choose_by_finals(chooser, decision) || choose_by_medians(chooser, decision))
        return STATUS_OK;
    if (chooser->holds) {
        keep_in_use(chooser, decision);
        return STATUS_OK;
    }
    return policy->measured_only ? STATUS_OK
                                 : choose_by_estimate(chooser, scratch, decision, diagnostic);
}

static status choose_with_lock(struct chooser *chooser, const struct catalogue *catalogue,
                               const struct problem *problem, const struct decision_policy *policy,
                               const struct locked_choice *locked, struct arena *scratch,
                               struct decision *decision, struct diagnostic *diagnostic)
{
    const char *why = find_in_use(chooser, catalogue, locked);
    chooser->holds = !why;
    if (policy->lock->mode == LOCK_LOCKED) {
        if (why) return refuse_lock(policy->lock, problem, locked->candidate, why, diagnostic);
        keep_in_use(chooser, decision);
        decision->rule = DECIDED_LOCKED;
        return STATUS_OK;
    }
    TRY(choose_unlocked(chooser, policy, scratch, decision, diagnostic));
    if (why && policy->lock->mode == LOCK_SAME_NUMERICS && !decision->candidate.space &&
        locked->source.high | locked->source.low)
        return refuse_lock(policy->lock, problem, locked->candidate, why, diagnostic);
    return STATUS_OK;
}

status decision_make(const struct catalogue *catalogue, const struct problem *problem,
                     const struct device_facts *facts, const char *compiler,
                     const struct decision_policy *policy, const struct record *records, int count,
                     struct arena *scratch, struct decision *decision,
                     struct diagnostic *diagnostic)
{
    struct chooser chooser = {0};
    const struct choice_lock *lock = policy->lock;
    const struct locked_choice *locked = lock_find(lock, facts->class_name, problem->key);
    *decision = (struct decision){.basis = DECISION_REFERENCE};
    if (lock && !locked && lock->mode == LOCK_LOCKED && !lock->adds)
        return refuse_lock(lock, problem, "choice", "is missing", diagnostic);
    if (locked && lock->mode == LOCK_SAME_NUMERICS) chooser.numerics = locked->numerics;
    TRY(decision_bind(catalogue, problem, facts, policy, scratch, &chooser.spaces,
                      &chooser.space_count, diagnostic));
    TRY(collect(&chooser, catalogue, compiler, records, count, scratch, diagnostic));
    if (locked)
        return choose_with_lock(&chooser, catalogue, problem, policy, locked, scratch, decision,
                                diagnostic);
    return choose_unlocked(&chooser, policy, scratch, decision, diagnostic);
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
