/* The planner: from a model's graph and a machine to a placement, with what it is predicted to do. */
#ifndef PLANNER_PLACE_H
#define PLANNER_PLACE_H

#include "planner/choose.h"
#include "planner/plan_machine.h"
#include "planner/solve.h"
#include "planner/step_cost.h"

struct place_request {
    const struct graph *graph; /* unpartitioned; after the layer map */
    const struct machine *machine;
    struct plan_bounds bounds;              /* tokens: the prompt chunk; 0: as the planner likes */
    double prompt_tokens, generated_tokens; /* the work whose time is to be least */
    bool deterministic;                     /* no sum crosses devices: features are gathered */
    bool whole_streams; /* experts are streamed all of a layer's, or none: what can be run */
    const struct chooser *chooser; /* whose measured times count; NULL, or without a store: rates */
    const struct cost_efficiencies *efficiencies; /* for what was not measured; NULL: usual ones */
};

/* A way to serve the model, as the solver sees it. */
struct place_plan {
    struct solve_input *input;
    struct solution solution;
    int64_t chunk;
};

struct place_result {
    struct placement *placement;
    struct place_plan best;
    int class_count, *class_of_layer;
    struct place_plan
        second; /* the best without what leads most layers of the first; no options: there is none */
    struct solve_times in_order_times; /* of the rule's strict form (solve_by_rule) */
    struct place_plan rule; /* by the rule of layers in order; no options: it has no legal answer */
    int measured, problems; /* times that were measured, of all that were asked for */
};

/* STATUS_NO_MEMORY says what is missing where. */
CHECKED status place_model(const struct place_request *request, struct arena *arena,
                           struct place_result *result, struct diagnostic *diagnostic);

/* Shares of the rates that kernels of a target are assumed to reach where nothing was measured. */
const struct cost_efficiencies *place_usual_efficiencies(enum target target);

/* What a decode step and a prompt reach. */
double place_decode_rate(const struct place_plan *plan);
double place_prefill_rate(const struct place_plan *plan, double prompt_tokens);

/* place_limit.c: what no placement on these devices can beat, with the plan's prompt chunk. */
struct place_limit {
    double prefill_seconds, decode_seconds, total_seconds; /* as struct solve_times has them */
    bool memory_bound[PLACEMENT_PHASES]; /* by what cards have no room for; else by computing */
};
void place_limit(const struct place_plan *plan, struct place_limit *limit);

/* place_costs.c: the solver's input for a prompt chunk of `chunk` tokens. */
CHECKED status place_costs(const struct place_request *request, int64_t chunk, struct arena *arena,
                           struct solve_input **input, struct place_result *result,
                           struct diagnostic *diagnostic);

/* place_fill.c: layers in the order of their leads, and what follows from a solution. */
CHECKED status place_fill(const struct place_request *request, const struct place_plan *plan,
                          const int *class_of_layer, struct arena *arena,
                          struct placement **placement, struct diagnostic *diagnostic);

/* What it would cost to serve one more layer of option `option` otherwise: the least loss in total seconds with
 * another home of `part`, and that option; -1: there is no other legal way. */
CHECKED status place_alternative(const struct place_plan *plan, int option,
                                 enum placement_part part, struct arena *arena, int *other,
                                 double *loss_seconds, struct diagnostic *diagnostic);

#endif
