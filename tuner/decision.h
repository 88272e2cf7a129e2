/* Decisions: which candidate to use for a problem on a device, as a pure function of records.
 *
 * 1. The last session that ended in finals decides: among the candidates that no paired difference
 * shows to be slower than the best, and that are within a per cent of it, the first in the order of
 * their texts is taken, so that noise does not turn equals about.  What was in use before stays
 * unless it is beaten by more than noise and a per cent.
 * 2. Without finals: the lowest median of all records.
 * 3. Without records: the lowest estimate.
 *
 * A lock (tuner/choice_lock.h) with a choice for the problem comes before that.  `locked`: its candidate, or an error that says
 * why that cannot be.  `same-numerics`: only candidates of its numerics class count.  In this mode and in `free` its candidate is
 * what was in use before: it stays unless records show another one to be faster by more than noise and a per cent; an estimate is
 * no reason to leave it.
 *
 * Records of other sources, compilers or protocols do not count; candidates with wrong results are
 * never taken. */
#ifndef TUNER_DECISION_H
#define TUNER_DECISION_H

#include "tuner/choice_lock.h"
#include "tuner/record.h"

struct decision_policy {
    bool fast;          /* coarser numerics are allowed (--numerics fast) */
    bool measured_only; /* no answer by estimates: the reference where nothing is measured */
    const struct choice_lock *lock; /* NULL: none */
};

enum decision_basis { DECISION_REFERENCE, DECISION_ESTIMATE, DECISION_EXPLORED, DECISION_FINAL };

/* What settled it. */
enum decision_rule {
    DECIDED_REFERENCE,
    DECIDED_ESTIMATE,
    DECIDED_MEDIAN,
    DECIDED_FASTEST,
    DECIDED_CANONICAL,
    DECIDED_INCUMBENT,
    DECIDED_LOCKED
};

struct decision {
    struct candidate candidate; /* the reference where no variant answers */
    enum decision_basis basis;
    enum decision_rule rule;
    double seconds;         /* measured, or estimated; 0: unknown */
    int64_t session;        /* FINAL: whose finals */
    double default_seconds; /* FINAL: of the default in the same finals; 0: it was not there */
};

CHECKED status decision_make(const struct catalogue *catalogue, const struct problem *problem,
                             const struct device_facts *facts, const char *compiler,
                             const struct decision_policy *policy, const struct record *records,
                             int count, struct arena *scratch, struct decision *decision,
                             struct diagnostic *diagnostic);

/* The spaces that answer the problem under the policy, bound, in `arena`. */
CHECKED status decision_bind(const struct catalogue *catalogue, const struct problem *problem,
                             const struct device_facts *facts, const struct decision_policy *policy,
                             struct arena *arena, struct bound_space **spaces, int *count,
                             struct diagnostic *diagnostic);

/* Whether the record speaks of a candidate as it is now: known variant, same source, compiler and
 * protocol, a legal config. */
bool decision_record_counts(const struct bound_space *spaces, int space_count,
                            const struct catalogue *catalogue, const char *compiler,
                            const struct record *record, struct candidate *candidate);

/* The record whose candidate the same rules choose among the records of one problem and class, whatever version of Hone,
 * source or compiler they are of; NULL when none is good.  For packs of devices that are not here. */
CHECKED status decision_among(const struct record *records, int count, struct arena *scratch,
                              const struct record **chosen, enum decision_basis *basis,
                              struct diagnostic *diagnostic);

const char *decision_rule_text(enum decision_rule rule); /* in words */
const char *decision_basis_name(enum decision_basis basis);

#endif
