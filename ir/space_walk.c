/* The depth-first walk over a space: in which order tunables get their values, what can be computed
 * and tested after each, and on what the rest depends.
 *
 * After some steps, what the remaining steps may do depends on the values so far only through the
 * parts of unfinished rules that can be computed already.  In `a * b * c <= limit` that is the
 * product a * b once a and b have values: many pairs give the same product and share one count
 * (space_count.c).  Where no unfinished rule reads anything that has a value, the rest is
 * independent and is counted once. */
#include "ir/space_internal.h"

#include <string.h>

struct preparation {
    struct space *space;
    struct rule *rules;
    struct arena *arena;
    struct diagnostic *diagnostic;
    struct space_walk *walk;
    int slot_depth[SPACE_SLOTS_MAX]; /* steps after which the slot has its value; 0: before the walk
                                      */
    uint64_t let_reads[SPACE_LETS_MAX]; /* bits of tunables that a let depends on */
};

/* Bits of tunables that an expression depends on, through lets as well. */
static uint64_t tunables_of(const struct preparation *p, const struct expression *expression)
{
    int tunables = p->space->tunable_count;
    uint64_t reads = (uint64_t)(expression->slots_used & (slot_bit(tunables) - 1));
    for (int l = 0; l < p->space->let_count; l++)
        if (expression->slots_used >> (tunables + l) & 1) reads |= p->let_reads[l];
    return reads;
}

/* Product of the value counts of those `placed` tunables that unfinished rules read: what a plain
 * walk would have to remember. */
static double open_states(const struct preparation *p, const uint64_t *rule_reads, uint64_t placed)
{
    uint64_t open = 0;
    for (int r = 0; r < p->space->rule_count; r++)
        if (rule_reads[r] & ~placed) open |= rule_reads[r] & placed;
    double states = 1;
    for (int t = 0; t < p->space->tunable_count; t++)
        if (open >> t & 1) states *= p->space->tunables[t].value_count;
    return states;
}

/* Tunables that an unfinished rule ties to those already placed; all others when there are none. */
static uint64_t tied_tunables(const struct preparation *p, const uint64_t *rule_reads,
                              uint64_t placed)
{
    uint64_t all = ((uint64_t)1 << p->space->tunable_count) - 1, tied = 0;
    for (int r = 0; r < p->space->rule_count; r++)
        if (rule_reads[r] & placed) tied |= rule_reads[r] & ~placed;
    return tied ? tied : all & ~placed;
}

/* Greedy: next comes the tunable that leaves the fewest states open, in the order of the file where
 * several do. */
static void choose_order(struct preparation *p)
{
    uint64_t rule_reads[SPACE_RULES_MAX], placed = 0;
    for (int r = 0; r < p->space->rule_count; r++) {
        bool soft = p->space->rules[r].class == RULE_SOFT;
        rule_reads[r] = soft ? 0 : tunables_of(p, p->space->rules[r].require);
    }
    for (int step = 0; step < p->space->tunable_count; step++) {
        uint64_t candidates = tied_tunables(p, rule_reads, placed);
        int best = -1;
        double best_states = 0;
        for (int t = 0; t < p->space->tunable_count; t++) {
            if (!(candidates >> t & 1)) continue;
            double states = open_states(p, rule_reads, placed | (uint64_t)1 << t);
            if (best >= 0 && states >= best_states) continue;
            best = t;
            best_states = states;
        }
        p->walk->steps[step].tunable = best;
        p->slot_depth[best] = step + 1;
        placed |= (uint64_t)1 << best;
    }
}

static int expression_depth(const struct preparation *p, const struct expression *expression)
{
    int depth = 0;
    for (int s = 0; s < p->space->slot_count; s++)
        if (expression->slots_used >> s & 1 && p->slot_depth[s] > depth) depth = p->slot_depth[s];
    return depth;
}

static void set_depths(struct preparation *p)
{
    struct space *space = p->space;
    for (int l = 0; l < space->let_count; l++) {
        int depth = expression_depth(p, space->lets[l].value);
        space->lets[l].depth = depth;
        p->slot_depth[space->tunable_count + l] = depth;
        *(depth ? &p->walk->steps[depth - 1].lets : &p->walk->first_lets) |= (uint64_t)1 << l;
    }
    for (int r = 0; r < space->rule_count; r++) {
        int depth = expression_depth(p, p->rules[r].require);
        p->rules[r].depth = depth;
        if (p->rules[r].class == RULE_SOFT) continue;
        *(depth ? &p->walk->steps[depth - 1].rules : &p->walk->first_rules) |= (uint64_t)1 << r;
    }
}

/* Largest depth of the names below a step. */
static int step_depth(const struct preparation *p, const struct expression *expression, int index)
{
    const struct expression_step *step = &expression->steps[index];
    if (step->operation == EXPRESSION_NAME) return p->slot_depth[step->slot];
    int depth = 0;
    for (int o = 0; o < 3 && step->operands[o] >= 0; o++) {
        int below = step_depth(p, expression, step->operands[o]);
        if (below > depth) depth = below;
    }
    return depth;
}

/* Copies the tree below a step; returns the copy's index. */
static int copy_tree(const struct expression *from, int index, struct expression *to)
{
    struct expression_step step = from->steps[index];
    for (int o = 0; o < 3 && step.operands[o] >= 0; o++)
        step.operands[o] = copy_tree(from, step.operands[o], to);
    if (step.operation == EXPRESSION_NAME) to->slots_used |= slot_bit(step.slot);
    to->steps[to->step_count] = step;
    return to->step_count++;
}

static bool same_expression(const struct expression *a, const struct expression *b)
{
    if (a->step_count != b->step_count) return false;
    for (int s = 0; s < a->step_count; s++) {
        const struct expression_step *x = &a->steps[s], *y = &b->steps[s];
        if (x->operation != y->operation || x->slot != y->slot || x->integer != y->integer ||
            memcmp(&x->real, &y->real, sizeof x->real) != 0 ||
            memcmp(x->operands, y->operands, sizeof x->operands) != 0)
            return false;
    }
    return true;
}

struct piece_list {
    struct piece *items;
    int count;
    size_t capacity;
};

static status add_piece(const struct preparation *p, const struct expression *expression, int index,
                        bool real, struct piece_list *list)
{
    struct expression *copy;
    TRY_NEW(copy, p->arena, 1, p->diagnostic);
    copy->text = expression->text;
    copy->origin = expression->origin;
    TRY_NEW(copy->steps, p->arena, index + 1, p->diagnostic);
    copy_tree(expression, index, copy);
    for (int i = 0; i < list->count; i++)
        if (list->items[i].real == real && same_expression(list->items[i].expression, copy))
            return STATUS_OK;
    TRY_APPEND(list->items, list->count, list->capacity, p->arena, p->diagnostic);
    list->items[list->count - 1] = (struct piece){.expression = copy, .real = real};
    return STATUS_OK;
}

/* The largest parts below a step that depend on tunables and can be computed after `depth` steps.
 */
static status collect_pieces(const struct preparation *p, const struct expression *expression,
                             int index, int depth, bool real, struct piece_list *list)
{
    const struct expression_step *step = &expression->steps[index];
    int needed = step_depth(p, expression, index);
    if (needed == 0) return STATUS_OK;
    if (needed <= depth) return add_piece(p, expression, index, real, list);
    if (step->operation == EXPRESSION_NAME) {
        int let = step->slot - p->space->tunable_count;
        if (let < 0) return STATUS_OK;
        const struct expression *value = p->space->lets[let].value;
        return collect_pieces(p, value, value->step_count - 1, depth, real, list);
    }
    for (int o = 0; o < 3 && step->operands[o] >= 0; o++)
        TRY(collect_pieces(p, expression, step->operands[o], depth, real, list));
    return STATUS_OK;
}

static status find_pieces(const struct preparation *p, int depth)
{
    struct piece_list list = {0};
    for (int r = 0; r < p->space->rule_count; r++) {
        const struct rule *rule = &p->rules[r];
        if (rule->class == RULE_SOFT || rule->depth <= depth) continue;
        TRY(collect_pieces(p, rule->require, rule->require->step_count - 1, depth, rule->real,
                           &list));
    }
    p->walk->steps[depth - 1].pieces = list.items;
    p->walk->steps[depth - 1].piece_count = list.count;
    return STATUS_OK;
}

status space_walk_prepare(struct space *space, struct rule *rules, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    struct preparation p = {
        .space = space, .rules = rules, .arena = arena, .diagnostic = diagnostic};
    TRY_NEW(p.walk, arena, 1, diagnostic);
    for (int l = 0; l < space->let_count; l++)
        p.let_reads[l] = tunables_of(&p, space->lets[l].value);
    choose_order(&p);
    set_depths(&p);
    for (int depth = 1; depth <= space->tunable_count; depth++) TRY(find_pieces(&p, depth));
    space->walk = p.walk;
    return STATUS_OK;
}
