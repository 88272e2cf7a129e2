/* resolve: experts as they are routed become places: 0 .. slots - 1 is a slot of a card, slots + e the host that keeps expert
 * e, slots + experts nobody.  Two dispatches of slots + experts experts, one of which owns the first `slots` and the other the
 * rest, then sort a step's assignments in one order on both.
 *
 * Plans turn it into a step of its own kind, which asks a cache what is in the slots (runtime/executor_slots.c); as an operator
 * it leaves everything to the host. */
#include "ops/resolve/resolve.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "experts"}, {0}};
static const char *const outputs[] = {"places", NULL};

static const struct attribute_rule attributes[] = {
    [RESOLVE_EXPERT_COUNT] = {.name = "experts",
                              .kind = ATTRIBUTE_INTEGER,
                              .required = true,
                              .least = 1,
                              .most = EXPERTS_MOST},
    [RESOLVE_SLOTS] = {.name = "slots",
                       .kind = ATTRIBUTE_INTEGER,
                       .required = true,
                       .least = 1,
                       .most = EXPERTS_MOST},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_resolve, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_operand(&inference, RESOLVE_EXPERTS, 2, CLASS_I32));
    TRY(infer_fixed(&inference, RESOLVE_EXPERTS, 1));
    results[0] = *types[RESOLVE_EXPERTS];
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 1);
}

static int64_t items(const struct problem *problem, const struct run *run)
{
    return run_dimension(problem, run, RESOLVE_EXPERTS, 0);
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    (void)operand;
    struct assignments assignments = {
        .seed = seed,
        .rows = run_dimension(problem, run, RESOLVE_EXPERTS, 0),
        .used = fixed_dimension(problem, RESOLVE_EXPERTS, 1),
        .experts = problem->attributes[RESOLVE_EXPERT_COUNT].integer,
    };
    fill_experts(&assignments, bytes);
    return true;
}

const struct op op_resolve = {
    .name = "resolve",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = items,
    .reference = resolve_reference,
    .fill = fill,
};
