/* Listing what stores know of, and comparing what they choose. */
#include "tuner/pack_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As in decisions: less is not worth a word. */
static const double indifference = 0.01;

const char *pack_relation_name(enum pack_relation relation)
{
    static const char *const names[] = {[PACK_SAME] = "same",
                                        [PACK_TIMES] = "times",
                                        [PACK_CHOICES] = "choices",
                                        [PACK_ONLY_A] = "only in A",
                                        [PACK_ONLY_B] = "only in B"};
    return names[relation];
}

bool pack_times_differ(double a, double a_spread, double b, double b_spread)
{
    return fabs(a - b) > a_spread + b_spread + indifference * fmin(a, b);
}

/* ---- Subjects ---- */

struct subjects {
    struct pack_subject *items;
    int count;
    size_t capacity;
    const char *op;
    struct arena *arena;
    status code;
    struct diagnostic *diagnostic;
};

static int compare_subjects(const void *a, const void *b)
{
    const struct pack_subject *x = a, *y = b;
    int problems = strcmp(x->problem, y->problem);
    return problems ? problems : strcmp(x->device_class, y->device_class);
}

/* Sorted, each once. */
static void tidy(struct subjects *subjects)
{
    int kept = 0;
    if (!subjects->count) return;
    qsort(subjects->items, (size_t)subjects->count, sizeof *subjects->items, compare_subjects);
    for (int s = 1; s < subjects->count; s++)
        if (compare_subjects(&subjects->items[kept], &subjects->items[s]) != 0)
            subjects->items[++kept] = subjects->items[s];
    subjects->count = kept + 1;
}

static status add_subject(struct subjects *subjects, const struct record *record)
{
    const struct pack_subject *last =
        subjects->count ? &subjects->items[subjects->count - 1] : NULL;
    /* Records of a session lie together. */
    if (last && strcmp(last->problem, record->problem) == 0 &&
        strcmp(last->device_class, record->device_class) == 0)
        return STATUS_OK;
    TRY_APPEND(subjects->items, subjects->count, subjects->capacity, subjects->arena,
               subjects->diagnostic);
    struct pack_subject *subject = &subjects->items[subjects->count - 1];
    *subject =
        (struct pack_subject){.problem = arena_text(subjects->arena, record->problem),
                              .device_class = arena_text(subjects->arena, record->device_class),
                              .problem_key = record->problem_key};
    TRY_MEMORY(subject->problem, subjects->diagnostic);
    TRY_MEMORY(subject->device_class, subjects->diagnostic);
    return STATUS_OK;
}

static bool take_record(void *context, const struct record *record)
{
    struct subjects *subjects = context;
    size_t length = subjects->op ? strlen(subjects->op) : 0;
    if (length &&
        (strncmp(record->problem, subjects->op, length) != 0 || record->problem[length] != '('))
        return true;
    subjects->code = add_subject(subjects, record);
    return subjects->code == STATUS_OK;
}

status pack_subjects(struct store *const *stores, int store_count, const char *op,
                     struct arena *arena, struct pack_subject **result, int *count,
                     struct diagnostic *diagnostic)
{
    struct subjects subjects = {.op = op, .arena = arena, .diagnostic = diagnostic};
    for (int s = 0; s < store_count; s++) {
        TRY(store_each(stores[s], take_record, &subjects, diagnostic));
        TRY(subjects.code);
    }
    tidy(&subjects);
    *result = subjects.items;
    *count = subjects.count;
    return STATUS_OK;
}

/* ---- Comparing ---- */

static status choose(struct store *store, const struct pack_subject *subject, struct arena *scratch,
                     struct pack_choice *choice, struct diagnostic *diagnostic)
{
    struct record *records;
    const struct record *chosen;
    int count;
    *choice = (struct pack_choice){.basis = DECISION_REFERENCE};
    TRY(store_records(store, subject->problem_key, subject->device_class, scratch, &records, &count,
                      diagnostic));
    TRY(decision_among(records, count, scratch, &chosen, &choice->basis, diagnostic));
    if (!chosen) return STATUS_OK;
    choice->candidate = chosen->candidate;
    choice->seconds = chosen->median_seconds;
    choice->spread = chosen->spread_seconds;
    return STATUS_OK;
}

static enum pack_relation relate(const struct pack_choice *a, const struct pack_choice *b)
{
    if (!a->candidate && !b->candidate) return PACK_SAME; /* failures only, in both */
    if (!a->candidate) return PACK_ONLY_B;
    if (!b->candidate) return PACK_ONLY_A;
    if (strcmp(a->candidate, b->candidate) != 0) return PACK_CHOICES;
    return pack_times_differ(a->seconds, a->spread, b->seconds, b->spread) ? PACK_TIMES : PACK_SAME;
}

static status keep_text(const char **text, struct arena *arena, struct diagnostic *diagnostic)
{
    if (!*text) return STATUS_OK;
    *text = arena_text(arena, *text);
    TRY_MEMORY(*text, diagnostic);
    return STATUS_OK;
}

static status compare_subject(struct store *a, struct store *b, const struct pack_subject *subject,
                              struct arena *scratch, struct arena *arena, struct pack_diff *diff,
                              struct diagnostic *diagnostic)
{
    struct pack_difference row = {.problem = subject->problem,
                                  .device_class = subject->device_class};
    TRY(choose(a, subject, scratch, &row.a, diagnostic));
    TRY(choose(b, subject, scratch, &row.b, diagnostic));
    row.relation = relate(&row.a, &row.b);
    diff->counts[row.relation]++;
    if (row.relation == PACK_SAME) return STATUS_OK;
    if (row.a.candidate && row.b.candidate) row.ratio = row.b.seconds / row.a.seconds;
    TRY(keep_text(&row.a.candidate, arena, diagnostic));
    TRY(keep_text(&row.b.candidate, arena, diagnostic));
    TRY_APPEND(diff->rows, diff->row_count, diff->row_capacity, arena, diagnostic);
    diff->rows[diff->row_count - 1] = row;
    return STATUS_OK;
}

status pack_compare(struct store *a, struct store *b, const char *op, struct arena *arena,
                    struct pack_diff *diff, struct diagnostic *diagnostic)
{
    struct store *const stores[] = {a, b};
    struct pack_subject *subjects;
    int count;
    *diff = (struct pack_diff){0};
    TRY(pack_subjects(stores, 2, op, arena, &subjects, &count, diagnostic));
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = STATUS_OK;
    for (int s = 0; s < count && code == STATUS_OK; s++) {
        code = compare_subject(a, b, &subjects[s], scratch, arena, diff, diagnostic);
        arena_reset(scratch);
    }
    arena_destroy(scratch);
    return code;
}
