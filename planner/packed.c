/* Decisions among packed candidates: those of tuner/decision.h, from the records of packed candidates only. */
#include "planner/packed.h"

#include "planner/build.h"

#include <stdlib.h>
#include <string.h>

/* An image with the spares that may take its place, those whose variants are here as they were when the plan was made:
 * records speak of variants by their sources. */
struct group {
    int image; /* first of `members` */
    int *members, member_count;
    struct candidate *candidates; /* of the members */
};

static status find_members(const struct plan *plan, const struct catalogue *catalogue, int image,
                           struct arena *arena, struct group *group, struct diagnostic *diagnostic)
{
    *group = (struct group){.image = image};
    TRY_NEW(group->members, arena, plan->image_count, diagnostic);
    TRY_NEW(group->candidates, arena, plan->image_count, diagnostic);
    for (int i = 0; i < plan->image_count; i++) {
        const struct plan_image *row = &plan->images[i];
        struct diagnostic ignored = {0};
        if (i != image && (!row->spare || row->stands_for != image)) continue;
        struct candidate *candidate = &group->candidates[group->member_count];
        if (candidate_parse(catalogue, row->candidate, candidate, &ignored) == STATUS_OK &&
            candidate->space && hash_equal(candidate->space->source, row->source))
            group->members[group->member_count++] = i;
    }
    return STATUS_OK;
}

static int find_member(const struct plan *plan, const struct group *group, const char *candidate)
{
    for (int m = 0; m < group->member_count; m++)
        if (strcmp(plan->images[group->members[m]].candidate, candidate) == 0) return m;
    return -1;
}

/* The records that speak of a group's members. */
static status read_records(const struct plan *plan, const struct packed_options *options,
                           const struct group *group, int device, struct arena *arena,
                           struct record **records, int *count, struct diagnostic *diagnostic)
{
    const struct problem *problem = plan->images[group->image].problem;
    const struct device_facts *facts = options->devices[device].facts;
    const struct decision_policy policy = {.fast = options->fast};
    struct bound_space *spaces;
    int space_count, all;
    TRY(decision_bind(options->catalogue, problem, facts, &policy, arena, &spaces, &space_count,
                      diagnostic));
    TRY(store_records(options->store, problem->key, facts->class_name, arena, records, &all,
                      diagnostic));
    *count = 0;
    for (int r = 0; r < all; r++) {
        struct candidate candidate;
        if (find_member(plan, group, (*records)[r].candidate) >= 0 &&
            decision_record_counts(spaces, space_count, options->catalogue,
                                   options->devices[device].compiler, &(*records)[r], &candidate))
            (*records)[(*count)++] = (*records)[r];
    }
    return STATUS_OK;
}

/* What the records say of a group: the member to use, -1 when they say nothing. */
struct verdict {
    int image;
    bool raced;  /* in finals */
    bool spoilt; /* the plan's own choice is wrong */
};

/* 0: nothing speaks against it; 1: it took too long or too much memory, which may have been the machine's fault; 2: its
 * results or its crash do. */
static int objection(const struct record *records, int count, const char *candidate)
{
    int found = 0;
    for (int r = 0; r < count; r++) {
        bool soft = records[r].status == RECORD_TIMEOUT || records[r].status == RECORD_MEMORY;
        if (records[r].status == RECORD_OK || strcmp(records[r].candidate, candidate) != 0)
            continue;
        if (found < (soft ? 1 : 2)) found = soft ? 1 : 2;
    }
    return found;
}

/* Without a good record: the first member with the least to be said against it. */
static status first_right(const struct plan *plan, const struct group *group,
                          const struct record *records, int count, struct verdict *verdict,
                          struct diagnostic *diagnostic)
{
    if (count == 0) return STATUS_OK;
    for (int bearable = 0; bearable < 2; bearable++)
        for (int m = 0; m < group->member_count; m++) {
            verdict->image = group->members[m];
            if (objection(records, count, plan->images[verdict->image].candidate) <= bearable)
                return STATUS_OK;
        }
    return fail(diagnostic, STATUS_DEVICE,
                "none of the plan's kernels for %s is right on this card (%s: %s); build the plan "
                "again where the card is",
                plan->images[group->image].problem->text, records[0].candidate, records[0].detail);
}

static status judge(const struct plan *plan, const struct packed_options *options, int image,
                    int device, struct arena *scratch, struct verdict *verdict,
                    struct diagnostic *diagnostic)
{
    const struct decision_policy policy = {.fast = options->fast};
    struct group group;
    struct record *records;
    struct decision decision;
    int count, good = 0;
    *verdict = (struct verdict){.image = -1};
    TRY(find_members(plan, options->catalogue, image, scratch, &group, diagnostic));
    if (group.member_count < 2) return STATUS_OK;
    TRY(read_records(plan, options, &group, device, scratch, &records, &count, diagnostic));
    verdict->spoilt = objection(records, count, plan->images[image].candidate) > 1;
    for (int r = 0; r < count; r++) good += records[r].status == RECORD_OK;
    if (good == 0) return first_right(plan, &group, records, count, verdict, diagnostic);
    TRY(decision_make(options->catalogue, plan->images[image].problem,
                      options->devices[device].facts, options->devices[device].compiler, &policy,
                      records, count, scratch, &decision, diagnostic));
    if (decision.basis < DECISION_EXPLORED)
        return first_right(plan, &group, records, count, verdict, diagnostic);
    struct text text = {.arena = scratch};
    candidate_print(&decision.candidate, &text);
    const char *winner = text_finish(&text);
    TRY_MEMORY(winner, diagnostic);
    int member = find_member(plan, &group, winner);
    if (member < 0) return STATUS_OK;
    verdict->image = group.members[member];
    verdict->raced = decision.basis == DECISION_FINAL;
    return STATUS_OK;
}

/* ---- What to race ---- */

struct racing {
    const struct plan *plan;
    const struct packed_options *options;
    int device;
    struct arena *arena;
    double *weights; /* per image */
};

static bool has_spares(const struct plan *plan, int image)
{
    for (int i = 0; i < plan->image_count; i++)
        if (plan->images[i].spare && plan->images[i].stands_for == image) return true;
    return false;
}

static void weigh(struct racing *racing, int64_t rows, double weight)
{
    const struct plan *plan = racing->plan;
    for (int n = 0; n < plan->graph->node_count; n++) {
        int image = plan->choices[n][bucket_of_rows(rows)][0];
        if (plan->graph->nodes[n].device == racing->device && image >= 0)
            racing->weights[image] += weight;
    }
}

static status pack_problem(struct racing *racing, int image, struct tune_problem *problem,
                           struct diagnostic *diagnostic)
{
    struct group group;
    struct tune_packed *packed;
    TRY(find_members(racing->plan, racing->options->catalogue, image, racing->arena, &group,
                     diagnostic));
    TRY_NEW(packed, racing->arena, group.member_count + 1, diagnostic);
    for (int m = 0; m < group.member_count; m++)
        packed[m] = (struct tune_packed){.candidate = group.candidates[m],
                                         .image = &racing->plan->images[group.members[m]].image};
    *problem = (struct tune_problem){.problem = racing->plan->images[image].problem,
                                     .weight = racing->weights[image],
                                     .packed = packed,
                                     .packed_count = group.member_count};
    return STATUS_OK;
}

status packed_problems(const struct plan *plan, const struct packed_options *options, int device,
                       int64_t prompt_share, struct arena *arena, struct tune_problem **problems,
                       int *count, struct diagnostic *diagnostic)
{
    struct racing racing = {.plan = plan, .options = options, .device = device, .arena = arena};
    TRY_NEW(racing.weights, arena, plan->image_count + 1, diagnostic);
    TRY_NEW(*problems, arena, plan->image_count + 1, diagnostic);
    weigh(&racing, plan->bounds.sequences, 1);
    weigh(&racing, plan->bounds.tokens, (double)prompt_share / (double)plan->bounds.tokens);
    *count = 0;
    for (int i = 0; i < plan->image_count; i++) {
        struct verdict verdict;
        if (racing.weights[i] <= 0 || plan->images[i].spare || !has_spares(plan, i)) continue;
        TRY(judge(plan, options, i, device, arena, &verdict, diagnostic));
        if (verdict.raced) continue;
        TRY(pack_problem(&racing, i, &(*problems)[*count], diagnostic));
        *count += (*problems)[*count].packed_count > 1;
    }
    return STATUS_OK;
}

/* ---- What to use ---- */

/* The group's member that is the same candidate as image `winner`; -1: there is none. */
static int find_equal(const struct plan *plan, int image, int winner)
{
    for (int i = 0; i < plan->image_count; i++)
        if ((i == image || (plan->images[i].spare && plan->images[i].stands_for == image)) &&
            strcmp(plan->images[i].candidate, plan->images[winner].candidate) == 0)
            return i;
    return -1;
}

/* What is known of the images that the plan chose. */
struct choosing {
    int *winners; /* -1: nothing */
    bool *asked, *spoilt;
};

/* Whether a choice of this node is wrong in some bucket: it is not trusted in the others. */
static bool is_spoilt(const struct plan *plan, const struct choosing *choosing, int n, int image)
{
    for (int b = 0; b < BUCKET_ROW_COUNT * BUCKET_CONTEXT_COUNT; b++) {
        int other = plan->choices[n][b / BUCKET_CONTEXT_COUNT][b % BUCKET_CONTEXT_COUNT];
        if (other >= 0 && choosing->spoilt[other] &&
            strcmp(plan->images[other].candidate, plan->images[image].candidate) == 0)
            return true;
    }
    return false;
}

/* As in choose.c: kernels for few rows are made for these. */
static bool may_lend(int from, int to)
{
    return from == to || (bucket_rows(from) > CHOOSE_FEW_ROWS && bucket_rows(to) > CHOOSE_FEW_ROWS);
}

/* The winner of the node's nearest bucket, nearest rows first, then the smallest context. */
static int borrow(const struct plan *plan, const struct choosing *choosing, int n, int row,
                  int image)
{
    bool spoilt = is_spoilt(plan, choosing, n, image);
    for (int distance = 0; distance < BUCKET_ROW_COUNT; distance++)
        for (int r = 0; r < BUCKET_ROW_COUNT; r++) {
            if (abs(r - row) != distance || !(spoilt || may_lend(r, row))) continue;
            for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++) {
                int lender = plan->choices[n][r][c];
                int winner = lender >= 0 ? choosing->winners[lender] : -1;
                int found = winner >= 0 ? find_equal(plan, image, winner) : -1;
                if (found >= 0) return found;
            }
        }
    return -1;
}

static status ask_records(const struct plan *plan, const struct packed_options *options,
                          struct choosing *choosing, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    for (int n = 0; n < plan->graph->node_count; n++)
        for (int b = 0; b < BUCKET_ROW_COUNT * BUCKET_CONTEXT_COUNT; b++) {
            int image = plan->choices[n][b / BUCKET_CONTEXT_COUNT][b % BUCKET_CONTEXT_COUNT];
            struct verdict verdict;
            if (image < 0 || choosing->asked[image] || plan->images[image].spare) continue;
            arena_reset(scratch);
            TRY(judge(plan, options, image, plan->graph->nodes[n].device, scratch, &verdict,
                      diagnostic));
            choosing->asked[image] = true;
            choosing->winners[image] = verdict.image;
            choosing->spoilt[image] = verdict.spoilt;
        }
    return STATUS_OK;
}

static void use_winners(struct plan *plan, const struct choosing *choosing, int n)
{
    int chosen[BUCKET_ROW_COUNT][BUCKET_CONTEXT_COUNT];
    for (int r = 0; r < BUCKET_ROW_COUNT; r++)
        for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++) {
            int image = chosen[r][c] = plan->choices[n][r][c];
            if (image < 0) continue;
            int winner = choosing->winners[image];
            if (winner < 0) winner = borrow(plan, choosing, n, r, image);
            if (winner >= 0) chosen[r][c] = winner;
        }
    memcpy(plan->choices[n], chosen, sizeof chosen);
}

status packed_choose(struct plan *plan, const struct packed_options *options,
                     struct diagnostic *diagnostic)
{
    struct choosing choosing;
    TRY_NEW(choosing.winners, plan->arena, plan->image_count + 1, diagnostic);
    TRY_NEW(choosing.asked, plan->arena, plan->image_count + 1, diagnostic);
    TRY_NEW(choosing.spoilt, plan->arena, plan->image_count + 1, diagnostic);
    for (int i = 0; i < plan->image_count; i++) choosing.winners[i] = -1;
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = ask_records(plan, options, &choosing, scratch, diagnostic);
    arena_destroy(scratch);
    TRY(code);
    for (int n = 0; n < plan->graph->node_count; n++) use_winners(plan, &choosing, n);
    return STATUS_OK;
}
