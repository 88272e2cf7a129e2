/* route_cpu: a token per work item.  Its scores and choices lie on the stack; groups, then experts
 * are taken one after the other. */
#include "codegen/cpu/llvm_math.h"
#include "codegen/cpu/row_kernel.h"
#include "ops/access.h"
#include "ops/route/choice_core_cpu.h"
#include "ops/route/route.h"

#include <float.h>
#include <math.h>

struct route_kernel {
    const union attribute *attributes;
    int64_t experts, used;
    value logits, bias, ids, weights; /* operands; bias may be NULL */
    value scores, chosen;             /* on the stack */
    struct choice choice, groups;
};

/* One row's pass over columns. */
struct route_pass {
    const struct route_kernel *k;
    value logits, from, to, number; /* number: what all columns share */
};

static value number_at(struct emitter *e, value numbers, value index)
{
    return address(e, numbers, mul(e, index, constant_i64(e, 4)));
}

/* The lanes of a step that exist; others become `otherwise`. */
static value only_first(struct emitter *e, const struct column_step *step, value x,
                        double otherwise)
{
    if (step->count == step->lanes) return x;
    return choose(e, mask_first(e, step->count, step->lanes), x,
                  splat_f32(e, otherwise, step->lanes));
}

/* ---- Softmax of a row of f32 ---- */

static void largest_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct route_pass *pass = context;
    value x = only_first(e, step, column_load(e, step, pass->from), (double)-INFINITY);
    *step->sum = maximumf(e, x, *step->sum);
}

static void power_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct route_pass *pass = context;
    value largest = splat(e, pass->number, step->lanes);
    value power = math_exp(e, subf(e, column_load(e, step, pass->from), largest));
    column_store(e, step, pass->to, power);
    *step->sum = addf(e, *step->sum, only_first(e, step, power, 0));
}

static void sum_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct route_pass *pass = context;
    *step->sum = addf(e, *step->sum, column_load(e, step, pass->from));
}

static void divide_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct route_pass *pass = context;
    value by = splat(e, pass->number, step->lanes);
    column_store(e, step, pass->to, divf(e, column_load(e, step, pass->from), by));
}

static value fold(struct emitter *e, struct route_pass *pass, int64_t count, column_body *body,
                  double start)
{
    struct columns columns = {count, e->lanes, 1};
    value sum = splat_f32(e, start, e->lanes);
    columns_each(e, &columns, body, pass, &sum);
    return body == largest_step ? horizontal_maximumf(e, sum) : horizontal_addf(e, sum);
}

static void emit_softmax(struct emitter *e, value from, value to, int64_t count)
{
    struct columns columns = {count, e->lanes, 1};
    struct route_pass pass = {.from = from, .to = to};
    pass.number = fold(e, &pass, count, largest_step, (double)-INFINITY);
    pass.number = fold(e, &pass, count, power_step, 0);
    pass.from = to;
    columns_each(e, &columns, divide_step, &pass, NULL);
}

/* ---- Scores and choices ---- */

/* log(1 + t) for 0 <= t <= 1: with s = t / (2 + t) it is 2 (s + s^3 / 3 + s^5 / 5 ...), s <= 1/3. */
static value log_1_plus(struct emitter *e, value t)
{
    int lanes = lanes_of(t);
    value s = divf(e, t, addf(e, t, splat_f32(e, 2, lanes))), square = mulf(e, s, s);
    value sum = splat_f32(e, 2.0 / 15, lanes);
    for (int power = 13; power > 0; power -= 2)
        sum = muladdf(e, sum, square, splat_f32(e, 2.0 / power, lanes));
    return mulf(e, sum, s);
}

static value score_of(struct emitter *e, enum route_score score, value logit)
{
    if (score == SCORE_SIGMOID) return math_sigmoid(e, logit);
    if (score != SCORE_SQRT_SOFTPLUS) return logit;
    value zero = splat_f32(e, 0, lanes_of(logit));
    value rest = log_1_plus(e, math_exp(e, negf(e, absolutef(e, logit))));
    return rootf(e, addf(e, maximumf(e, logit, zero), rest));
}

/* `from` are logits, or scores that are made already. */
static void score_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct route_pass *pass = context;
    const struct route_kernel *k = pass->k;
    enum route_score score = (enum route_score)k->attributes[ROUTE_SCORE].integer;
    value own = score_of(e, score, column_load(e, step, pass->from)), choice = own;
    if (score != SCORE_SOFTMAX) column_store(e, step, k->scores, own);
    if (k->bias) choice = addf(e, own, column_load(e, step, k->bias));
    column_store(e, step, k->choice.values, choice);
}

static void make_scores(struct emitter *e, const struct route_kernel *k, value logits)
{
    struct columns columns = {k->experts, e->lanes, 1};
    struct route_pass pass = {.k = k, .logits = logits, .from = logits};
    if (k->attributes[ROUTE_SCORE].integer == SCORE_SOFTMAX) {
        emit_softmax(e, logits, k->scores, k->experts);
        pass.from = k->scores;
    }
    choice_begin(e, &k->choice);
    columns_each(e, &columns, score_step, &pass, NULL);
}

/* ---- Groups ---- */

/* The largest choice of a group, or the sum of its two largest; above what stands for taken. */
static value group_score(struct emitter *e, const struct route_kernel *k, value first, int64_t size)
{
    value lowest = constant_f32(e, (double)-INFINITY), state[2] = {lowest, lowest};
    struct loop loop;
    loop_begin(e, &loop, first, add(e, first, constant_i64(e, size)), 1, state, 2);
    value x = load(e, e->f32, number_at(e, k->choice.values, loop.index), 4);
    state[1] = maximumf(e, minimumf(e, x, loop.carried[0]), loop.carried[1]);
    state[0] = maximumf(e, x, loop.carried[0]);
    loop_end(e, &loop, state);
    bool largest = k->attributes[ROUTE_GROUP_SCORE].integer == GROUP_SCORE_MAX;
    value score = largest ? loop.carried[0] : addf(e, loop.carried[0], loop.carried[1]);
    return maximumf(e, score, constant_f32(e, -(double)FLT_MAX));
}

static void fill_group(struct emitter *e, const struct route_kernel *k, value group, int64_t size)
{
    bool zero = k->attributes[ROUTE_GROUP_FILL].integer == GROUP_FILL_ZERO;
    value first = mul(e, group, constant_i64(e, size));
    struct branch dropped;
    struct loop loop;
    value left = load(e, e->f32, number_at(e, k->groups.values, group), 4);
    if_begin(e, &dropped, greaterf(e, left, constant_f32(e, (double)-INFINITY)));
    loop_begin(e, &loop, first, add(e, first, constant_i64(e, size)), 1, NULL, 0);
    choice_set(e, &k->choice, loop.index, constant_f32(e, zero ? 0 : -(double)FLT_MAX));
    loop_end(e, &loop, NULL);
    if_end(e, &dropped, NULL, NULL);
}

/* Groups that are taken keep their choices. */
static void keep_groups(struct emitter *e, const struct route_kernel *k)
{
    int64_t groups = k->attributes[ROUTE_GROUPS].integer, size = k->experts / groups;
    value zero = constant_i64(e, 0);
    struct loop loop;
    choice_begin(e, &k->groups);
    loop_begin(e, &loop, zero, constant_i64(e, groups), 1, NULL, 0);
    value first = mul(e, loop.index, constant_i64(e, size));
    choice_set(e, &k->groups, loop.index, group_score(e, k, first, size));
    loop_end(e, &loop, NULL);
    loop_begin(e, &loop, zero, constant_i64(e, k->attributes[ROUTE_GROUPS_USED].integer), 1, NULL,
               0);
    choice_take(e, &k->groups);
    loop_end(e, &loop, NULL);
    loop_begin(e, &loop, zero, constant_i64(e, groups), 1, NULL, 0);
    fill_group(e, k, loop.index, size);
    loop_end(e, &loop, NULL);
}

/* ---- Weights ---- */

static void scale_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct route_pass *pass = context;
    value scale = splat_f32(e, pass->k->attributes[ROUTE_SCALE].real, step->lanes);
    column_store(e, step, pass->to, mulf(e, column_load(e, step, pass->from), scale));
}

static void finish_weights(struct emitter *e, const struct route_kernel *k, value weights)
{
    struct columns columns = {k->used, e->lanes, 1};
    struct route_pass pass = {.k = k, .from = k->chosen, .to = k->chosen};
    int64_t post = k->attributes[ROUTE_POST].integer;
    if (post == POST_SOFTMAX) emit_softmax(e, k->chosen, k->chosen, k->used);
    if (post == POST_RENORMALISE) {
        value sum = fold(e, &pass, k->used, sum_step, 0);
        sum = maximumf(e, sum, constant_f32(e, k->attributes[ROUTE_FLOOR].real));
        pass.number = addf(e, sum, constant_f32(e, k->attributes[ROUTE_EPSILON].real));
        columns_each(e, &columns, divide_step, &pass, NULL);
    }
    pass.to = weights;
    columns_each(e, &columns, scale_step, &pass, NULL);
}

static void emit_token(struct emitter *e, const struct row_kernel *kernel, value token)
{
    const struct route_kernel *k = kernel->state;
    value logits = number_at(e, k->logits, mul(e, token, constant_i64(e, k->experts)));
    value first = mul(e, token, constant_i64(e, k->used));
    value ids = number_at(e, k->ids, first);
    bool from_logit = k->attributes[ROUTE_WEIGHT_FROM].integer == WEIGHT_FROM_LOGIT;
    struct loop loop;
    make_scores(e, k, logits);
    if (k->attributes[ROUTE_GROUPS].integer > 1) keep_groups(e, k);
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, k->used), 1, NULL, 0);
    value expert = choice_take(e, &k->choice);
    store(e, truncate_to(e, expert, e->i32), number_at(e, ids, loop.index), 4);
    value weight = load(e, e->f32, number_at(e, from_logit ? logits : k->scores, expert), 4);
    store(e, weight, number_at(e, k->chosen, loop.index), 4);
    loop_end(e, &loop, NULL);
    finish_weights(e, k, number_at(e, k->weights, first));
}

static void begin_route(struct emitter *e, const struct row_kernel *kernel)
{
    struct route_kernel *k = kernel->state;
    *k = (struct route_kernel){.attributes = kernel->problem->attributes,
                               .experts = fixed_dimension(kernel->problem, ROUTE_LOGITS, 1),
                               .logits = kernel->operands[ROUTE_LOGITS],
                               .bias = kernel->operands[ROUTE_BIAS],
                               .ids = kernel->operands[ROUTE_EXPERTS],
                               .weights = kernel->operands[ROUTE_WEIGHTS]};
    k->used = k->attributes[ROUTE_USED].integer;
    k->scores = stack_room(e, 4 * k->experts);
    k->chosen = stack_room(e, 4 * k->used);
    k->choice = choice_of(e, k->experts);
    k->groups = choice_of(e, k->attributes[ROUTE_GROUPS].integer);
}

generate_function route_cpu_generate;

status route_cpu_generate(const struct generation *generation, struct arena *arena,
                          struct image *image, struct listing *listing,
                          struct diagnostic *diagnostic)
{
    struct route_kernel route;
    struct row_kernel kernel = {.name = "route",
                                .operand = ROUTE_LOGITS,
                                .begin = begin_route,
                                .body = emit_token,
                                .state = &route};
    return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
}
