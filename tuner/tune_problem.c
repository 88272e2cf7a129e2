/* Tuning one problem: what is known, the search, the finals, the row of the report. */
#include "base/clock.h"
#include "runtime/threads.h"
#include "tuner/nearest_shape.h"
#include "tuner/tune_internal.h"

#include <math.h>
#include <unistd.h>

struct known *session_find(struct session *session, const struct candidate *candidate)
{
    for (int k = 0; k < session->known_count; k++)
        if (candidate_equal(&session->known[k].candidate, candidate)) return &session->known[k];
    return NULL;
}

const struct tune_packed *session_packed(const struct session *session,
                                         const struct candidate *candidate)
{
    for (int p = 0; p < session->packed_count; p++)
        if (candidate_equal(&session->packed[p].candidate, candidate)) return &session->packed[p];
    return NULL;
}

/* A number that no other session has. */
static int64_t new_id(void)
{
    const int64_t parts[] = {clock_nanoseconds(), clock_wall_seconds(), getpid()};
    return (int64_t)(hash_bytes(parts, sizeof parts).low >> 1);
}

/* Of several records of one candidate the longest counts, and a failure more than any time. */
static status remember(struct session *session, const struct record *record,
                       const struct candidate *candidate, struct diagnostic *diagnostic)
{
    struct known *known = session_find(session, candidate);
    if (!known) {
        TRY_APPEND(session->known, session->known_count, session->known_capacity, session->arena,
                   diagnostic);
        known = &session->known[session->known_count - 1];
        known->candidate = *candidate;
    } else if (known->status != RECORD_OK ||
               (record->status == RECORD_OK && record->sample_count < known->samples)) {
        return STATUS_OK;
    }
    known->status = record->status;
    known->seconds = record->median_seconds;
    known->samples = record->sample_count;
    return STATUS_OK;
}

/* All variants, or, where only some are searched, those that they are to beat. */
static status catalogue_of_others(const struct session *session, struct catalogue *others,
                                  struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    const struct space **spaces;
    *others = *setup->catalogue;
    if (!setup->options.searched) return STATUS_OK;
    TRY_NEW(spaces, session->arena, setup->catalogue->count + 1, diagnostic);
    *others = (struct catalogue){.spaces = spaces};
    for (int s = 0; s < setup->catalogue->count; s++)
        if (!catalogue_find(setup->options.searched, setup->catalogue->spaces[s]->variant))
            spaces[others->count++] = setup->catalogue->spaces[s];
    return STATUS_OK;
}

/* The choice without records, and the one that they lead to. */
static status choose_first(struct session *session, const struct record *records, int count,
                           struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    struct decision usual, before;
    session->field.first = session->first;
    if (session->packed) {
        session->first[session->first_count++] = session->packed[0].candidate;
        session->field.first_count = session->first_count;
        return STATUS_OK;
    }
    struct catalogue others;
    TRY(catalogue_of_others(session, &others, diagnostic));
    TRY(decision_make(&others, session->problem, setup->facts, setup->compiler,
                      &setup->options.policy, NULL, 0, session->arena, &usual, diagnostic));
    TRY(decision_make(&others, session->problem, setup->facts, setup->compiler,
                      &setup->options.policy, records, count, session->arena, &before, diagnostic));
    session->first[session->first_count++] = usual.candidate;
    session->has_incumbent = before.basis >= DECISION_EXPLORED;
    if (session->has_incumbent && !candidate_equal(&usual.candidate, &before.candidate))
        session->first[session->first_count++] = before.candidate;
    session->field.first_count = session->first_count;
    return STATUS_OK;
}

static status recall(struct session *session, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    struct record *records;
    int count;
    TRY(store_records(setup->store, session->problem->key, setup->facts->class_name, session->arena,
                      &records, &count, diagnostic));
    for (int r = 0; r < count; r++) {
        struct candidate candidate;
        if (decision_record_counts(session->spaces, session->space_count, setup->catalogue,
                                   setup->compiler, &records[r], &candidate) &&
            (!session->packed || session_packed(session, &candidate)))
            TRY(remember(session, &records[r], &candidate, diagnostic));
    }
    for (int k = 0; k < session->known_count; k++)
        if (session->known[k].status == RECORD_OK)
            session->best_seconds = fmin(session->best_seconds, session->known[k].seconds);
    return choose_first(session, records, count, diagnostic);
}

static void report_progress(const struct session *session, uint64_t asked, uint64_t planned)
{
    const struct tuning *tuning = session->tuning;
    const struct progress *progress = tuning->setup->options.progress;
    double part = planned ? fmin(1, (double)asked / (double)planned) : 0;
    double done = tuning->done + part, total = tuning->setup->problem_count;
    double now = work_clock_look(&session->tuning->clock), elapsed = now - tuning->start;
    double left = done > 0.5 ? elapsed / done * (total - done) : -1;
    if (isfinite(tuning->deadline)) {
        double budget = tuning->deadline - now;
        if (left < 0 || left > budget) left = budget;
    }
    const struct progress_state state = {.stage = "tuning",
                                         .detail = session->problem->text,
                                         .done = done,
                                         .total = total,
                                         .seconds_left = left};
    progress_update(progress, &state);
}

/* What records say is not measured again; a closer look needs as many samples. */
static bool is_known(struct session *session, const struct search_request *request,
                     struct search_result *result)
{
    const struct known *known = session_find(session, &request->candidate);
    if (!known) return false;
    *result = (struct search_result){.good = known->status == RECORD_OK, .seconds = known->seconds};
    return known->status != RECORD_OK || request->level == 0 ||
           known->samples >= level_samples(request->level);
}

/* Keeps the compilers busy with what will be asked for whatever the next measurements say. */
static status compile_ahead(struct session *session, const struct search *course,
                            struct diagnostic *diagnostic)
{
    enum { AHEAD_MAX = 64 };
    const struct tune_setup *setup = session->tuning->setup;
    struct candidate candidates[AHEAD_MAX];
    if (!session->tuning->pool) return STATUS_OK;
    int most = 2 * thread_count_default(),
        count = search_ahead(course, candidates, most < AHEAD_MAX ? most : AHEAD_MAX);
    for (int c = 0; c < count; c++) {
        const struct generation generation = {.space = candidates[c].space,
                                              .problem = session->problem,
                                              .config = &candidates[c].config,
                                              .facts = setup->facts};
        if (!candidates[c].space || space_calls_library(candidates[c].space) ||
            session_find(session, &candidates[c]))
            continue;
        TRY(compile_pool_add(session->tuning->pool, &generation, diagnostic));
    }
    return compile_pool_tend(session->tuning->pool, diagnostic);
}

/* Until it is over, the unit is used up, or the time is. */
static status search_on(struct session *session, struct diagnostic *diagnostic)
{
    const struct tune_options *options = &session->tuning->setup->options;
    struct search *course = session->course;
    struct search_request request;
    uint64_t planned = search_limit(&session->field);
    while (search_ask(course, &request)) {
        struct search_result result;
        if (!is_known(session, &request, &result)) {
            if (progress_interrupted(options->progress)) {
                session->tuning->report->interrupted = true;
                return STATUS_OK;
            }
            report_progress(session, (uint64_t)session->known_count, planned);
            TRY(compile_ahead(session, course, diagnostic));
            TRY(session_measure(session, &request.candidate, request.level, diagnostic));
            tuning_tell(session->tuning, session->problem_index, false);
            const struct known *known = session_find(session, &request.candidate);
            result = (struct search_result){.good = known->status == RECORD_OK,
                                            .seconds = known->seconds};
            session->unit--;
        }
        search_tell(course, &request, &result);
        if (session->unit <= 0 || work_clock_look(&session->tuning->clock) > session->deadline)
            return STATUS_OK;
    }
    session->searched = session->row->finished = true;
    return STATUS_OK;
}

/* What records say comes first and costs nothing: the strategy learns from it, and it counts towards the effort, so that
 * tuning again measures nothing again. */
static status bring_known(struct session *session, struct diagnostic *diagnostic)
{
    struct candidate *first;
    int count = 0;
    TRY_NEW(first, session->arena, session->first_count + session->known_count + 1, diagnostic);
    for (int f = 0; f < session->first_count; f++) first[count++] = session->first[f];
    for (int k = 0; k < session->known_count; k++)
        if (session->known[k].candidate.space) first[count++] = session->known[k].candidate;
    session->field.first = first;
    session->field.first_count = count;
    return STATUS_OK;
}

/* A problem that was never measured on this class of devices begins with the order of the nearest one, and needs fewer
 * candidates for it; only who wants everything measured gets more.  What was best for near shapes on this class follows. */
static status bring_order(struct session *session, struct nearest_order *order,
                          struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    const char *from;
    *order = (struct nearest_order){.catalogue = setup->catalogue,
                                    .spaces = session->field.spaces,
                                    .space_count = session->field.space_count,
                                    .most = NEAREST_MOST};
    if (session->known_count) return STATUS_OK;
    TRY_NEW(order->candidates, session->arena, order->most, diagnostic);
    TRY(nearest_candidates(setup->store, session->problem, setup->facts, order, session->arena,
                           &from, diagnostic));
    bool known_elsewhere = order->count > 0;
    TRY(nearest_shape_candidates(setup->store, session->problem, setup->facts->class_name, order,
                                 session->arena, diagnostic));
    if (!known_elsewhere) return STATUS_OK;
    if (setup->options.effort < EFFORT_MOST) session->field.most = NEAREST_MOST;
    session->row->order_from = arena_text(session->tuning->arena, from);
    TRY_MEMORY(session->row->order_from, diagnostic);
    return STATUS_OK;
}

static status begin_search(struct session *session, struct diagnostic *diagnostic)
{
    struct nearest_order order;
    TRY(bring_order(session, &order, diagnostic));
    TRY(bring_known(session, diagnostic));
    return search_open(&session->field, session->tuning->strategy, order.candidates, order.count,
                       session->arena, &session->course, diagnostic);
}

/* One look at each packed candidate that has none yet; the finals do the rest. */
static status look_at_packed(struct session *session, struct diagnostic *diagnostic)
{
    for (int p = 0; p < session->packed_count; p++) {
        const struct candidate *candidate = &session->packed[p].candidate;
        if (session_find(session, candidate)) continue;
        if (progress_interrupted(session->tuning->setup->options.progress)) {
            session->tuning->report->interrupted = true;
            return STATUS_OK;
        }
        if (work_clock_look(&session->tuning->clock) > session->deadline) return STATUS_OK;
        report_progress(session, (uint64_t)p, (uint64_t)session->packed_count);
        TRY(session_measure(session, candidate, 0, diagnostic));
        tuning_tell(session->tuning, session->problem_index, false);
    }
    session->searched = session->row->finished = true;
    return STATUS_OK;
}

static bool is_searched(const struct session *session, const struct space *space)
{
    const struct catalogue *searched = session->tuning->setup->options.searched;
    return !searched || catalogue_find(searched, space->variant);
}

static status choose_searched(struct session *session, struct diagnostic *diagnostic)
{
    struct search_field *field = &session->field;
    TRY_NEW(field->spaces, session->arena, session->space_count + 1, diagnostic);
    for (int s = 0; s < session->space_count; s++)
        if (is_searched(session, session->spaces[s].space))
            field->spaces[field->space_count++] = session->spaces[s];
    return STATUS_OK;
}

static status recall_session(struct session *session, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    TRY(decision_bind(setup->catalogue, session->problem, setup->facts, &setup->options.policy,
                      session->arena, &session->spaces, &session->space_count, diagnostic));
    TRY(choose_searched(session, diagnostic));
    TRY(recall(session, diagnostic));
    if (!session->field.space_count) session->row->note = "no variant answers it";
    session->searched = session->row->finished = !session->field.space_count;
    return STATUS_OK;
}

status session_open(struct tuning *tuning, int index, struct session **result,
                    struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = tuning->setup;
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct session *session = arena_allocate(arena, 1, sizeof *session);
    if (!session) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *session);
    }
    *session = (struct session){
        .tuning = tuning,
        .problem = setup->problems[index].problem,
        .packed = setup->problems[index].packed,
        .packed_count = setup->problems[index].packed_count,
        .problem_index = index,
        .row = &tuning->report->rows[index],
        .arena = arena,
        .field = {.effort = setup->options.effort, .seed = setup->options.seed},
        .id = new_id(),
        .best_seconds = INFINITY,
    };
    *result = session;
    return recall_session(session, diagnostic);
}

/* The worker and the pool have one problem at a time. */
static status take_worker(struct session *session, struct diagnostic *diagnostic)
{
    struct tuning *tuning = session->tuning;
    if (tuning->current == session) return STATUS_OK;
    if (tuning->pool) TRY(compile_pool_clear(tuning->pool, diagnostic));
    tuning->current = session;
    session->prepared = false;
    return STATUS_OK;
}

status session_work(struct session *session, double deadline, struct diagnostic *diagnostic)
{
    TRY(take_worker(session, diagnostic));
    session->deadline = deadline;
    session->unit = GAIN_UNIT;
    if (session->packed) return look_at_packed(session, diagnostic);
    if (!session->course) TRY(begin_search(session, diagnostic));
    return search_on(session, diagnostic);
}

status session_finish(struct session *session, double deadline, struct diagnostic *diagnostic)
{
    const struct tuning *tuning = session->tuning;
    session->finals_deadline = deadline;
    if (tuning->setup->options.effort > 0 && session->field.space_count &&
        (session->course || session->known_count) && !tuning->report->interrupted) {
        TRY(take_worker(session, diagnostic));
        TRY(session_finals(session, diagnostic));
    }
    return session_report(session, diagnostic);
}

void session_drop(struct session *session)
{
    if (!session) return;
    if (session->tuning->current == session) session->tuning->current = NULL;
    search_close(session->course);
    arena_destroy(session->arena);
}
