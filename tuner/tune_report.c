/* What a tuned problem's row of the report says. */
#include "base/text.h"
#include "ir/ceiling.h"
#include "tuner/tune_internal.h"

double tune_limit_seconds(const struct problem *problem, const struct device_facts *facts,
                          const struct candidate *candidate)
{
    static const struct numerics exact = {.operand_block = 1};
    const struct numerics *numerics = candidate->space ? &candidate->space->numerics : &exact;
    struct ceiling ceiling = ceiling_of(problem, numerics, facts);
    return ceiling_seconds(&ceiling);
}

void tune_row_limit(struct tune_row *row, const struct device_facts *facts)
{
    row->limit_seconds = tune_limit_seconds(row->problem, facts, &row->decision.candidate);
    if (row->decision.basis >= DECISION_EXPLORED)
        row->limit_share = row->limit_seconds / row->decision.seconds;
}

static void count_rejections(struct session *session)
{
    struct tune_row *row = session->row;
    uint64_t raw = 0, legal_known = 0;
    for (int s = 0; s < session->field.space_count; s++)
        raw += space_raw_count(session->field.spaces[s].space);
    row->configurations = search_count(&session->field);
    row->rejections.rules = raw - row->configurations;
    for (int k = 0; k < session->known_count; k++) {
        const struct known *known = &session->known[k];
        legal_known += known->candidate.space != NULL;
        row->measured += known->fresh;
        row->known += !known->fresh;
        if (!candidate_equal(&known->candidate, &row->decision.candidate))
            row->rejections.by_status[known->status]++;
    }
    row->rejections.untried = row->configurations - legal_known;
}

status session_report(struct session *session, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    struct tune_row *row = session->row;
    struct record *records;
    int count;
    TRY(store_records(setup->store, session->problem->key, setup->facts->class_name, session->arena,
                      &records, &count, diagnostic));
    TRY(decision_make(setup->catalogue, session->problem, setup->facts, setup->compiler,
                      &setup->options.policy, records, count, session->arena, &row->decision,
                      diagnostic));
    if (row->decision.basis >= DECISION_EXPLORED && !session->packed)
        TRY(session_keep_code(session, &row->decision.candidate, diagnostic));
    struct text text = {.arena = session->tuning->arena};
    candidate_print(&row->decision.candidate, &text);
    row->winner = text_finish(&text);
    TRY_MEMORY(row->winner, diagnostic);
    tune_row_limit(row, setup->facts);
    if (row->decision.default_seconds > 0)
        row->gain = row->decision.default_seconds / row->decision.seconds;
    count_rejections(session);
    return STATUS_OK;
}
