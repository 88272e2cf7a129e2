/* Collected from the same records and by the same rules as the decision itself (tuner/decision.h). */
#include "engine/explain.h"

#include "engine/engine_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct explaining {
    const struct explain_setting *setting;
    const struct problem *problem;
    struct arena *arena;
    struct explanation *explanation;
    size_t capacity, slot_count;
    int *slots;       /* rows by their candidates' hashes */
    double best_look; /* the best first look at any candidate */
};

int engine_step_image(const struct engine *engine, int step, int64_t tokens)
{
    const struct plan *plan = plan_schedule(engine->plan, tokens);
    const struct plan_step *described = &plan->steps[step];
    if (described->kind != STEP_LAUNCH) return -1;
    const struct value *first = &plan->graph->values[plan->graph->nodes[described->node].inputs[0]];
    int64_t rows = first->type.shape[0].symbol == SYMBOL_OUTPUTS ? 1 : tokens;
    return plan->choices[described->node][bucket_of_rows(rows)][0];
}

static status add_row(struct explaining *explaining, const struct explained *row,
                      struct diagnostic *diagnostic)
{
    struct explanation *explanation = explaining->explanation;
    TRY_APPEND(explanation->rows, explanation->row_count, explaining->capacity, explaining->arena,
               diagnostic);
    explanation->rows[explanation->row_count - 1] = *row;
    return STATUS_OK;
}

/* Where the row of a candidate is noted, or is to be: its index + 1; 0: there is none. */
static int *find_slot(const struct explaining *explaining, const char *candidate)
{
    const struct explained *rows = explaining->explanation->rows;
    size_t at = (size_t)hash_bytes(candidate, strlen(candidate)).low;
    for (;; at++) {
        int *slot = &explaining->slots[at & (explaining->slot_count - 1)];
        if (!*slot || strcmp(rows[*slot - 1].candidate, candidate) == 0) return slot;
    }
}

/* Searches that look at everything leave tens of thousands of records. */
static status make_slots(struct explaining *explaining, struct diagnostic *diagnostic)
{
    size_t needed = 2 * ((size_t)explaining->explanation->record_count + 1);
    explaining->slot_count = 1;
    while (explaining->slot_count < needed) explaining->slot_count *= 2;
    TRY_NEW(explaining->slots, explaining->arena, explaining->slot_count, diagnostic);
    return STATUS_OK;
}

/* ---- Verdicts ---- */

static bool is_of_finals(const struct explaining *explaining, const struct record *record)
{
    const struct decision *decision = &explaining->explanation->decision;
    return decision->basis == DECISION_FINAL && record->stage == RECORD_FINAL &&
           record->session == decision->session && record->status == RECORD_OK;
}

static bool counts(const struct explaining *explaining, const struct record *record)
{
    const struct explain_setting *setting = explaining->setting;
    const struct explanation *explanation = explaining->explanation;
    struct candidate candidate;
    return decision_record_counts(explanation->spaces, explanation->space_count, setting->catalogue,
                                  setting->compiler, record, &candidate);
}

static const char *why_outdated(const struct explaining *explaining, const struct record *record)
{
    if (strcmp(record->compiler, explaining->setting->compiler) != 0)
        return arena_print(explaining->arena, "measured with %s", record->compiler);
    return "of another version of its variant, or no candidate of this problem any more";
}

/* Why the finals led to this one. */
static const char *why_chosen(const struct explaining *explaining, const struct record *record)
{
    const struct explanation *explanation = explaining->explanation;
    const struct record *best = record;
    int finalists = 0;
    if (explanation->decision.rule >= DECIDED_INCUMBENT)
        return decision_rule_text(explanation->decision.rule);
    if (explanation->decision.basis == DECISION_EXPLORED)
        return "the fastest of those measured; no finals were held";
    if (!is_of_finals(explaining, record)) return "the plan's own choice";
    for (int r = 0; r < explanation->record_count; r++) {
        if (!is_of_finals(explaining, &explanation->records[r])) continue;
        finalists++;
        if (explanation->records[r].median_seconds < best->median_seconds)
            best = &explanation->records[r];
    }
    if (finalists == 1) return "nothing else came near enough for the finals";
    if (best == record)
        return arena_print(explaining->arena, "the fastest of %d side by side", finalists);
    if (record->roles & RECORD_INCUMBENT)
        return "in use before, and not beaten by more than noise and a per cent";
    return arena_print(explaining->arena, "equal to the fastest of %d within noise, first by name",
                       finalists);
}

static double best_look(const struct explanation *explanation)
{
    double best = INFINITY;
    for (int r = 0; r < explanation->record_count; r++)
        if (explanation->records[r].status == RECORD_OK &&
            explanation->records[r].stage == RECORD_EXPLORED)
            best = fmin(best, explanation->records[r].median_seconds);
    return best;
}

/* Times are compared with times of their kind: the machine may have been another at the finals. */
static const char *why_slower(const struct explaining *explaining, const struct record *record)
{
    const struct explanation *explanation = explaining->explanation;
    double chosen = explanation->decision.seconds;
    if (is_of_finals(explaining, record))
        return record->median_seconds < chosen
                   ? "ahead of the chosen one by no more than noise and a per cent"
                   : arena_print(explaining->arena,
                                 "%.3f times the chosen one's time, side by side",
                                 record->median_seconds / chosen);
    if (record->stage == RECORD_FINAL) return "in earlier finals; later ones decided";
    return arena_print(explaining->arena, "%.2f times the best look%s",
                       record->median_seconds / explaining->best_look,
                       explanation->decision.basis == DECISION_FINAL ? "; not in the finals" : "");
}

static const char *verdict_of(const struct explaining *explaining, const struct record *record,
                              const char **why)
{
    *why = "";
    if (strcmp(record->candidate, explaining->explanation->chosen) == 0) {
        *why = why_chosen(explaining, record);
        return "chosen";
    }
    if (!counts(explaining, record)) {
        *why = why_outdated(explaining, record);
        return "outdated";
    }
    if (record->status != RECORD_OK) return record_status_name(record->status);
    *why = why_slower(explaining, record);
    return "slower";
}

/* ---- Rows ---- */

/* The last record of a candidate is what holds; finals come after exploring. */
static status add_record(struct explaining *explaining, const struct record *record,
                         struct diagnostic *diagnostic)
{
    struct explained row = {.candidate = record->candidate,
                            .seconds = record->median_seconds,
                            .measured = true,
                            .record = record};
    row.verdict = verdict_of(explaining, record, &row.reason);
    TRY_MEMORY(row.reason, diagnostic);
    if (*record->detail)
        row.reason = arena_print(explaining->arena, "%s%s%s", row.reason, *row.reason ? "; " : "",
                                 record->detail);
    TRY_MEMORY(row.reason, diagnostic);
    int *slot = find_slot(explaining, record->candidate);
    if (*slot) {
        explaining->explanation->rows[*slot - 1] = row;
        return STATUS_OK;
    }
    TRY(add_row(explaining, &row, diagnostic));
    *slot = explaining->explanation->row_count;
    return STATUS_OK;
}

/* A plan's choice without a record of this problem. */
static const char *why_unmeasured(const struct explaining *explaining)
{
    const struct explanation *explanation = explaining->explanation;
    struct text text = {.arena = explaining->arena};
    candidate_print(&explanation->decision.candidate, &text);
    const char *by_records = text_finish(&text);
    if (strcmp(explanation->chosen, "reference") == 0)
        return explanation->space_count ? "the plan runs references" : "no variant answers";
    if (by_records && strcmp(explanation->chosen, by_records) == 0)
        return "the lowest estimate; nothing of this problem has been measured";
    return "by the records of a neighbouring bucket, or the plan's own rule (--deterministic)";
}

static status add_chosen(struct explaining *explaining, struct diagnostic *diagnostic)
{
    struct explanation *explanation = explaining->explanation;
    if (*find_slot(explaining, explanation->chosen)) return STATUS_OK;
    const struct explained row = {.candidate = explanation->chosen,
                                  .verdict = "chosen",
                                  .reason = why_unmeasured(explaining),
                                  .seconds = explanation->decision.seconds};
    return add_row(explaining, &row, diagnostic);
}

static status add_variants(struct explaining *explaining, struct diagnostic *diagnostic)
{
    const struct explain_setting *setting = explaining->setting;
    struct bound_space *bound;
    TRY_NEW(bound, explaining->arena, 1, diagnostic);
    for (int s = 0; s < setting->catalogue->count; s++) {
        const struct space *space = setting->catalogue->spaces[s];
        const char *reason = "";
        bool related = false;
        for (int o = 0; space->ops[o]; o++)
            related = related || space->ops[o] == explaining->problem->op;
        if (!related) continue;
        if (space_bind(space, explaining->problem, setting->facts, explaining->arena, bound,
                       &reason)) {
            if (!space->fast || setting->policy.fast) continue;
            reason = "coarser than the weights' type: only with --numerics fast";
        }
        const struct explained row = {
            .candidate = space->variant, .verdict = "does not answer", .reason = reason};
        TRY(add_row(explaining, &row, diagnostic));
    }
    return STATUS_OK;
}

static int by_merit(const void *a, const void *b)
{
    const struct explained *first = a, *second = b;
    bool first_timed = first->seconds > 0, second_timed = second->seconds > 0;
    if (first_timed != second_timed) return first_timed ? -1 : 1;
    if (first->seconds != second->seconds) return first->seconds < second->seconds ? -1 : 1;
    return strcmp(first->candidate, second->candidate);
}

status explain_problem(const struct explain_setting *setting, const struct problem *problem,
                       const char *chosen, struct arena *arena, struct explanation *explanation,
                       struct diagnostic *diagnostic)
{
    *explanation = (struct explanation){.problem = problem, .chosen = chosen};
    struct explaining explaining = {
        .setting = setting, .problem = problem, .arena = arena, .explanation = explanation};
    TRY(store_records(setting->store, problem->key, setting->facts->class_name, arena,
                      &explanation->records, &explanation->record_count, diagnostic));
    TRY(decision_bind(setting->catalogue, problem, setting->facts, &setting->policy, arena,
                      &explanation->spaces, &explanation->space_count, diagnostic));
    TRY(decision_make(setting->catalogue, problem, setting->facts, setting->compiler,
                      &setting->policy, explanation->records, explanation->record_count, arena,
                      &explanation->decision, diagnostic));
    struct text text = {.arena = arena};
    candidate_print(&explanation->decision.candidate, &text);
    if (!chosen) explanation->chosen = text_finish(&text);
    TRY_MEMORY(explanation->chosen, diagnostic);
    explaining.best_look = best_look(explanation);
    TRY(make_slots(&explaining, diagnostic));
    for (int r = 0; r < explanation->record_count; r++)
        TRY(add_record(&explaining, &explanation->records[r], diagnostic));
    TRY(add_chosen(&explaining, diagnostic));
    TRY(add_variants(&explaining, diagnostic));
    qsort(explanation->rows, (size_t)explanation->row_count, sizeof *explanation->rows, by_merit);
    return STATUS_OK;
}

status engine_explain(struct engine *engine, int step, int64_t tokens, struct arena *arena,
                      struct explanation *explanation, struct diagnostic *diagnostic)
{
    *explanation = (struct explanation){0};
    const struct plan *plan = plan_schedule(engine->plan, tokens);
    int image = step >= 0 && step < plan->step_count ? engine_step_image(engine, step, tokens) : -1;
    if (image < 0)
        return fail(diagnostic, STATUS_USAGE, "step %d runs no kernel; `hone show` lists the steps",
                    step);
    const struct plan_image *chosen = &plan->images[image];
    struct explain_setting setting = {
        .catalogue = &engine->catalogue,
        .facts = device_facts(engine->devices[plan->steps[step].device]),
        .policy = {.lock = engine->lock},
    };
    setting.compiler = engine_compiler(engine, setting.facts->target);
    TRY(engine_open_store(engine, NULL, &setting.store, diagnostic));
    status code = explain_problem(&setting, chosen->problem, chosen->candidate, arena, explanation,
                                  diagnostic);
    store_close(setting.store);
    return code;
}
