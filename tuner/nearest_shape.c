/* Ordering the records of other problems. */
#include "tuner/nearest_shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PER_PROBLEM = 3 }; /* candidates of each: the next problem tells more than the fourth */

/* In octaves of a size.  Kernels for few rows are other kernels; types choose other variants. */
static const double other_type = 3, other_layout = 2, other_form = 4, other_attribute = 1,
                    other_routing = 0.5, few_rows_against_many = 4, context_octave = 0.25;
enum { FEW_ROWS = 4 };

static double octaves(int64_t a, int64_t b)
{
    return a > 0 && b > 0 ? fabs(log2((double)a) - log2((double)b)) : a != b;
}

static double operand_distance(const struct operand *a, const struct operand *b)
{
    if (a->present != b->present) return other_form;
    if (!a->present) return 0;
    if (a->type.rank != b->type.rank) return other_form;
    double distance = (a->type.element != b->type.element) * other_type +
                      (a->type.layout != b->type.layout) * other_layout;
    for (int d = 0; d < a->type.rank; d++) {
        if (a->type.shape[d].symbol != b->type.shape[d].symbol) distance += other_form;
        distance += octaves(a->type.shape[d].scale, b->type.shape[d].scale);
    }
    return distance;
}

double nearest_shape_distance(const struct problem *a, const struct problem *b)
{
    double distance = octaves(a->rows, b->rows) + context_octave * octaves(a->context, b->context);
    if ((a->rows <= FEW_ROWS) != (b->rows <= FEW_ROWS)) distance += few_rows_against_many;
    for (int i = 0; i < a->input_count; i++) /* outputs follow from them */
        distance += operand_distance(&a->operands[i], &b->operands[i]);
    if (!attributes_equal(a->op, a->attributes, b->attributes)) distance += other_attribute;
    if (memcmp(&a->routing, &b->routing, sizeof a->routing) != 0) distance += other_routing;
    return distance;
}

/* A final of another problem. */
struct example {
    const struct record *record;
    double distance;
};

/* Nearest problem, then fastest. */
static int compare_examples(const void *a, const void *b)
{
    const struct example *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    int problems = strcmp(x->record->problem, y->record->problem);
    if (problems) return problems;
    if (x->record->median_seconds != y->record->median_seconds)
        return x->record->median_seconds < y->record->median_seconds ? -1 : 1;
    return strcmp(x->record->candidate, y->record->candidate);
}

/* Infinite where it is no problem of this operator, or the problem itself. */
static double distance_to(const struct problem *problem, const char *text, struct arena *scratch)
{
    const struct op *const ops[] = {problem->op, NULL};
    struct diagnostic ignored = {0};
    struct problem *other;
    if (problem_parse(text, ops, scratch, &other, &ignored) != STATUS_OK ||
        hash_equal(other->key, problem->key))
        return INFINITY;
    return nearest_shape_distance(problem, other);
}

status nearest_shape_candidates(struct store *store, const struct problem *problem,
                                const char *device_class, struct nearest_order *order,
                                struct arena *arena, struct diagnostic *diagnostic)
{
    struct record *records;
    struct example *examples;
    int count, good = 0, used = 0;
    double distance = INFINITY;
    TRY(store_finals_of_operator(store, problem->op->name, device_class, arena, &records, &count,
                                 diagnostic));
    TRY_NEW(examples, arena, count + 1, diagnostic);
    for (int r = 0; r < count; r++) {
        if (!r || strcmp(records[r].problem, records[r - 1].problem) != 0)
            distance = distance_to(problem, records[r].problem, arena);
        if (records[r].status == RECORD_OK && isfinite(distance))
            examples[good++] = (struct example){&records[r], distance};
    }
    qsort(examples, (size_t)good, sizeof *examples, compare_examples);
    for (int e = 0; e < good; e++) {
        if (e && strcmp(examples[e].record->problem, examples[e - 1].record->problem) != 0)
            used = 0;
        if (used < PER_PROBLEM) used += nearest_take(order, examples[e].record->candidate);
    }
    return STATUS_OK;
}
