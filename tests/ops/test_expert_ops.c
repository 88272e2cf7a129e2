/* Routing, dispatch, the grouped operators and combine against their definitions. */
#include "ops/dispatch/dispatch.h"
#include "ops/grouped.h"
#include "ops/resolve/resolve.h"
#include "ops/route/route.h"
#include "ops/top/top.h"
#include "tests/check.h"
#include "tests/ops/definitions.h"

#include <math.h>

enum { EXPERTS_HERE = 256 };

/* Everything about one token's choice, by definition. */
struct choice {
    long double scores[EXPERTS_HERE], choices[EXPERTS_HERE];
};

static void make_scores(const struct operands *o, int64_t r, struct choice *choice)
{
    int64_t score = o->problem->attributes[ROUTE_SCORE].integer, experts = columns_of(o, 0);
    const float *logits = o->values[ROUTE_LOGITS] + r * experts;
    long double sum = 0;
    for (int64_t e = 0; e < experts; e++) sum += expl((long double)logits[e]);
    for (int64_t e = 0; e < experts; e++) {
        long double l = (long double)logits[e], s = l;
        if (score == SCORE_SOFTMAX) s = expl(l) / sum;
        if (score == SCORE_SIGMOID) s = 1 / (1 + expl(-l));
        if (score == SCORE_SQRT_SOFTPLUS) s = sqrtl(logl(1 + expl(l)));
        choice->scores[e] = s;
        choice->choices[e] =
            s + (o->values[ROUTE_BIAS] ? (long double)o->values[ROUTE_BIAS][e] : 0);
    }
}

/* How many are better: larger, or equal and earlier. */
static int64_t rank_of(const long double *values, int64_t count, int64_t i)
{
    int64_t rank = 0;
    for (int64_t j = 0; j < count; j++)
        if (values[j] > values[i] || (values[j] == values[i] && j < i)) rank++;
    return rank;
}

static void drop_groups(const union attribute *a, int64_t experts, struct choice *choice)
{
    int64_t groups = a[ROUTE_GROUPS].integer, size = experts / groups;
    long double scores[EXPERTS_HERE] = {0};
    for (int64_t g = 0; g < groups; g++) {
        const long double *group = choice->choices + g * size;
        for (int64_t e = 0; e < size; e++) {
            int64_t rank = rank_of(group, size, e);
            bool counts =
                rank == 0 || (rank == 1 && a[ROUTE_GROUP_SCORE].integer == GROUP_SCORE_TOP2SUM);
            if (counts) scores[g] += group[e];
        }
    }
    for (int64_t e = 0; e < experts; e++)
        if (rank_of(scores, groups, e / size) >= a[ROUTE_GROUPS_USED].integer)
            choice->choices[e] = a[ROUTE_GROUP_FILL].integer == GROUP_FILL_ZERO ? 0 : -INFINITY;
}

static int64_t chosen_at(const struct choice *choice, int64_t experts, int64_t rank)
{
    for (int64_t e = 0; e < experts; e++)
        if (rank_of(choice->choices, experts, e) == rank) return e;
    return -1;
}

static long double definition_route(const struct operands *o, int output, int64_t r, int64_t i)
{
    const union attribute *a = o->problem->attributes;
    int64_t experts = columns_of(o, 0), used = a[ROUTE_USED].integer;
    struct choice choice = {{0}, {0}};
    make_scores(o, r, &choice);
    if (a[ROUTE_GROUPS].integer > 1) drop_groups(a, experts, &choice);
    if (output == 0) return (long double)chosen_at(&choice, experts, i);
    long double weights[64], sum = 0;
    for (int64_t j = 0; j < used; j++) {
        int64_t e = chosen_at(&choice, experts, j);
        weights[j] = choice.scores[e];
        if (a[ROUTE_WEIGHT_FROM].integer == WEIGHT_FROM_LOGIT)
            weights[j] = (long double)o->values[0][r * experts + e];
        if (a[ROUTE_POST].integer == POST_SOFTMAX) weights[j] = expl(weights[j]);
        sum += weights[j];
    }
    if (a[ROUTE_POST].integer == POST_RENORMALISE)
        sum = fmaxl(sum, (long double)a[ROUTE_FLOOR].real) + (long double)a[ROUTE_EPSILON].real;
    if (a[ROUTE_POST].integer == POST_NONE) sum = 1;
    return weights[i] / sum * (long double)a[ROUTE_SCALE].real;
}

/* Slot of assignment a: those of smaller experts, and earlier ones of the same. */
static int64_t place_of(const float *ids, int64_t count, int64_t a)
{
    int64_t place = 0;
    for (int64_t b = 0; b < count; b++) place += ids[b] < ids[a] || (ids[b] == ids[a] && b < a);
    return place;
}

static long double definition_dispatch(const struct operands *o, int output, int64_t row, int64_t i)
{
    int64_t count = rows_of(o, 0) * columns_of(o, 0), smaller_ids = 0;
    const float *ids = o->values[0];
    (void)row;
    if (output == 2) return (long double)place_of(ids, count, i);
    for (int64_t a = 0; a < count; a++) {
        smaller_ids += ids[a] < (float)i;
        if (output == 0 && place_of(ids, count, a) == i) return (long double)a;
    }
    return (long double)smaller_ids;
}

/* x of slot s times row n of its expert's weight. */
static long double slot_product(const struct operands *o, int weight, int64_t rows, int64_t s,
                                int64_t n)
{
    const struct tensor_type *type = &o->problem->operands[weight].type;
    int64_t m = type->shape[1].scale, k = type->shape[2].scale, expert = 0;
    int64_t slots = columns_of(o, GROUPED_ORDER), x_rows = rows_of(o, GROUPED_X);
    while (o->values[GROUPED_OFFSETS][expert + 1] <= (float)s) expert++;
    bool by_token = rows == GROUPED_BY_TOKEN || (rows == GROUPED_BY_SHAPE && slots != x_rows);
    int64_t assignment = (int64_t)o->values[GROUPED_ORDER][s];
    const float *x = o->values[GROUPED_X] + (by_token ? assignment / (slots / x_rows) : s) * k;
    const float *w = o->values[weight] + (expert * m + n) * k;
    long double sum = 0;
    for (int64_t c = 0; c < k; c++) sum += (long double)x[c] * (long double)w[c];
    return sum;
}

static long double definition_grouped_linear(const struct operands *o, int output, int64_t s,
                                             int64_t n)
{
    (void)output;
    return slot_product(o, 3, o->problem->attributes[0].integer, s, n);
}

static long double definition_grouped_gated(const struct operands *o, int output, int64_t s,
                                            int64_t n)
{
    int64_t rows = o->problem->attributes[1].integer;
    long double gate = slot_product(o, 3, rows, s, n), up = slot_product(o, 4, rows, s, n);
    (void)output;
    if (o->problem->attributes[0].integer == 0) return gate / (1 + expl(-gate)) * up;
    long double inner = sqrtl(2 / acosl(-1)) * (gate + 0.044715L * gate * gate * gate);
    return gate * (1 + tanhl(inner)) / 2 * up;
}

static long double definition_grouped_bias(const struct operands *o, int output, int64_t s,
                                           int64_t c)
{
    int64_t columns = columns_of(o, 0), experts = rows_of(o, 2), expert = 0;
    const float *offsets = o->values[1];
    (void)output;
    while (expert < experts && offsets[expert + 1] <= (float)s) expert++;
    long double x = (long double)o->values[0][s * columns + c];
    return expert < experts ? x + (long double)o->values[2][expert * columns + c] : x;
}

static long double definition_combine(const struct operands *o, int output, int64_t t, int64_t c)
{
    int64_t used = columns_of(o, 0), columns = columns_of(o, 1);
    long double sum = 0;
    (void)output;
    for (int64_t i = 0; i < used; i++)
        sum += (long double)o->values[0][t * used + i] *
               (long double)o->values[1][(int64_t)o->values[2][t * used + i] * columns + c];
    return sum;
}

/* Whether column `a` comes before column `b`. */
static bool beats(const float *x, int64_t a, int64_t b)
{
    return x[a] > x[b] || (x[a] == x[b] && a < b);
}

/* The best of those that the one before beats. */
static long double definition_top(const struct operands *o, int output, int64_t r, int64_t i)
{
    int64_t columns = columns_of(o, 0), last = -1;
    const float *x = o->values[0] + r * columns;
    if (output == 2) return 0;
    for (int64_t place = 0; place <= i; place++) {
        int64_t best = -1;
        for (int64_t c = 0; c < columns; c++)
            if ((last < 0 || beats(x, last, c)) && (best < 0 || beats(x, c, best))) best = c;
        last = best;
    }
    return output == 0 ? (long double)last : (long double)x[last];
}

static long double definition_transfer(const struct operands *o, int output, int64_t r, int64_t c)
{
    (void)output;
    return (long double)o->values[0][r * columns_of(o, 0) + c];
}

/* Nothing is in a slot: the host has every expert, behind the slots. */
static long double definition_resolve(const struct operands *o, int output, int64_t r, int64_t c)
{
    (void)output;
    return (long double)o->values[0][r * columns_of(o, 0) + c] +
           (long double)o->problem->attributes[RESOLVE_SLOTS].integer;
}

static const struct definition_row definitions[] = {
    {"route", definition_route, 0},
    {"dispatch", definition_dispatch, 0},
    {"resolve", definition_resolve, 0},
    {"grouped_linear", definition_grouped_linear, 0},
    {"grouped_gated", definition_grouped_gated, 4},
    {"grouped_bias", definition_grouped_bias, 0},
    {"combine", definition_combine, 0},
    {"top", definition_top, 0},
    {"transfer", definition_transfer, 0},
    {NULL, NULL, 0},
};

static void test_definitions(void **state)
{
    (void)state;
    for (int c = 0; expert_cases[c].text; c++) check_definition(&expert_cases[c], definitions);
}

/* A trial of one row whose first input is replaced. */
static struct op_trial *trial_with(struct arena *arena, const char *text, const void *input,
                                   size_t bytes)
{
    struct diagnostic diagnostic = {0};
    struct op_step step = {.rows = 1};
    struct problem *problem;
    struct op_trial *trial;
    CHECK_OK(op_case_problem(text, 1, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 5, arena, &trial, &diagnostic));
    assert_int_equal(trial->bytes[0], bytes);
    memcpy(trial->operands[0], input, bytes);
    problem->op->reference(problem, &trial->run, trial->operands, 0, op_trial_items(trial));
    return trial;
}

static void test_ties(void **state)
{
    struct arena *arena = arena_create(0);
    static const float equal[8] = {0}, two[8] = {1, 3, 2, 3, 2, 1, 3, 0};
    static const float broken[4] = {NAN, NAN, NAN, NAN};
    (void)state;
    struct op_trial *trial =
        trial_with(arena, "route(f32[tokens,8]) {used=3}", equal, sizeof equal);
    const int32_t *experts = trial->operands[ROUTE_EXPERTS];
    for (int i = 0; i < 3; i++) assert_int_equal(experts[i], i);
    trial = trial_with(arena, "route(f32[tokens,8]) {used=4 score=none}", two, sizeof two);
    experts = trial->operands[ROUTE_EXPERTS];
    assert_true(experts[0] == 1 && experts[1] == 3 && experts[2] == 6 && experts[3] == 2);
    trial = trial_with(arena, "route(f32[tokens,8]) {used=2 groups=4 groups_used=2 score=none}",
                       two, sizeof two);
    experts = trial->operands[ROUTE_EXPERTS];
    assert_true(experts[0] == 1 && experts[1] == 3);
    trial = trial_with(arena, "route(f32[tokens,4]) {used=4}", broken, sizeof broken);
    experts = trial->operands[ROUTE_EXPERTS];
    for (int i = 0; i < 4; i++) assert_int_equal(experts[i], i);
    arena_destroy(arena);
}

/* NaN never wins and is counted; noughts of both signs are equal. */
static void test_top_of_few(void **state)
{
    struct arena *arena = arena_create(0);
    static const float mixed[6] = {NAN, -INFINITY, -0.0f, 0, NAN, -1},
                       none[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
    static const int32_t order[6] = {2, 3, 5, 1, -1, -1};
    (void)state;
    struct op_trial *trial =
        trial_with(arena, "top(f32[outputs,6]) {count=6}", mixed, sizeof mixed);
    const float *values = trial->operands[TOP_VALUES];
    assert_memory_equal(trial->operands[TOP_IDS], order, sizeof order);
    assert_int_equal(*(const int32_t *)trial->operands[TOP_NOT_NUMBERS], 2);
    assert_true(signbit(values[0]) && values[2] == -1 && isinf(values[3]) && isnan(values[4]));
    trial = trial_with(arena, "top(f32[outputs,6])", none, sizeof none);
    assert_int_equal(*(const int32_t *)trial->operands[TOP_IDS], -1);
    assert_int_equal(*(const int32_t *)trial->operands[TOP_NOT_NUMBERS], 6);
    arena_destroy(arena);
}

/* transformers fills dropped groups with 0, so that an expert of one can beat a kept expert with a
 * negative choice; with `lowest` it cannot. */
static void test_group_fill(void **state)
{
    struct arena *arena = arena_create(0);
    static const float logits[4] = {5, -1, 1, 2};
    (void)state;
    struct op_trial *trial =
        trial_with(arena, "route(f32[tokens,4]) {used=2 groups=2 groups_used=1 score=none}", logits,
                   sizeof logits);
    const int32_t *experts = trial->operands[ROUTE_EXPERTS];
    assert_true(experts[0] == 0 && experts[1] == 2);
    trial = trial_with(
        arena, "route(f32[tokens,4]) {used=2 groups=2 groups_used=1 score=none group_fill=lowest}",
        logits, sizeof logits);
    experts = trial->operands[ROUTE_EXPERTS];
    assert_true(experts[0] == 0 && experts[1] == 1);
    arena_destroy(arena);
}

/* Ids that are no expert go behind all others, and the grouped operators give 0 for them. */
static void test_foreign_ids(void **state)
{
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    static const int32_t ids[6] = {2, -1, 0, 3, 2147483647, 1};
    static const int32_t places[6] = {2, 3, 0, 4, 5, 1};
    struct op_trial *trial =
        trial_with(arena, "dispatch(i32[tokens,6]) {experts=3}", ids, sizeof ids);
    (void)state;
    assert_memory_equal(trial->operands[DISPATCH_PLACES], places, sizeof places);
    for (int e = 0; e <= 3; e++)
        assert_int_equal(((const int32_t *)trial->operands[DISPATCH_OFFSETS])[e], e);
    struct problem *problem;
    struct op_trial *grouped;
    struct op_step step = {.rows = 1};
    CHECK_OK(op_case_problem("grouped_linear(f32[tokens,8], i32[6*tokens], i32[4], f32[3,4,8])", 1,
                             0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 5, arena, &grouped, &diagnostic));
    grouped->operands[1] = trial->operands[DISPATCH_ORDER];
    grouped->operands[2] = trial->operands[DISPATCH_OFFSETS];
    problem->op->reference(problem, &grouped->run, grouped->operands, 0, op_trial_items(grouped));
    const float *y = grouped->operands[4];
    for (int i = 0; i < 24; i++) assert_true((y[i] == 0) == (i >= 12));
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_top_of_few),  cmocka_unit_test(test_group_fill),
        cmocka_unit_test(test_foreign_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
