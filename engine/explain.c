/* Collected from the same records and by the same rules as the decision itself (tuner/decision.h). */
#include "engine/explain.h"

#include "codegen/compile.h"
#include "engine/engine_internal.h"
#include "tuner/store.h"

#include <stdlib.h>
#include <string.h>

struct explaining {
    struct engine *engine;
    const struct problem *problem;
    const struct device_facts *facts;
    struct arena *arena;
    struct explanation *explanation;
    size_t capacity;
};

int engine_step_image(const struct engine *engine, int step, int64_t tokens)
{
    const struct plan *plan = engine->plan;
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

static struct explained *find_row(struct explanation *explanation, const char *candidate)
{
    for (int r = 0; r < explanation->row_count; r++)
        if (strcmp(explanation->rows[r].candidate, candidate) == 0) return &explanation->rows[r];
    return NULL;
}

static const char *verdict_of(const struct record *record, const char *chosen)
{
    if (strcmp(record->candidate, chosen) == 0) return "chosen";
    return record->status == RECORD_OK ? "slower" : record_status_name(record->status);
}

/* The last record of a candidate is what holds; finals come after exploring. */
static status add_record(struct explaining *explaining, const struct record *record,
                         struct diagnostic *diagnostic)
{
    const struct explained row = {
        .candidate = record->candidate,
        .verdict = verdict_of(record, explaining->explanation->chosen),
        .reason = record->detail,
        .seconds = record->median_seconds,
        .measured = true,
    };
    struct explained *known = find_row(explaining->explanation, record->candidate);
    if (!known) return add_row(explaining, &row, diagnostic);
    *known = row;
    return STATUS_OK;
}

static status add_chosen(struct explaining *explaining, struct diagnostic *diagnostic)
{
    struct explanation *explanation = explaining->explanation;
    if (find_row(explanation, explanation->chosen)) return STATUS_OK;
    const struct explained row = {
        .candidate = explanation->chosen,
        .verdict = "chosen",
        .reason = strcmp(explanation->chosen, "reference") == 0
                      ? "no variant answers, or it is the plan's own choice"
                      : "not measured here: by its estimate, or by a neighbouring bucket's records",
        .seconds = explanation->decision.seconds};
    return add_row(explaining, &row, diagnostic);
}

static status add_variants(struct explaining *explaining, struct diagnostic *diagnostic)
{
    const struct catalogue *catalogue = &explaining->engine->catalogue;
    struct bound_space *bound;
    TRY_NEW(bound, explaining->arena, 1, diagnostic);
    for (int s = 0; s < catalogue->count; s++) {
        const struct space *space = catalogue->spaces[s];
        const char *reason = "";
        bool related = false;
        for (int o = 0; space->ops[o]; o++)
            related = related || space->ops[o] == explaining->problem->op;
        if (!related || space_bind(space, explaining->problem, explaining->facts, explaining->arena,
                                   bound, &reason))
            continue;
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

static status explain_with_store(struct explaining *explaining, struct store *store,
                                 struct diagnostic *diagnostic)
{
    struct explanation *explanation = explaining->explanation;
    const struct decision_policy policy = {0};
    struct record *records;
    int count;
    TRY(store_records(store, explaining->problem->key, explaining->facts->class_name,
                      explaining->arena, &records, &count, diagnostic));
    TRY(decision_make(&explaining->engine->catalogue, explaining->problem, explaining->facts,
                      engine_compiler(explaining->engine, explaining->facts->target), &policy,
                      records, count, explaining->arena, &explanation->decision, diagnostic));
    for (int r = 0; r < count; r++) TRY(add_record(explaining, &records[r], diagnostic));
    TRY(add_chosen(explaining, diagnostic));
    TRY(add_variants(explaining, diagnostic));
    qsort(explanation->rows, (size_t)explanation->row_count, sizeof *explanation->rows, by_merit);
    return STATUS_OK;
}

status engine_explain(struct engine *engine, int step, int64_t tokens, struct arena *arena,
                      struct explanation *explanation, struct diagnostic *diagnostic)
{
    *explanation = (struct explanation){0};
    int image =
        step >= 0 && step < engine->plan->step_count ? engine_step_image(engine, step, tokens) : -1;
    if (image < 0)
        return fail(diagnostic, STATUS_USAGE, "step %d runs no kernel; `hone show` lists the steps",
                    step);
    struct explaining explaining = {
        .engine = engine,
        .problem = engine->plan->images[image].problem,
        .facts = device_facts(engine->devices[engine->plan->steps[step].device]),
        .arena = arena,
        .explanation = explanation,
    };
    explanation->problem = explaining.problem;
    explanation->chosen = engine->plan->images[image].candidate;
    struct store *store;
    TRY(engine_open_store(engine, NULL, &store, diagnostic));
    status code = explain_with_store(&explaining, store, diagnostic);
    store_close(store);
    return code;
}
