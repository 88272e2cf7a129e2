/* The reference of route, one token at a time, in double. */
#include "ops/access.h"
#include "ops/filling.h"
#include "ops/route/route.h"

#include <math.h>

/* One token's experts under consideration. */
struct router {
    const union attribute *attributes;
    int64_t experts;
    const float *logits, *bias;
    double scores[EXPERTS_MOST];  /* what weights are made of */
    double choices[EXPERTS_MOST]; /* what experts are chosen by */
    bool taken[EXPERTS_MOST];
};

static void softmax(double *values, int64_t count)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, values[i]);
    for (int64_t i = 0; i < count; i++) sum += values[i] = exp(values[i] - largest);
    for (int64_t i = 0; i < count; i++) values[i] /= sum;
}

static double score_of(enum route_score score, double logit)
{
    switch (score) {
    case SCORE_SIGMOID: return 1 / (1 + exp(-logit));
    case SCORE_SQRT_SOFTPLUS: return sqrt(fmax(logit, 0) + log1p(exp(-fabs(logit))));
    case SCORE_SOFTMAX: /* of all logits together, by the caller */
    case SCORE_NONE: break;
    }
    return logit;
}

static void make_scores(struct router *routing)
{
    enum route_score score = (enum route_score)routing->attributes[ROUTE_SCORE].integer;
    for (int64_t e = 0; e < routing->experts; e++)
        routing->scores[e] = score_of(score, (double)routing->logits[e]);
    if (score == SCORE_SOFTMAX) softmax(routing->scores, routing->experts);
    for (int64_t e = 0; e < routing->experts; e++) {
        routing->choices[e] = routing->scores[e] + (routing->bias ? (double)routing->bias[e] : 0);
        routing->taken[e] = false;
    }
}

/* The largest value not taken, the first among equals. */
static int64_t take_largest(const double *values, bool *taken, int64_t count)
{
    int64_t best = -1;
    for (int64_t i = 0; i < count; i++)
        if (!taken[i] && (best < 0 || values[i] > values[best])) best = i;
    taken[best] = true;
    return best;
}

static double group_score_of(enum route_group_score kind, const double *choices, int64_t count)
{
    double first = -INFINITY, second = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        if (choices[i] > first) {
            second = first;
            first = choices[i];
        } else {
            second = fmax(second, choices[i]);
        }
    }
    return kind == GROUP_SCORE_MAX ? first : first + second;
}

/* Leaves the choices of the best groups' experts and fills in the others'. */
static void keep_groups(struct router *routing)
{
    const union attribute *attributes = routing->attributes;
    int64_t groups = attributes[ROUTE_GROUPS].integer, size = routing->experts / groups;
    double fill = attributes[ROUTE_GROUP_FILL].integer == GROUP_FILL_ZERO ? 0 : -INFINITY;
    double values[EXPERTS_MOST];
    bool kept[EXPERTS_MOST] = {false};
    for (int64_t g = 0; g < groups; g++)
        values[g] = group_score_of((enum route_group_score)attributes[ROUTE_GROUP_SCORE].integer,
                                   routing->choices + g * size, size);
    for (int64_t i = 0; i < attributes[ROUTE_GROUPS_USED].integer; i++)
        take_largest(values, kept, groups);
    for (int64_t g = 0; g < groups; g++)
        for (int64_t e = g * size; e < (g + 1) * size && !kept[g]; e++) routing->choices[e] = fill;
}

static void finish_weights(const union attribute *attributes, double *weights, int64_t count)
{
    double sum = 0;
    enum route_post post = (enum route_post)attributes[ROUTE_POST].integer;
    if (post == POST_SOFTMAX) softmax(weights, count);
    if (post == POST_RENORMALISE) {
        for (int64_t i = 0; i < count; i++) sum += weights[i];
        sum = fmax(sum, attributes[ROUTE_FLOOR].real) + attributes[ROUTE_EPSILON].real;
        for (int64_t i = 0; i < count; i++) weights[i] /= sum;
    }
    for (int64_t i = 0; i < count; i++) weights[i] *= attributes[ROUTE_SCALE].real;
}

static void route_token(struct router *routing, int32_t *experts, float *weights)
{
    const union attribute *attributes = routing->attributes;
    bool from_logit = attributes[ROUTE_WEIGHT_FROM].integer == WEIGHT_FROM_LOGIT;
    int64_t used = attributes[ROUTE_USED].integer;
    double chosen[EXPERTS_USED_MOST] = {0};
    make_scores(routing);
    if (attributes[ROUTE_GROUPS].integer > 1) keep_groups(routing);
    for (int64_t i = 0; i < used; i++) {
        int64_t e = take_largest(routing->choices, routing->taken, routing->experts);
        experts[i] = (int32_t)e;
        chosen[i] = from_logit ? (double)routing->logits[e] : routing->scores[e];
    }
    finish_weights(attributes, chosen, used);
    for (int64_t i = 0; i < used; i++) weights[i] = (float)chosen[i];
}

void route_reference(const struct problem *problem, const struct run *run, void *const *operands,
                     int64_t begin, int64_t end)
{
    (void)run;
    struct router routing = {
        .attributes = problem->attributes,
        .experts = fixed_dimension(problem, ROUTE_LOGITS, 1),
        .bias = operands[ROUTE_BIAS],
    };
    int64_t used = problem->attributes[ROUTE_USED].integer;
    for (int64_t r = begin; r < end; r++) {
        routing.logits = (const float *)operands[ROUTE_LOGITS] + r * routing.experts;
        route_token(&routing, (int32_t *)operands[ROUTE_EXPERTS] + r * used,
                    (float *)operands[ROUTE_WEIGHTS] + r * used);
    }
}
