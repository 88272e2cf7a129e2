/* Sums of squares by name. */
#include "models/importance.h"

#include <inttypes.h>
#include <string.h>

/* Of the mean cost: what a column costs that no activation reached. */
static const double least_cost = 1e-4;

struct importance_row *importance_find(const struct importance *importance, const char *name)
{
    for (int i = 0; i < importance->count; i++)
        if (!strcmp(importance->rows[i].name, name)) return &importance->rows[i];
    return NULL;
}

static status check_shape(const struct importance_row *row, int64_t columns, int64_t experts,
                          struct diagnostic *diagnostic)
{
    if (row->columns == columns && row->experts == experts) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "the importance of '%.200s' is for %" PRId64 " columns and %" PRId64
                " experts, but there are %" PRId64 " and %" PRId64,
                row->name, row->columns, row->experts, columns, experts);
}

status importance_fit(struct importance *importance, struct importance_row *row, int64_t columns,
                      int64_t experts, struct diagnostic *diagnostic)
{
    if (row->experts == 1 && experts > 1 && row->columns == columns * experts) {
        double count = row->counts[0];
        TRY_NEW(row->counts, importance->arena, experts, diagnostic);
        for (int64_t e = 0; e < experts; e++) row->counts[e] = count;
        row->columns = columns;
        row->experts = experts;
    }
    return check_shape(row, columns, experts, diagnostic);
}

status importance_add(struct importance *importance, const char *name, int64_t columns,
                      int64_t experts, struct importance_row **row, struct diagnostic *diagnostic)
{
    *row = importance_find(importance, name);
    if (*row) return check_shape(*row, columns, experts, diagnostic);
    struct importance_row added = {.columns = columns, .experts = experts};
    added.name = arena_text(importance->arena, name);
    TRY_MEMORY(added.name, diagnostic);
    TRY_NEW(added.sums, importance->arena, columns * experts, diagnostic);
    TRY_NEW(added.counts, importance->arena, experts, diagnostic);
    TRY_APPEND(importance->rows, importance->count, importance->capacity, importance->arena,
               diagnostic);
    *row = &importance->rows[importance->count - 1];
    **row = added;
    return STATUS_OK;
}

void importance_see(struct importance_row *row, int64_t expert, const float *values)
{
    double *sums = row->sums + expert * row->columns;
    for (int64_t c = 0; c < row->columns; c++) sums[c] += (double)values[c] * (double)values[c];
    row->counts[expert]++;
}

/* The mean square of a column: of one expert, or of all. */
static double mean_square(const struct importance_row *row, int64_t expert, int64_t column)
{
    double sum = 0, count = 0;
    bool own = row->counts[expert] > 0;
    for (int64_t e = own ? expert : 0; e < (own ? expert + 1 : row->experts); e++) {
        sum += row->sums[e * row->columns + column];
        count += row->counts[e];
    }
    return count > 0 ? sum / count : 0;
}

void importance_costs(const struct importance_row *row, int64_t expert, float *costs)
{
    double total = 0;
    for (int64_t c = 0; c < row->columns; c++) {
        double cost = mean_square(row, expert, c);
        costs[c] = (float)cost;
        total += cost;
    }
    double scale = total > 0 ? (double)row->columns / total : 0;
    for (int64_t c = 0; c < row->columns; c++)
        costs[c] = scale > 0 ? (float)((double)costs[c] * scale + least_cost) : 1.0f;
}
