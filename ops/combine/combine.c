/* combine: out[t] = sum_i weights[t][i] * y[places[t * used + i]], i = 0 .. used - 1 in this order.
 */
#include "ops/combine/combine.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {
    {.name = "weights"},
    {.name = "y"},
    {.name = "places"},
    {0},
};
static const char *const outputs[] = {"out", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_combine, types, results, diagnostic};
    struct dimension slots;
    char weights_text[TYPE_TEXT_BYTES], places_text[TYPE_TEXT_BYTES];
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, COMBINE_WEIGHTS));
    TRY(infer_rows(&inference, COMBINE_Y));
    TRY(infer_index(&inference, COMBINE_PLACES, COMBINE_Y));
    const struct tensor_type *weights = types[COMBINE_WEIGHTS], *places = types[COMBINE_PLACES];
    if (!infer_multiply(weights->shape[0], weights->shape[1].scale, &slots) ||
        !dimension_equal(slots, places->shape[0]))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "weights is %s and places %s; places needs one number per weight",
                    type_text(weights, weights_text), type_text(places, places_text));
    infer_output(&inference, 0, ELEMENT_F32, weights->shape[0], types[COMBINE_Y]->shape[1]);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 2.0 * (double)fixed_dimension(problem, COMBINE_WEIGHTS, 1));
}

static int64_t experts(const struct problem *problem)
{
    (void)problem;
    return 0;
}

/* Places as dispatch makes them for the routing's experts, for eight without one, or fewer where a token cannot use so many. */
static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    if (operand != COMBINE_PLACES) return false;
    struct assignments assignments = {
        .seed = seed,
        .rows = run_dimension(problem, run, COMBINE_WEIGHTS, 0),
        .used = fixed_dimension(problem, COMBINE_WEIGHTS, 1),
    };
    if (assignments.used > EXPERTS_USED_MOST) { /* more than route gives: any permutation will do */
        assignments.rows *= assignments.used;
        assignments.used = 1;
    }
    assignments.experts = larger(8, assignments.used);
    if (problem->routing.distinct) {
        assignments.routing = &problem->routing;
        assignments.experts = larger(routing_experts(&problem->routing), assignments.used);
    }
    fill_dispatch(&assignments, NULL, NULL, bytes);
    return true;
}

const struct op op_combine = {
    .name = "combine",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = combine_reference,
    .experts = experts,
    .fill = fill,
};
