/* What to tune for a workload: the problems of its capture. */
#include "tuner/capture_problems.h"

#include <stdlib.h>
#include <string.h>

static int compare_shares(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

/* Adds the layer's shares, most popular first: which expert is which differs between layers and does not matter. */
static void add_router(const struct capture_router *row, double *shares, double *own)
{
    double all = 0;
    for (int e = 0; e < row->experts; e++) all += own[e] = (double)row->counts[e];
    if (!(all > 0)) return;
    qsort(own, (size_t)row->experts, sizeof *own, compare_shares);
    for (int e = 0; e < row->experts; e++) shares[e] += own[e] / all * (double)row->tokens;
}

/* Of the routers of these rows those with this many experts; 0: with the most. */
static int choose_experts(const struct capture *capture, int64_t rows, int64_t experts)
{
    int most = 0;
    for (int r = 0; r < capture->router_count; r++) {
        const struct capture_router *row = &capture->routers[r];
        if (row->rows != rows || row->batches == 0) continue;
        if (row->experts == experts) return row->experts;
        if (row->experts > most) most = row->experts;
    }
    return most;
}

/* A device that has a part of the experts sees every so manyth of them. */
static void thin_out(double *shares, int from, int to)
{
    for (int e = 0; e < to; e++) shares[e] = shares[(int64_t)e * from / to];
}

status capture_routing(const struct capture *capture, const struct problem *problem,
                       struct arena *scratch, struct routing *routing,
                       struct diagnostic *diagnostic)
{
    double *shares, *own, distinct = 0, batches = 0;
    int64_t wanted = problem->op->experts(problem);
    int experts = choose_experts(capture, problem->rows, wanted);
    *routing = (struct routing){.distinct = 0};
    if (experts == 0 || wanted > experts || experts > ROUTING_EXPERTS_MOST) return STATUS_OK;
    TRY_NEW(shares, scratch, experts, diagnostic);
    TRY_NEW(own, scratch, experts, diagnostic);
    for (int r = 0; r < capture->router_count; r++) {
        const struct capture_router *row = &capture->routers[r];
        if (row->rows != problem->rows || row->experts != experts) continue;
        add_router(row, shares, own);
        distinct += (double)row->distinct;
        batches += (double)row->batches;
    }
    if (!(shares[0] > 0)) return STATUS_OK;
    if (wanted > 0 && wanted < experts) {
        thin_out(shares, experts, (int)wanted);
        distinct *= (double)wanted / experts;
        experts = (int)wanted;
    }
    *routing = routing_of_shares(shares, experts, distinct / batches);
    return STATUS_OK;
}

struct listing_captured {
    const struct capture *capture;
    const struct capture_selection *selection;
    struct arena *arena;
    struct tune_problem *problems;
    int count;
};

static bool is_answered(const struct listing_captured *listing, const struct problem *problem,
                        struct bound_space *bound)
{
    const struct catalogue *catalogue = listing->selection->catalogue;
    const char *reason;
    for (int s = 0; s < catalogue->count; s++)
        if (space_bind(catalogue->spaces[s], problem, listing->selection->facts, listing->arena,
                       bound, &reason))
            return true;
    return false;
}

static status add_problem(struct listing_captured *listing, const struct capture_problem *row,
                          struct bound_space *bound, struct diagnostic *diagnostic)
{
    const struct capture_selection *selection = listing->selection;
    struct problem *problem;
    struct routing routing = {.distinct = 0};
    TRY(problem_parse(row->problem, selection->ops, listing->arena, &problem, diagnostic));
    if (selection->op && strcmp(problem->op->name, selection->op) != 0) return STATUS_OK;
    if (!is_answered(listing, problem, bound)) return STATUS_OK;
    if (problem->op->experts)
        TRY(capture_routing(listing->capture, problem, listing->arena, &routing, diagnostic));
    if (routing.distinct)
        TRY(problem_route(problem, &routing, listing->arena, &problem, diagnostic));
    double steps = listing->capture->steps ? (double)listing->capture->steps : 1;
    double launches = row->launches ? (double)row->launches : 1;
    listing->problems[listing->count++] = (struct tune_problem){
        .problem = problem, .weight = launches / steps, .seconds = row->seconds / launches};
    return STATUS_OK;
}

static bool is_of_class(const struct capture *capture, const char *device_class)
{
    for (int p = 0; p < capture->problem_count; p++)
        if (!strcmp(capture->problems[p].device_class, device_class)) return true;
    return false;
}

status capture_problems(const struct capture *capture, const struct capture_selection *selection,
                        struct arena *arena, struct tune_problem **problems, int *count,
                        struct diagnostic *diagnostic)
{
    struct listing_captured listing = {.capture = capture, .selection = selection, .arena = arena};
    const char *device_class = selection->facts->class_name;
    bool own_only = is_of_class(capture, device_class);
    struct bound_space *bound;
    TRY_NEW(bound, arena, 1, diagnostic);
    TRY_NEW(listing.problems, arena, capture->problem_count + 1, diagnostic);
    for (int p = 0; p < capture->problem_count; p++) {
        const struct capture_problem *row = &capture->problems[p];
        if (own_only && strcmp(row->device_class, device_class) != 0) continue;
        TRY(add_problem(&listing, row, bound, diagnostic));
    }
    *problems = listing.problems;
    *count = listing.count;
    return STATUS_OK;
}
