/* The two phases on one tableau: columns of the program, of slacks, of artificials, and the right-hand side.
 *
 * Rows are divided by their largest coefficient, so that bytes and seconds can stand side by side.  The column with the
 * best reduced cost enters; when the objective has stood still for a while, the first one that helps (Bland's rule, which
 * cannot cycle). */
#include "planner/simplex.h"

#include <math.h>
#include <string.h>

static const double tolerance = 1e-9;
/* Of coefficients that may be divided by, after rows were scaled to 1. */
static const double pivot_least = 1e-8;

/* Steps without gain after which Bland's rule takes over, and the end of patience per row and column. */
enum { STILL_STEPS_MAX = 50, STEPS_PER_ROW = 60 };

struct tableau {
    int rows, columns; /* columns: without the right-hand side */
    int program_columns, first_artificial;
    int stride;
    double *cells;   /* [rows][stride]; the last column is the right-hand side */
    double *reduced; /* [stride]: reduced costs, and minus the objective */
    int *basis;      /* [rows] */
};

static double *row_of(const struct tableau *tableau, int row)
{
    return tableau->cells + (size_t)row * (size_t)tableau->stride;
}

static void subtract_row(double *from, const double *row, double factor, int count)
{
    if (factor == 0) return;
    for (int i = 0; i < count; i++) from[i] -= factor * row[i];
}

static void pivot(struct tableau *tableau, int row, int column)
{
    double *cells = row_of(tableau, row), inverse = 1 / cells[column];
    for (int i = 0; i < tableau->stride; i++) cells[i] *= inverse;
    cells[column] = 1;
    for (int r = 0; r < tableau->rows; r++) {
        if (r == row) continue;
        double *other = row_of(tableau, r);
        subtract_row(other, cells, other[column], tableau->stride);
        other[column] = 0;
    }
    subtract_row(tableau->reduced, cells, tableau->reduced[column], tableau->stride);
    tableau->reduced[column] = 0;
    tableau->basis[row] = column;
}

static int entering(const struct tableau *tableau, int columns, bool first)
{
    int best = -1;
    double least = -tolerance;
    for (int c = 0; c < columns; c++) {
        if (tableau->reduced[c] >= least) continue;
        best = c;
        if (first) break;
        least = tableau->reduced[c];
    }
    return best;
}

/* The row that binds first; ties go to the smallest basic column. */
static int leaving(const struct tableau *tableau, int column)
{
    int best = -1;
    double least = INFINITY;
    for (int r = 0; r < tableau->rows; r++) {
        const double *cells = row_of(tableau, r);
        if (cells[column] < pivot_least) continue;
        double ratio = cells[tableau->columns] / cells[column];
        if (ratio > least + tolerance) continue;
        if (ratio < least - tolerance || tableau->basis[r] < tableau->basis[best]) best = r;
        least = fmin(least, ratio);
    }
    return best;
}

static enum simplex_end run(struct tableau *tableau, int columns)
{
    int still = 0, limit = STEPS_PER_ROW * tableau->rows + columns;
    for (int step = 0; step < limit; step++) {
        int column = entering(tableau, columns, still > STILL_STEPS_MAX);
        if (column < 0) return SIMPLEX_SOLVED;
        int row = leaving(tableau, column);
        if (row < 0) return SIMPLEX_GIVEN_UP;
        double before = tableau->reduced[tableau->columns];
        pivot(tableau, row, column);
        still = fabs(tableau->reduced[tableau->columns] - before) > tolerance ? 0 : still + 1;
    }
    return SIMPLEX_GIVEN_UP;
}

static double scale_of(const struct simplex_row *row, int columns)
{
    double largest = 0;
    for (int c = 0; c < columns; c++) largest = fmax(largest, fabs(row->coefficients[c]));
    return largest > 0 ? 1 / largest : 1;
}

/* A row with a right-hand side of 0 or more; its slack, and an artificial where no slack can be basic. */
static void set_row(struct tableau *tableau, const struct simplex_program *program, int r,
                    int *next_slack, int *next_artificial)
{
    const struct simplex_row *row = &program->rows[r];
    double *cells = row_of(tableau, r);
    double scale = scale_of(row, program->column_count);
    enum simplex_relation relation = row->relation;
    if (row->bound < 0) {
        scale = -scale;
        relation = relation == SIMPLEX_LESS      ? SIMPLEX_GREATER
                   : relation == SIMPLEX_GREATER ? SIMPLEX_LESS
                                                 : SIMPLEX_EQUAL;
    }
    for (int c = 0; c < program->column_count; c++) cells[c] = scale * row->coefficients[c];
    cells[tableau->columns] = scale * row->bound;
    if (relation != SIMPLEX_EQUAL) {
        cells[*next_slack] = relation == SIMPLEX_LESS ? 1 : -1;
        tableau->basis[r] = (*next_slack)++;
    }
    if (relation == SIMPLEX_LESS) return;
    cells[*next_artificial] = 1;
    tableau->basis[r] = (*next_artificial)++;
}

static status create(const struct simplex_program *program, struct arena *scratch,
                     struct tableau *tableau, struct diagnostic *diagnostic)
{
    int slacks = 0, artificials = 0;
    for (int r = 0; r < program->row_count; r++) {
        const struct simplex_row *row = &program->rows[r];
        slacks += row->relation != SIMPLEX_EQUAL;
        artificials +=
            row->relation == SIMPLEX_EQUAL || (row->relation == SIMPLEX_LESS) == (row->bound < 0);
    }
    tableau->rows = program->row_count;
    tableau->program_columns = program->column_count;
    tableau->first_artificial = program->column_count + slacks;
    tableau->columns = tableau->first_artificial + artificials;
    tableau->stride = tableau->columns + 1;
    TRY_NEW(tableau->cells, scratch, (size_t)tableau->rows * (size_t)tableau->stride, diagnostic);
    TRY_NEW(tableau->reduced, scratch, tableau->stride, diagnostic);
    TRY_NEW(tableau->basis, scratch, tableau->rows, diagnostic);
    int slack = program->column_count, artificial = tableau->first_artificial;
    for (int r = 0; r < tableau->rows; r++) set_row(tableau, program, r, &slack, &artificial);
    return STATUS_OK;
}

/* Reduced costs of an objective under the present basis. */
static void price(struct tableau *tableau, const double *objective, int count)
{
    memset(tableau->reduced, 0, (size_t)tableau->stride * sizeof *tableau->reduced);
    for (int c = 0; c < count; c++) tableau->reduced[c] = objective[c];
    for (int r = 0; r < tableau->rows; r++) {
        int column = tableau->basis[r];
        if (column < count)
            subtract_row(tableau->reduced, row_of(tableau, r), objective[column], tableau->stride);
    }
}

/* Phase one: the sum of the artificials goes to 0. */
static enum simplex_end make_legal(struct tableau *tableau)
{
    memset(tableau->reduced, 0, (size_t)tableau->stride * sizeof *tableau->reduced);
    for (int c = tableau->first_artificial; c < tableau->columns; c++) tableau->reduced[c] = 1;
    for (int r = 0; r < tableau->rows; r++)
        if (tableau->basis[r] >= tableau->first_artificial)
            subtract_row(tableau->reduced, row_of(tableau, r), 1, tableau->stride);
    enum simplex_end end = run(tableau, tableau->columns);
    if (end != SIMPLEX_SOLVED) return end;
    if (-tableau->reduced[tableau->columns] > 1e-6) return SIMPLEX_IMPOSSIBLE;
    /* Artificials that are basic with 0 make room where they can. */
    for (int r = 0; r < tableau->rows; r++) {
        if (tableau->basis[r] < tableau->first_artificial) continue;
        for (int c = 0; c < tableau->first_artificial; c++)
            if (fabs(row_of(tableau, r)[c]) > 1e-6) {
                pivot(tableau, r, c);
                break;
            }
    }
    return SIMPLEX_SOLVED;
}

status simplex_solve(const struct simplex_program *program, struct arena *scratch, double *x,
                     double *reduced, double *value, enum simplex_end *end,
                     struct diagnostic *diagnostic)
{
    struct tableau tableau = {0};
    TRY(create(program, scratch, &tableau, diagnostic));
    *end = make_legal(&tableau);
    if (*end != SIMPLEX_SOLVED) return STATUS_OK;
    price(&tableau, program->objective, program->column_count);
    *end = run(&tableau, tableau.first_artificial);
    if (*end != SIMPLEX_SOLVED) return STATUS_OK;
    memset(x, 0, (size_t)program->column_count * sizeof *x);
    *value = 0;
    if (reduced) memcpy(reduced, tableau.reduced, (size_t)program->column_count * sizeof *reduced);
    for (int r = 0; r < tableau.rows; r++) {
        int column = tableau.basis[r];
        if (column >= program->column_count) continue;
        x[column] = fmax(0, row_of(&tableau, r)[tableau.columns]);
        *value += program->objective[column] * x[column];
    }
    return STATUS_OK;
}
