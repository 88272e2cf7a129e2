/* route: top `used` of scores + bias, lowest index first among equals, within the groups kept;
 * weights from scores or logits, renormalised or not, scaled.  The combinations that published
 * models use are listed in docs/operators.md. */
#include "ops/route/route.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {
    {.name = "logits"},
    {.name = "bias", .optional = true},
    {0},
};
static const char *const outputs[] = {"experts", "weights", NULL};

static const char *const scores[] = {"softmax", "sigmoid", "sqrt_softplus", "none", NULL};
static const char *const group_scores[] = {"max", "top2sum", NULL};
static const char *const group_fills[] = {"zero", "lowest", NULL};
static const char *const weights_from[] = {"score", "logit", NULL};
static const char *const posts[] = {"none", "renormalise", "softmax", NULL};

static const struct attribute_rule attributes[] = {
    [ROUTE_USED] = {.name = "used",
                    .kind = ATTRIBUTE_INTEGER,
                    .required = true,
                    .least = 1,
                    .most = EXPERTS_USED_MOST},
    [ROUTE_SCORE] = {.name = "score", .kind = ATTRIBUTE_CHOICE, .choices = scores},
    [ROUTE_GROUPS] = {.name = "groups",
                      .kind = ATTRIBUTE_INTEGER,
                      .otherwise = 1,
                      .least = 1,
                      .most = EXPERTS_MOST},
    [ROUTE_GROUPS_USED] = {.name = "groups_used",
                           .kind = ATTRIBUTE_INTEGER,
                           .otherwise = 1,
                           .least = 1,
                           .most = EXPERTS_MOST},
    [ROUTE_GROUP_SCORE] = {.name = "group_score",
                           .kind = ATTRIBUTE_CHOICE,
                           .choices = group_scores},
    [ROUTE_GROUP_FILL] = {.name = "group_fill", .kind = ATTRIBUTE_CHOICE, .choices = group_fills},
    [ROUTE_WEIGHT_FROM] = {.name = "weight_from",
                           .kind = ATTRIBUTE_CHOICE,
                           .choices = weights_from},
    [ROUTE_POST] = {.name = "post", .kind = ATTRIBUTE_CHOICE, .choices = posts},
    [ROUTE_EPSILON] = {.name = "epsilon", .kind = ATTRIBUTE_REAL, .least = 0, .most = 1},
    [ROUTE_FLOOR] = {.name = "floor", .kind = ATTRIBUTE_REAL, .least = 0, .most = 1},
    [ROUTE_SCALE] = {.name = "scale", .kind = ATTRIBUTE_REAL, .otherwise = 1},
    {0},
};

static status check_counts(const union attribute *values, int64_t experts,
                           struct diagnostic *diagnostic)
{
    long long used = values[ROUTE_USED].integer, groups = values[ROUTE_GROUPS].integer;
    long long kept = values[ROUTE_GROUPS_USED].integer, all = experts;
    if (all > EXPERTS_MOST)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "logits have %lld experts; at most %d are supported", all, EXPERTS_MOST);
    if (all % groups != 0 || kept > groups)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%lld experts in groups=%lld with groups_used=%lld; groups must divide the "
                    "experts and groups_used must not exceed groups",
                    all, groups, kept);
    if (values[ROUTE_GROUP_SCORE].integer == GROUP_SCORE_TOP2SUM && groups > 1 && all / groups < 2)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "group_score=top2sum needs two experts per group, and groups=%lld of %lld "
                    "experts have fewer",
                    groups, all);
    if (used > all / groups * kept)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "used=%lld, but the logits and groups leave only %lld experts to choose from",
                    used, all / groups * kept);
    return STATUS_OK;
}

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_route, types, results, diagnostic};
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, ROUTE_LOGITS));
    TRY(infer_vector(&inference, ROUTE_BIAS, ROUTE_LOGITS, 1));
    TRY(check_counts(values, types[ROUTE_LOGITS]->shape[1].scale, diagnostic));
    struct dimension rows = types[ROUTE_LOGITS]->shape[0];
    struct dimension used = dimension_fixed(values[ROUTE_USED].integer);
    infer_output(&inference, 0, ELEMENT_I32, rows, used);
    infer_output(&inference, 1, ELEMENT_F32, rows, used);
    return STATUS_OK;
}

/* A score and a comparison per expert and choice. */
static struct cost cost(const struct problem *problem)
{
    double logits = (double)problem_dimension(problem, ROUTE_LOGITS, 0) *
                    (double)fixed_dimension(problem, ROUTE_LOGITS, 1);
    double each = 12 + (double)problem->attributes[ROUTE_USED].integer;
    return (struct cost){.operations = logits * each, .bytes = cost_operand_bytes(problem)};
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    if (operand != ROUTE_LOGITS) return false;
    int64_t count = leading_items(problem, run) * fixed_dimension(problem, ROUTE_LOGITS, 1);
    fill_uniform(-4, 4, count, seed, operand, bytes);
    return true;
}

const struct op op_route = {
    .name = "route",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = route_reference,
    .fill = fill,
};
