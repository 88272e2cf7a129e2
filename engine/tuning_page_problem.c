/* One problem of the report: its row, and from its records the candidates with reasons, their spaces and the search's course. */
#include "engine/explain_rules.h"
#include "engine/tuning_page_internal.h"
#include "ir/ceiling.h"

#include <math.h>
#include <string.h>

/* What a person can look at: the fastest candidates and the first failures; more are counted.  A course longer than this
 * shows its best steps only. */
enum { CANDIDATES_MOST = 400, FAILURES_MOST = 100, COURSE_MOST = 1000 };

/* ---- The row ---- */

static void print_rejected(const struct tune_rejections *rejections, struct page_data *data)
{
    page_data_open(data, "rejected", '{');
    page_data_number(data, "rules", (double)rejections->rules);
    page_data_number(data, "untried", (double)rejections->untried);
    for (int s = 0; s < RECORD_STATUS_COUNT; s++)
        page_data_number(data,
                         s == RECORD_OK ? "slower" : record_status_name((enum record_status)s),
                         (double)rejections->by_status[s]);
    page_data_close(data, '}');
}

static void print_found(const struct tuning_page *page, const struct tune_row *row,
                        struct page_data *data)
{
    static const struct numerics exact = {.operand_block = 1};
    const struct space *space = row->decision.candidate.space;
    const struct numerics *numerics = space ? &space->numerics : &exact;
    struct ceiling ceiling = ceiling_of(row->problem, numerics, page->facts);
    page_data_text(data, "winner", row->winner);
    page_data_text(data, "basis", decision_basis_name(row->decision.basis));
    page_data_number(data, "seconds", row->decision.seconds);
    page_data_number(data, "default", row->decision.default_seconds);
    page_data_number(data, "limit", row->limit_seconds);
    page_data_number(data, "memory", ceiling.memory_seconds);
    page_data_number(data, "arithmetic", ceiling.arithmetic_seconds);
    page_data_number(data, "share", row->limit_share);
    page_data_number(data, "gain", row->gain);
    page_data_number(data, "step", row->step_share);
    page_data_number(data, "expected", row->expected_gain);
    page_data_number(data, "configurations", (double)row->configurations);
    page_data_number(data, "measured", row->measured);
    page_data_number(data, "known", row->known);
    page_data_text(data, "family", ceiling_family_name(ceiling_family_of(numerics)));
    page_data_flag(data, "finished", row->finished);
    page_data_text(data, "note", row->note);
    print_rejected(&row->rejections, data);
}

void tuning_page_row(const struct tuning_page *page, int problem, const char *detail,
                     struct page_data *data)
{
    static const char *const states[] = {"waiting", "tuning", "done"};
    const struct tune_problem *given = &page->setup.setup->problems[problem];
    struct cost cost = problem_cost(given->problem);
    page_data_open(data, NULL, '{');
    page_data_text(data, "problem", given->problem->text);
    page_data_text(data, "op", given->problem->op->name);
    page_data_number(data, "rows", (double)given->problem->rows);
    page_data_number(data, "weight", given->weight);
    page_data_number(data, "operations", cost.operations);
    page_data_number(data, "bytes", cost.bytes);
    page_data_text(data, "state", states[page->problems[problem].state]);
    if (page->report && page->problems[problem].state == PAGE_DONE)
        print_found(page, &page->report->rows[problem], data);
    if (detail) page_data_value(data, "detail", detail);
    page_data_close(data, '}');
}

/* ---- The detail ---- */

static void print_tunable(const struct tunable *tunable, struct page_data *data)
{
    page_data_open(data, NULL, '{');
    page_data_text(data, "name", tunable->name);
    page_data_open(data, "values", '[');
    for (int v = 0; v < tunable->value_count; v++)
        if (tunable->words)
            page_data_text(data, NULL, tunable->words[v]);
        else
            page_data_number(data, NULL, (double)tunable->values[v]);
    page_data_close(data, ']');
    page_data_close(data, '}');
}

static const char *rule_class_name(enum rule_class class)
{
    static const char *const names[] = {"hardware", "algorithm", "soft"};
    return names[class];
}

/* [class, reason, configs that it is the first to exclude] */
static status print_rules(const struct bound_space *bound, struct arena *arena,
                          struct page_data *data, struct diagnostic *diagnostic)
{
    struct explained_rules *found;
    TRY(explain_rules(bound, arena, &found, diagnostic));
    page_data_flag(data, "exact", found->exact);
    page_data_open(data, "rules", '[');
    for (int r = 0; r < bound->space->rule_count; r++) {
        page_data_open(data, NULL, '[');
        page_data_text(data, NULL, rule_class_name(bound->space->rules[r].class));
        page_data_text(data, NULL, bound->space->rules[r].reason);
        page_data_number(data, NULL, found->excluded[r]);
        page_data_close(data, ']');
    }
    page_data_close(data, ']');
    return STATUS_OK;
}

static status print_space(const struct bound_space *bound, struct arena *arena,
                          struct page_data *data, struct diagnostic *diagnostic)
{
    const struct space *space = bound->space;
    page_data_open(data, NULL, '{');
    page_data_text(data, "variant", space->variant);
    page_data_text(data, "numerics", space->numerics.text);
    page_data_number(data, "raw", (double)space_raw_count(space));
    page_data_number(data, "legal", (double)space_count(bound));
    page_data_open(data, "tunables", '[');
    for (int t = 0; t < space->tunable_count; t++) print_tunable(&space->tunables[t], data);
    page_data_close(data, ']');
    TRY(print_rules(bound, arena, data, diagnostic));
    page_data_close(data, '}');
    return STATUS_OK;
}

static status print_spaces(const struct explanation *explanation, struct arena *arena,
                           struct page_data *data, struct diagnostic *diagnostic)
{
    page_data_open(data, "spaces", '[');
    for (int s = 0; s < explanation->space_count; s++)
        TRY(print_space(&explanation->spaces[s], arena, data, diagnostic));
    page_data_close(data, ']');
    return STATUS_OK;
}

/* Which space, and per tunable which of its values. */
static void print_place(const struct tuning_page *page, const struct explanation *explanation,
                        const char *text, struct page_data *data)
{
    struct diagnostic ignored = {0};
    struct candidate candidate = {0};
    if (candidate_parse(page->explaining.catalogue, text, &candidate, &ignored) != STATUS_OK)
        return;
    for (int s = 0; s < explanation->space_count; s++) {
        const struct space *space = explanation->spaces[s].space;
        if (space != candidate.space) continue;
        page_data_number(data, "space", s);
        page_data_open(data, "at", '[');
        for (int t = 0; t < space->tunable_count; t++)
            page_data_number(data, NULL,
                             tunable_index(&space->tunables[t], candidate.config.values[t]));
        page_data_close(data, ']');
    }
}

static void print_candidate(const struct tuning_page *page, const struct explanation *explanation,
                            const struct explained *row, struct page_data *data)
{
    page_data_open(data, NULL, '{');
    page_data_text(data, "name", row->candidate);
    page_data_text(data, "verdict", row->verdict);
    page_data_text(data, "reason", row->reason);
    page_data_number(data, "seconds", row->seconds);
    if (row->record) {
        page_data_number(data, "spread", row->record->spread_seconds);
        page_data_number(data, "samples", row->record->sample_count);
        page_data_text(data, "stage", record_stage_name(row->record->stage));
    }
    print_place(page, explanation, row->candidate, data);
    page_data_close(data, '}');
}

static void print_candidates(const struct tuning_page *page, const struct explanation *explanation,
                             struct page_data *data)
{
    int timed = 0, failed = 0, left_out = 0;
    page_data_open(data, "candidates", '[');
    for (int r = 0; r < explanation->row_count; r++) {
        const struct explained *row = &explanation->rows[r];
        bool is_timed = row->seconds > 0, is_chosen = strcmp(row->verdict, "chosen") == 0;
        int *count = is_timed ? &timed : &failed;
        if (!is_chosen && *count >= (is_timed ? CANDIDATES_MOST : FAILURES_MOST)) {
            left_out++;
            continue;
        }
        ++*count;
        print_candidate(page, explanation, row, data);
    }
    page_data_close(data, ']');
    page_data_number(data, "left_out", left_out);
}

/* [number of the measurement, seconds, 1 in finals]; in the order in which they were taken, failures without a time. */
static void print_course(const struct explanation *explanation, struct page_data *data)
{
    double best = INFINITY;
    page_data_open(data, "course", '[');
    for (int r = 0; r < explanation->record_count; r++) {
        const struct record *record = &explanation->records[r];
        bool good = record->status == RECORD_OK;
        bool better = good && record->median_seconds < best,
             last = r + 1 == explanation->record_count;
        if (better) best = record->median_seconds;
        if (explanation->record_count > COURSE_MOST && !better && !last) continue;
        page_data_open(data, NULL, '[');
        page_data_number(data, NULL, r + 1);
        page_data_number(data, NULL, good ? record->median_seconds : NAN);
        page_data_number(data, NULL, record->stage == RECORD_FINAL);
        page_data_close(data, ']');
    }
    page_data_close(data, ']');
}

status tuning_page_detail(const struct tuning_page *page, int problem, struct arena *arena,
                          const char **detail, struct diagnostic *diagnostic)
{
    struct explanation explanation;
    struct page_data data = {.text = {.arena = arena}};
    TRY(explain_problem(&page->explaining, page->setup.setup->problems[problem].problem, NULL,
                        arena, &explanation, diagnostic));
    page_data_open(&data, NULL, '{');
    page_data_text(&data, "chosen", explanation.chosen);
    page_data_text(&data, "basis", decision_basis_name(explanation.decision.basis));
    page_data_number(&data, "seconds", explanation.decision.seconds);
    TRY(print_spaces(&explanation, arena, &data, diagnostic));
    print_candidates(page, &explanation, &data);
    print_course(&explanation, &data);
    page_data_close(&data, '}');
    *detail = text_finish(&data.text);
    return *detail ? STATUS_OK : fail_memory(diagnostic, data.text.length);
}
