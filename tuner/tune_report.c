/* What a tuned problem's row of the report says. */
#include "base/text.h"
#include "tuner/tune_internal.h"

#include <math.h>

double tune_limit_seconds(const struct problem *problem, const struct device_facts *facts,
                          const struct candidate *candidate)
{
    struct cost cost = problem_cost(problem);
    double cold = 0, memory = facts->values[FACT_read_bandwidth];
    double cache = facts->values[FACT_cache_bandwidth];
    bool bytes = candidate->space && candidate->space->numerics.operand_block > 1;
    double rate = facts->values[bytes ? FACT_integer_rate : FACT_real_rate];
    for (int i = 0; i < problem->input_count; i++)
        if (problem->operands[i].present && problem->operands[i].residency == RESIDENCY_COLD)
            cold += (double)problem_operand_bytes(problem, i);
    cold = fmin(cold, cost.bytes);
    double seconds = memory > 0 ? cold / memory : 0;
    if (cache > 0) seconds += (cost.bytes - cold) / cache;
    return fmax(seconds, rate > 0 ? cost.operations / rate : 0);
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
    row->limit_seconds =
        tune_limit_seconds(session->problem, setup->facts, &row->decision.candidate);
    if (row->decision.basis >= DECISION_EXPLORED)
        row->limit_share = row->limit_seconds / row->decision.seconds;
    if (row->decision.default_seconds > 0)
        row->gain = row->decision.default_seconds / row->decision.seconds;
    count_rejections(session);
    return STATUS_OK;
}
