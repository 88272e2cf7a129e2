/* A model's budget: the next unit of work goes to the problem that may gain a step the most (tuner/gain.h), until none would
 * gain enough, or the time is up.
 *
 * Without a budget a problem is worked on until it is done, so that whoever interrupts finds the dearest problems finished.
 * With one, problems take turns, and part of the time is kept for the finals of those that are under way. */
#include "tuner/tune_internal.h"

#include <math.h>

/* Of the budget so much is kept for finals while no problem has held any. */
static const double finals_share = 0.25;

struct budget {
    struct tuning *tuning;
    struct session **sessions; /* per problem; NULL: not begun, or over */
    struct gain *gains;
    bool *done;
    int count, under_way; /* under way: measured, finals not held yet */
};

/* Effort 4 looks at everything; effort 3 at what is ten times smaller. */
static double least_gain(const struct tune_options *options)
{
    if (options->effort == EFFORT_MOST) return 0;
    return options->effort == EFFORT_MOST - 1 ? GAIN_LEAST / 10 : GAIN_LEAST;
}

/* Before anything is measured: what the workload took, or an estimate from bytes and operations, whose order matters, not
 * the time. */
static double guess_seconds(const struct tune_problem *problem)
{
    const double bandwidth = 1e10, rate = 1e11, launch = 2e-6;
    struct cost cost = problem_cost(problem->problem);
    if (problem->seconds > 0) return problem->seconds;
    return cost.bytes / bandwidth + cost.operations / rate + launch;
}

static double now(struct tuning *tuning)
{
    return work_clock_look(&tuning->clock);
}

/* What goes wrong with one problem is a note of its row; false where it is the whole run's. */
static bool is_own_failure(struct budget *budget, int p, status code, const char *reason)
{
    struct tuning *tuning = budget->tuning;
    struct tune_row *row = &tuning->report->rows[p];
    if (code != STATUS_NO_MEMORY && code != STATUS_UNSUPPORTED && code != STATUS_FAILED)
        return false;
    row->note = arena_text(tuning->arena, reason);
    if (!row->winner) row->winner = "";
    progress_warn(tuning->setup->options.progress, "not tuned: %s: %s", row->problem->text, reason);
    return true;
}

/* Whatever became of it. */
static void close_problem(struct budget *budget, int p)
{
    struct tuning *tuning = budget->tuning;
    struct session *session = budget->sessions[p];
    if (session && session->course) budget->under_way--;
    session_drop(session);
    budget->sessions[p] = NULL;
    budget->done[p] = true;
    tuning->report->measured += tuning->report->rows[p].measured;
    tuning->report->rows[p].expected_gain = gain_expected(&budget->gains[p]);
    tuning->done++;
    tuning_tell(tuning, p, true);
}

static status guard(struct budget *budget, int p, status code, const struct diagnostic *reason,
                    struct diagnostic *diagnostic)
{
    if (code == STATUS_OK) return STATUS_OK;
    if (!is_own_failure(budget, p, code, reason->text))
        return fail(diagnostic, code, "%s", reason->text);
    close_problem(budget, p);
    return STATUS_OK;
}

static void see_times(struct budget *budget, int p)
{
    const struct session *session = budget->sessions[p];
    struct gain *gain = &budget->gains[p];
    for (int k = 0; k < session->known_count; k++)
        if (session->known[k].status == RECORD_OK &&
            session->known[k].seconds == session->best_seconds)
            gain->limit_seconds = tune_limit_seconds(session->problem, budget->tuning->setup->facts,
                                                     &session->known[k].candidate);
    gain_see(gain, session->best_seconds);
}

/* Finals, and the row. */
static status finish_problem(struct budget *budget, int p, double deadline,
                             struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    status code = session_finish(budget->sessions[p], deadline, &reason);
    TRY(guard(budget, p, code, &reason, diagnostic));
    if (budget->sessions[p]) close_problem(budget, p);
    return STATUS_OK;
}

/* Everything that records know already. */
static status open_problem(struct budget *budget, int p, struct diagnostic *diagnostic)
{
    const struct tune_problem *problem = &budget->tuning->setup->problems[p];
    struct diagnostic reason = {0};
    budget->gains[p] = gain_begin(problem->weight, guess_seconds(problem), 0);
    status code = session_open(budget->tuning, p, &budget->sessions[p], &reason);
    TRY(guard(budget, p, code, &reason, diagnostic));
    const struct session *session = budget->sessions[p];
    if (session && session->searched) return finish_problem(budget, p, INFINITY, diagnostic);
    if (!session || !isfinite(session->best_seconds)) return STATUS_OK;
    budget->gains[p] = gain_begin(problem->weight, session->best_seconds, session->known_count);
    budget->gains[p].measured = true;
    return STATUS_OK;
}

static status work(struct budget *budget, int p, double deadline, struct diagnostic *diagnostic)
{
    struct session *session = budget->sessions[p];
    struct diagnostic reason = {0};
    bool began = session->course != NULL;
    status code = session_work(session, deadline, &reason);
    budget->under_way += !began && session->course;
    TRY(guard(budget, p, code, &reason, diagnostic));
    if (budget->sessions[p]) see_times(budget, p);
    return STATUS_OK;
}

/* When searching must make room for the finals of what is under way. */
static double search_deadline(const struct budget *budget)
{
    const struct tuning *tuning = budget->tuning;
    double all = tuning->deadline - tuning->start;
    return tuning->deadline - finals_share * all * budget->under_way / budget->count;
}

/* Of the time until then, what each problem that is not over may have. */
static double fair_deadline(const struct budget *budget, double deadline)
{
    struct tuning *tuning = budget->tuning;
    double time = now(tuning);
    if (!isfinite(deadline)) return deadline;
    return time + fmax(0, deadline - time) / fmax(1, budget->count - tuning->done);
}

/* Without a budget the problem at hand goes on while it has anything to gain. */
static int next_problem(const struct budget *budget, int at)
{
    double least = least_gain(&budget->tuning->setup->options);
    double step = gain_step_seconds(budget->gains, budget->count);
    if (at >= 0 && !budget->done[at] && !isfinite(budget->tuning->deadline) &&
        gain_expected(&budget->gains[at]) >= least * step)
        return at;
    return gain_pick(budget->gains, budget->done, budget->count, least);
}

static status search_all(struct budget *budget, struct diagnostic *diagnostic)
{
    struct tuning *tuning = budget->tuning;
    for (int p = -1; (p = next_problem(budget, p)) >= 0;) {
        double deadline = search_deadline(budget);
        tuning->report->out_of_time = now(tuning) > deadline;
        if (tuning->report->out_of_time) return STATUS_OK;
        if (budget->sessions[p]->packed) deadline = fair_deadline(budget, deadline);
        TRY(work(budget, p, deadline, diagnostic));
        if (tuning->report->interrupted) return STATUS_OK;
        const struct session *session = budget->sessions[p];
        if (!budget->done[p] && (session->searched || session->packed))
            TRY(finish_problem(budget, p, fair_deadline(budget, tuning->deadline), diagnostic));
    }
    return STATUS_OK;
}

/* Why it was left where it is, where time was not the reason. */
static void note_stop(const struct budget *budget, int p)
{
    const struct session *session = budget->sessions[p];
    const struct tune_report *report = budget->tuning->report;
    if (report->interrupted || report->out_of_time || session->searched) return;
    if (budget->tuning->setup->options.effort == 0) return;
    session->row->finished = true;
    session->row->note = session->known_count ? "searching on is expected to gain too little"
                                              : "too small a part of the step to be searched";
}

/* The finals share what is left of the time, the dearest first. */
static status finish_all(struct budget *budget, struct diagnostic *diagnostic)
{
    struct tuning *tuning = budget->tuning;
    for (int left = budget->count - tuning->done; left > 0; left--) {
        int next = -1;
        double most = -1;
        for (int p = 0; p < budget->count; p++) {
            double seconds = budget->gains[p].weight * budget->gains[p].seconds;
            if (budget->done[p] || seconds <= most) continue;
            next = p;
            most = seconds;
        }
        if (next < 0) return STATUS_OK;
        note_stop(budget, next);
        TRY(finish_problem(budget, next, fair_deadline(budget, tuning->deadline), diagnostic));
    }
    return STATUS_OK;
}

static status tune_all(struct budget *budget, struct diagnostic *diagnostic)
{
    struct tuning *tuning = budget->tuning;
    for (int p = 0; p < budget->count; p++) TRY(open_problem(budget, p, diagnostic));
    if (tuning->setup->options.effort > 0) TRY(search_all(budget, diagnostic));
    TRY(finish_all(budget, diagnostic));
    tuning->report->out_of_time = tuning->report->out_of_time || now(tuning) > tuning->deadline;
    double all = gain_step_seconds(budget->gains, budget->count);
    for (int p = 0; p < budget->count && all > 0; p++)
        tuning->report->expected_gain += gain_expected(&budget->gains[p]) / all;
    return STATUS_OK;
}

status tune_by_gain(struct tuning *tuning, struct diagnostic *diagnostic)
{
    struct budget budget = {.tuning = tuning, .count = tuning->setup->problem_count};
    TRY_NEW(budget.sessions, tuning->arena, budget.count + 1, diagnostic);
    TRY_NEW(budget.gains, tuning->arena, budget.count + 1, diagnostic);
    TRY_NEW(budget.done, tuning->arena, budget.count + 1, diagnostic);
    status code = tune_all(&budget, diagnostic);
    for (int p = 0; p < budget.count; p++) session_drop(budget.sessions[p]);
    return code;
}
