/* Measuring again what was decided: whether a store's times still hold on the device here.
 *
 * A sample of the problems with measured decisions is drawn by the seed; each chosen candidate is compiled, checked against
 * the reference and timed as in the finals.  It has drifted when its median lies outside both intervals by more than what a
 * quiet machine differs from one day to the next. */
#ifndef TUNER_VERIFY_CHOICES_H
#define TUNER_VERIFY_CHOICES_H

#include "tuner/tune.h"

enum verify_outcome { VERIFY_HELD, VERIFY_DRIFTED, VERIFY_FAILED };

struct verify_row {
    const char *problem, *candidate;
    enum verify_outcome outcome;
    enum decision_basis basis;
    double then_seconds, then_spread; /* the record's median, and half of its interval */
    double now_seconds, now_spread;   /* 0 where it failed */
    double drift;                     /* now / then - 1 */
    enum record_status status;        /* what became of it now */
    const char *detail;               /* in words where it failed, or "" */
};

struct verify_report {
    struct verify_row *rows;
    int row_count;
    int choices; /* measured decisions for this device, of which the rows are a sample */
    int drifted, failed;
    double
        drift_median; /* over the rows that were timed: what they have in common is the machine's doing */
    bool interrupted, out_of_time;
};

const char *verify_outcome_name(enum verify_outcome outcome);

/* Of `setup`, the problems are not used: they are those of the store.  `most` rows, 0: all. */
CHECKED status verify_choices(const struct tune_setup *setup, const char *op, int most,
                              struct arena *arena, struct verify_report *report,
                              struct diagnostic *diagnostic);

#endif
