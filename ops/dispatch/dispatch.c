/* dispatch: a stable counting sort of the assignments a = token * used + i by expert.
 * order[slot] = a, places[a] = slot, expert e has slots offsets[e] .. offsets[e + 1].  Assignments
 * whose id is no expert follow after offsets[experts]; grouped operators give 0 for them.
 *
 * A device that has the experts first .. first + own - 1 only wants their offsets: the order is that of all
 * experts, so that slots mean the same on every device, and those before offsets[0] get 0 as well. */
#include "ops/dispatch/dispatch.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "experts"}, {0}};
static const char *const outputs[] = {"order", "offsets", "places", NULL};

static const struct attribute_rule attributes[] = {
    [DISPATCH_EXPERT_COUNT] = {.name = "experts",
                               .kind = ATTRIBUTE_INTEGER,
                               .required = true,
                               .least = 1,
                               .most = EXPERTS_MOST},
    [DISPATCH_FIRST] = {.name = "first", .kind = ATTRIBUTE_INTEGER, .most = EXPERTS_MOST},
    [DISPATCH_OWN] = {.name = "own", .kind = ATTRIBUTE_INTEGER, .most = EXPERTS_MOST},
    {0},
};

int64_t dispatch_own(const union attribute *values)
{
    int64_t own = values[DISPATCH_OWN].integer;
    return own ? own : values[DISPATCH_EXPERT_COUNT].integer;
}

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_dispatch, types, results, diagnostic};
    TRY(infer_begin(&inference));
    TRY(infer_operand(&inference, DISPATCH_EXPERTS, 2, CLASS_I32));
    TRY(infer_fixed(&inference, DISPATCH_EXPERTS, 1));
    const struct tensor_type *experts = types[DISPATCH_EXPERTS];
    struct dimension assignments;
    int64_t own = dispatch_own(values), count = values[DISPATCH_EXPERT_COUNT].integer;
    if (values[DISPATCH_FIRST].integer + own > count)
        return fail(diagnostic, STATUS_BAD_INPUT, "there are only %lld experts", (long long)count);
    if (!infer_multiply(experts->shape[0], experts->shape[1].scale, &assignments))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "experts has more elements than any tensor may have");
    infer_output_vector(&inference, 0, ELEMENT_I32, assignments);
    infer_output_vector(&inference, 1, ELEMENT_I32, dimension_fixed(own + 1));
    infer_output_vector(&inference, 2, ELEMENT_I32, assignments);
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 4);
}

/* Sorting is one piece of work. */
static int64_t items(const struct problem *problem, const struct run *run)
{
    (void)problem;
    (void)run;
    return 1;
}

static int64_t experts(const struct problem *problem)
{
    return problem->attributes[DISPATCH_EXPERT_COUNT].integer;
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    (void)operand;
    struct assignments assignments = {
        .seed = seed,
        .rows = run_dimension(problem, run, DISPATCH_EXPERTS, 0),
        .used = fixed_dimension(problem, DISPATCH_EXPERTS, 1),
        .experts = experts(problem),
        .routing = &problem->routing,
    };
    fill_experts(&assignments, bytes);
    return true;
}

const struct op op_dispatch = {
    .name = "dispatch",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = items,
    .reference = dispatch_reference,
    .experts = experts,
    .fill = fill,
};
