/* route: the experts of each token and their weights. */
#ifndef OPS_ROUTE_ROUTE_H
#define OPS_ROUTE_ROUTE_H

#include "ir/problem.h"

enum route_input { ROUTE_LOGITS, ROUTE_BIAS };
enum { ROUTE_EXPERTS = 2, ROUTE_WEIGHTS = 3 };

enum route_attribute {
    ROUTE_USED,        /* experts per token */
    ROUTE_SCORE,       /* of logits; the choice is by score + bias */
    ROUTE_GROUPS,      /* experts fall into this many equal groups */
    ROUTE_GROUPS_USED, /* of which so many are kept */
    ROUTE_GROUP_SCORE, /* what groups are compared by */
    ROUTE_GROUP_FILL,  /* what the choice sees of a dropped group's experts */
    ROUTE_WEIGHT_FROM, /* weights start as scores (without bias) or as logits */
    ROUTE_POST,        /* what happens to the chosen weights */
    ROUTE_EPSILON,     /* renormalise: added to the sum */
    ROUTE_FLOOR,       /* renormalise: least sum */
    ROUTE_SCALE        /* multiplies the weights at the end */
};

enum route_score { SCORE_SOFTMAX, SCORE_SIGMOID, SCORE_SQRT_SOFTPLUS, SCORE_NONE };
enum route_group_score { GROUP_SCORE_MAX, GROUP_SCORE_TOP2SUM };
enum route_group_fill { GROUP_FILL_ZERO, GROUP_FILL_LOWEST };
enum route_weight { WEIGHT_FROM_SCORE, WEIGHT_FROM_LOGIT };
enum route_post { POST_NONE, POST_RENORMALISE, POST_SOFTMAX };

extern const struct op op_route;

void route_reference(const struct problem *problem, const struct run *run, void *const *operands,
                     int64_t begin, int64_t end);

#endif
