/* A wrong result outweighs every time; then the last race decides, by differences of samples taken side by side. */
#include "engine/try_verdict.h"

#include "codegen/compile.h"
#include "tuner/measure.h"

#include <math.h>
#include <string.h>

const char *verdict_name(enum verdict_kind kind)
{
    static const char *const names[VERDICT_KINDS] = {
        [VERDICT_ACCEPTED] = "accepted",  [VERDICT_EQUAL] = "equal",
        [VERDICT_SLOWER] = "slower",      [VERDICT_WRONG] = "wrong",
        [VERDICT_FAILED] = "failed",      [VERDICT_UNANSWERED] = "unanswered",
        [VERDICT_UNDECIDED] = "undecided"};
    return names[kind];
}

bool verdict_is_answered(const struct problem *problem, const struct catalogue *tried,
                         const struct device_facts *facts, struct arena *arena)
{
    struct bound_space *bound = arena_allocate(arena, 1, sizeof *bound);
    const char *reason;
    for (int s = 0; bound && s < tried->count; s++)
        if (space_bind(tried->spaces[s], problem, facts, arena, bound, &reason)) return true;
    return false;
}

/* Records of one problem that count, of the folder's variants and of the others. */
struct evidence {
    const struct verdict_setting *setting;
    const struct record *records;
    int count;
    bool *counts, *tried; /* per record */
};

static bool is_wrong(enum record_status outcome)
{
    return outcome == RECORD_MISMATCH || outcome == RECORD_NONDETERMINISTIC ||
           outcome == RECORD_OUT_OF_BOUNDS || outcome == RECORD_TAMPERED;
}

static status collect(struct evidence *evidence, const struct problem *problem, struct arena *arena,
                      struct diagnostic *diagnostic)
{
    const struct verdict_setting *setting = evidence->setting;
    const struct decision_policy policy = {.fast = true}; /* the tuner has seen to it already */
    const char *compiler = compile_identity(setting->facts->target);
    struct record *records;
    struct bound_space *spaces;
    int space_count;
    TRY(decision_bind(setting->all, problem, setting->facts, &policy, arena, &spaces, &space_count,
                      diagnostic));
    TRY(store_records(setting->store, problem->key, setting->facts->class_name, arena, &records,
                      &evidence->count, diagnostic));
    evidence->records = records;
    TRY_NEW(evidence->counts, arena, evidence->count + 1, diagnostic);
    TRY_NEW(evidence->tried, arena, evidence->count + 1, diagnostic);
    for (int r = 0; r < evidence->count; r++) {
        struct candidate candidate;
        evidence->counts[r] = decision_record_counts(spaces, space_count, setting->all, compiler,
                                                     &records[r], &candidate);
        evidence->tried[r] = evidence->counts[r] && candidate.space &&
                             catalogue_find(setting->tried, candidate.space->variant);
    }
    return STATUS_OK;
}

/* The last race in which one of the folder's candidates ran. */
static bool find_race(const struct evidence *evidence, int64_t *session)
{
    for (int r = evidence->count - 1; r >= 0; r--) {
        if (!evidence->tried[r] || evidence->records[r].stage != RECORD_FINAL ||
            evidence->records[r].status != RECORD_OK)
            continue;
        *session = evidence->records[r].session;
        return true;
    }
    return false;
}

static const struct record *best_of(const struct evidence *evidence, int64_t session, bool tried)
{
    const struct record *best = NULL;
    for (int r = 0; r < evidence->count; r++) {
        const struct record *record = &evidence->records[r];
        if (!evidence->counts[r] || evidence->tried[r] != tried || record->session != session ||
            record->stage != RECORD_FINAL || record->status != RECORD_OK)
            continue;
        if (!best || record->median_seconds < best->median_seconds) best = record;
    }
    return best;
}

static status say(struct verdict *verdict, enum verdict_kind kind, const char *reason,
                  struct diagnostic *diagnostic)
{
    TRY_MEMORY(reason, diagnostic);
    verdict->kind = kind;
    verdict->reason = reason;
    return STATUS_OK;
}

static status judge_race(const struct record *mine, const struct record *other, struct arena *arena,
                         struct verdict *verdict, struct diagnostic *diagnostic)
{
    const double indifference = 0.01;
    int count = mine->sample_count < other->sample_count ? mine->sample_count : other->sample_count;
    struct summary lead = measure_difference(other->samples, mine->samples, count);
    verdict->seconds = mine->median_seconds;
    verdict->incumbent_seconds = other->median_seconds;
    verdict->incumbent = other->candidate;
    verdict->gain = lead.median / other->median_seconds;
    verdict->gain_error = (lead.high - lead.low) / 2 / other->median_seconds;
    double certain = fmax(2 * verdict->gain_error, indifference);
    double percent = 100 * fabs(verdict->gain), error = 100 * verdict->gain_error;
    if (verdict->gain > certain)
        return say(verdict, VERDICT_ACCEPTED,
                   arena_print(arena, "it needs %.1f +- %.1f %% less time", percent, error),
                   diagnostic);
    if (verdict->gain < -certain)
        return say(verdict, VERDICT_SLOWER,
                   arena_print(arena, "it needs %.1f +- %.1f %% more time", percent, error),
                   diagnostic);
    return say(verdict, VERDICT_EQUAL,
               arena_print(arena, "the difference of %.1f +- %.1f %% is none to speak of",
                           100 * verdict->gain, error),
               diagnostic);
}

/* The first failure of its kind tells most. */
static status judge_failures(const struct evidence *evidence, struct arena *arena,
                             struct verdict *verdict, struct diagnostic *diagnostic)
{
    for (int r = 0; r < evidence->count; r++) {
        const struct record *record = &evidence->records[r];
        if (!evidence->tried[r] || record->status == RECORD_OK) continue;
        verdict->candidate = record->candidate;
        return say(verdict, VERDICT_FAILED,
                   arena_print(arena, "no config ended well; the first: %s: %s",
                               record_status_meaning(record->status), record->detail),
                   diagnostic);
    }
    return say(verdict, VERDICT_UNDECIDED, "the time was over before it was raced", diagnostic);
}

static status judge_unanswered(const struct verdict_setting *setting, struct arena *arena,
                               struct verdict *verdict, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    struct bound_space *bound;
    TRY_NEW(bound, arena, 1, diagnostic);
    for (int s = 0; s < setting->tried->count; s++) {
        const char *reason = "";
        if (space_bind(setting->tried->spaces[s], verdict->problem, setting->facts, arena, bound,
                       &reason))
            reason = "it needs --numerics fast";
        text_print(&text, "%s%s: %s", s ? "; " : "", setting->tried->spaces[s]->variant, reason);
    }
    return say(verdict, VERDICT_UNANSWERED, text_finish(&text), diagnostic);
}

static const struct record *find_wrong(const struct evidence *evidence)
{
    for (int r = 0; r < evidence->count; r++)
        if (evidence->tried[r] && is_wrong(evidence->records[r].status))
            return &evidence->records[r];
    return NULL;
}

static status judge(const struct evidence *evidence, struct arena *arena, struct verdict *verdict,
                    struct diagnostic *diagnostic)
{
    const struct record *wrong = find_wrong(evidence), *mine = NULL, *other = NULL;
    int64_t session;
    if (wrong) {
        verdict->candidate = wrong->candidate;
        return say(
            verdict, VERDICT_WRONG,
            arena_print(arena, "%s: %s", record_status_meaning(wrong->status), wrong->detail),
            diagnostic);
    }
    if (find_race(evidence, &session)) {
        mine = best_of(evidence, session, true);
        other = best_of(evidence, session, false);
    }
    if (mine) verdict->candidate = mine->candidate;
    if (mine && other) return judge_race(mine, other, arena, verdict, diagnostic);
    if (mine)
        return say(verdict, VERDICT_ACCEPTED, "nothing else answers this problem", diagnostic);
    return judge_failures(evidence, arena, verdict, diagnostic);
}

status verdict_make(const struct verdict_setting *setting, const struct tune_row *row,
                    struct arena *arena, struct verdict *verdict, struct diagnostic *diagnostic)
{
    struct evidence evidence = {.setting = setting};
    *verdict = (struct verdict){.problem = row->problem,
                                .weight = row->weight,
                                .candidate = "",
                                .incumbent = "",
                                .configurations = row->configurations,
                                .measured = row->measured,
                                .rejections = row->rejections};
    if (row->configurations == 0) return judge_unanswered(setting, arena, verdict, diagnostic);
    TRY(collect(&evidence, row->problem, arena, diagnostic));
    return judge(&evidence, arena, verdict, diagnostic);
}

/* Wrong anywhere is wrong, failed anywhere is failed; otherwise the times of all problems together decide. */
void verdict_sum_up(struct try_report *report)
{
    int found[VERDICT_KINDS] = {0};
    double before = 0, after = 0;
    for (int v = 0; v < report->verdict_count; v++) {
        const struct verdict *verdict = &report->verdicts[v];
        found[verdict->kind]++;
        before += verdict->weight * verdict->incumbent_seconds;
        after += verdict->weight * fmin(verdict->seconds, verdict->incumbent_seconds);
    }
    report->gain = before > 0 ? 1 - after / before : 0;
    static const enum verdict_kind order[] = {VERDICT_WRONG,     VERDICT_FAILED, VERDICT_ACCEPTED,
                                              VERDICT_UNDECIDED, VERDICT_EQUAL,  VERDICT_SLOWER};
    report->kind = VERDICT_UNANSWERED;
    for (size_t o = sizeof order / sizeof *order; o-- > 0;)
        if (found[order[o]]) report->kind = order[o];
}
