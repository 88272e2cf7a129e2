/* Finals: the best candidates, the default and the incumbent side by side, sample by sample. */
#include "tuner/tune_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FINALISTS_MAX = 8
}; /* beside the default, the incumbent and one asked about: slots suffice */

/* Slower ones in the search are not worth a place. */
static const double near_enough = 1.2;

/* By effort.  `seconds` is per candidate. */
static const struct measure_limits final_limits[EFFORT_MOST + 1] = {
    {.seconds = 0.02, .precision = 0.02, .samples_least = 5, .samples_most = 32},
    {.seconds = 0.03, .precision = 0.01, .samples_least = 5, .samples_most = 64},
    {.seconds = 0.06, .precision = 0.005, .samples_least = 7, .samples_most = 128},
    {.seconds = 0.3, .precision = 0.003, .samples_least = 15, .samples_most = 256},
    {.seconds = 0.6, .precision = 0.002, .samples_least = 31, .samples_most = 512},
};

struct finals {
    struct candidate candidates[WORKER_SLOTS];
    int count;
};

static bool is_in(const struct finals *finals, const struct candidate *candidate)
{
    for (int f = 0; f < finals->count; f++)
        if (candidate_equal(&finals->candidates[f], candidate)) return true;
    return false;
}

static int compare_known(const void *a, const void *b)
{
    const struct known *const *x = a, *const *y = b;
    return ((*x)->seconds > (*y)->seconds) - ((*x)->seconds < (*y)->seconds);
}

/* The best of those that were asked about is raced, however slow. */
static void add_searched(const struct session *session, struct finals *finals,
                         const struct known *const *sorted, int good)
{
    for (int g = 0; g < good; g++) {
        const struct candidate *candidate = &sorted[g]->candidate;
        if (!candidate->space || !search_space(&session->field, candidate)) continue;
        if (!is_in(finals, candidate)) finals->candidates[finals->count++] = *candidate;
        return;
    }
}

static status choose_finalists(struct session *session, struct finals *finals,
                               struct diagnostic *diagnostic)
{
    const struct known **sorted;
    int good = 0;
    TRY_NEW(sorted, session->arena, session->known_count + 1, diagnostic);
    for (int k = 0; k < session->known_count; k++)
        if (session->known[k].status == RECORD_OK) sorted[good++] = &session->known[k];
    qsort(sorted, (size_t)good, sizeof *sorted, compare_known);
    for (int g = 0; g < good && finals->count < FINALISTS_MAX; g++)
        if (sorted[g]->seconds <= near_enough * sorted[0]->seconds)
            finals->candidates[finals->count++] = sorted[g]->candidate;
    if (session->tuning->setup->options.searched) add_searched(session, finals, sorted, good);
    for (int f = 0; f < session->first_count; f++) {
        const struct known *known = session_find(session, &session->first[f]);
        if (known && known->status == RECORD_OK && !is_in(finals, &session->first[f]))
            finals->candidates[finals->count++] = session->first[f];
    }
    return STATUS_OK;
}

static bool measured_anything(const struct session *session)
{
    for (int k = 0; k < session->known_count; k++)
        if (session->known[k].fresh) return true;
    return false;
}

/* Whether finals were held after everything else that counts was measured. */
static status are_decided(struct session *session, bool *decided, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    struct record *records;
    int count;
    *decided = false;
    if (measured_anything(session)) return STATUS_OK;
    TRY(store_records(setup->store, session->problem->key, setup->facts->class_name, session->arena,
                      &records, &count, diagnostic));
    for (int r = 0; r < count; r++) {
        struct candidate candidate;
        if (records[r].status == RECORD_OK &&
            decision_record_counts(session->spaces, session->space_count, setup->catalogue,
                                   setup->compiler, &records[r], &candidate))
            *decided = records[r].stage == RECORD_FINAL;
    }
    return STATUS_OK;
}

static void drop(struct finals *finals, int f)
{
    finals->count--;
    memmove(&finals->candidates[f], &finals->candidates[f + 1],
            (size_t)(finals->count - f) * sizeof *finals->candidates);
}

/* Brings every finalist into its slot, checked; those that fail are noted and dropped. */
static status load_finalists(struct session *session, struct finals *finals,
                             struct diagnostic *diagnostic)
{
    for (int f = 0; f < finals->count;) {
        struct outcome outcome;
        void *image;
        size_t bytes;
        double seconds;
        const struct candidate *candidate = &finals->candidates[f];
        TRY(session_image(session, candidate, &image, &bytes, &outcome, diagnostic));
        if (outcome.status == RECORD_OK)
            TRY(worker_check(session->tuning->worker, f, candidate, image, bytes, &seconds,
                             &outcome, diagnostic));
        if (outcome.status == RECORD_OK) {
            f++;
            continue;
        }
        TRY(session_note(session, candidate, &outcome, NULL, 0, RECORD_FINAL, diagnostic));
        drop(finals, f);
    }
    return STATUS_OK;
}

/* When the time is up three rounds must do: they tell more than looks at different times. */
static struct measure_limits limits_of(const struct session *session, int count)
{
    struct measure_limits limits = final_limits[session->tuning->setup->options.effort];
    double left = session->finals_deadline - work_clock_look(&session->tuning->clock);
    limits.seconds *= count;
    if (limits.seconds > left) limits.seconds = left > 0 ? left : 0;
    if (limits.samples_least * count * session->best_seconds > left) limits.samples_least = 3;
    return limits;
}

/* One race.  `again`: somebody failed and was dropped. */
static status race(struct session *session, struct finals *finals, bool *again,
                   struct diagnostic *diagnostic)
{
    struct measure_limits limits = limits_of(session, finals->count);
    struct outcome outcomes[WORKER_SLOTS];
    int slots[WORKER_SLOTS], rounds = 0;
    float *samples;
    TRY_NEW(samples, session->arena, finals->count * limits.samples_most, diagnostic);
    for (int f = 0; f < finals->count; f++) slots[f] = f;
    TRY(worker_race(session->tuning->worker, slots, finals->count, &limits, samples, &rounds,
                    outcomes, diagnostic));
    *again = false;
    for (int f = finals->count - 1; f >= 0; f--) {
        if (outcomes[f].status == RECORD_OK) continue;
        TRY(session_note(session, &finals->candidates[f], &outcomes[f], NULL, 0, RECORD_FINAL,
                         diagnostic));
        drop(finals, f);
        *again = true;
    }
    for (int f = 0; f < finals->count && rounds > 0; f++)
        TRY(session_note(session, &finals->candidates[f], &outcomes[f],
                         samples + f * limits.samples_most, rounds, RECORD_FINAL, diagnostic));
    /* A race that was lost as a whole (nobody to blame) is not run for ever. */
    if (!*again && rounds == 0) finals->count = 0;
    return STATUS_OK;
}

status session_finals(struct session *session, struct diagnostic *diagnostic)
{
    struct finals finals = {.count = 0};
    bool decided, again = true;
    if (work_clock_look(&session->tuning->clock) > session->finals_deadline &&
        !measured_anything(session))
        return STATUS_OK;
    TRY(are_decided(session, &decided, diagnostic));
    if (decided) return STATUS_OK;
    /* Who failed gives its place to somebody who was left out. */
    while (again) {
        finals.count = 0;
        TRY(choose_finalists(session, &finals, diagnostic));
        if (!finals.count) return STATUS_OK;
        TRY(session_prepare(session, diagnostic));
        TRY(load_finalists(session, &finals, diagnostic));
        if (finals.count) TRY(race(session, &finals, &again, diagnostic));
    }
    return STATUS_OK;
}
