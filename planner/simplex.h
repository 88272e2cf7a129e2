/* Linear programs of a few hundred rows: least objective . x, with rows of <=, >= or =, and x >= 0.
 *
 * A dense tableau in two phases.  The planner's programs have few rows and some thousand columns, so that a step of a
 * dense tableau costs less than keeping a factorisation; equal programs give equal results, bit for bit. */
#ifndef PLANNER_SIMPLEX_H
#define PLANNER_SIMPLEX_H

#include "base/arena.h"

enum simplex_relation { SIMPLEX_LESS, SIMPLEX_EQUAL, SIMPLEX_GREATER };

struct simplex_row {
    const double *coefficients; /* [columns] */
    enum simplex_relation relation;
    double bound;
};

struct simplex_program {
    int row_count, column_count;
    const struct simplex_row *rows;
    const double *objective; /* [columns] */
};

enum simplex_end {
    SIMPLEX_SOLVED,
    SIMPLEX_IMPOSSIBLE, /* no x meets the rows */
    SIMPLEX_GIVEN_UP    /* unbounded, or more steps than make sense */
};

/* `x[columns]`, `reduced[columns]` (what a unit of a column that is 0 would cost; may be NULL) and `value` are set when it is
 * solved.  Room for the tableau comes from `scratch`, which the caller resets. */
CHECKED status simplex_solve(const struct simplex_program *program, struct arena *scratch,
                             double *x, double *reduced, double *value, enum simplex_end *end,
                             struct diagnostic *diagnostic);

#endif
