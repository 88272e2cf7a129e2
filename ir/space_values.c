/* The values of a space's names, in whole numbers and in reals, and computing expressions over
 * them. */
#include "ir/space_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Reals become whole numbers without their fraction, within what an int64_t holds. */
static int64_t whole_of(double value)
{
    const double limit = 9e18; /* a little below 2^63 */
    if (isnan(value)) return 0;
    return (int64_t)fmax(-limit, fmin(limit, value));
}

static void set_both(struct slot_values *values, int slot, double value)
{
    values->whole[slot] = whole_of(value);
    values->real[slot] = value;
}

void slot_assign(struct slot_values *values, int slot, int64_t value)
{
    values->whole[slot] = value;
    values->real[slot] = (double)value;
}

int operand_by_name(const struct problem *problem, const char *name)
{
    const struct input_rule *inputs = problem->op->inputs;
    for (int i = 0; i < problem->input_count; i++)
        if (strcmp(inputs[i].name, name) == 0) return i;
    const char *const *outputs = problem->op->outputs;
    for (int o = 0; o < problem->output_count; o++)
        if (strcmp(outputs[o], name) == 0) return problem->input_count + o;
    return -1;
}

static int64_t operand_property(const struct problem *problem, const struct slot *slot)
{
    int index = operand_by_name(problem, slot->operand);
    if (index < 0 || !problem->operands[index].present) return 0;
    const struct tensor_type *type = &problem->operands[index].type;
    int64_t symbols[SYMBOL_COUNT];
    switch (slot->kind) {
    case SLOT_OPERAND_ROWS: problem_symbols(problem, symbols); return tensor_rows(type, symbols);
    case SLOT_OPERAND_COLUMNS: return tensor_columns(type);
    case SLOT_OPERAND_BYTES: return problem_operand_bytes(problem, index);
    case SLOT_OPERAND_PRESENT: return 1;
    case SLOT_OPERAND_BLOCK: return element_of(type->element)->block_elements;
    case SLOT_OPERAND_TYPE: return (int64_t)type->element;
    case SLOT_OPERAND_ELEMENT: return (int64_t)type->element == slot->value;
    case SLOT_OPERAND_LAYOUT: return (int64_t)type->layout == slot->value;
    default: break;
    }
    assert(!"a slot of an operand");
    return 0;
}

static void bind_attribute(const struct problem *problem, const struct slot *slot, int index,
                           struct slot_values *values)
{
    int row = attribute_by_name(problem->op, slot->name);
    if (row < 0)
        slot_assign(values, index, 0);
    else if (problem->op->attributes[row].kind == ATTRIBUTE_REAL)
        set_both(values, index, problem->attributes[row].real);
    else
        slot_assign(values, index, problem->attributes[row].integer);
}

void space_bind_slots(struct bound_space *bound)
{
    const struct space *space = bound->space;
    struct slot_values *values = &bound->values;
    struct cost cost = problem_cost(bound->problem);
    for (int s = space->tunable_count + space->let_count; s < space->slot_count; s++) {
        const struct slot *slot = &space->slots[s];
        switch (slot->kind) {
        case SLOT_WORD: slot_assign(values, s, slot->value); break;
        case SLOT_FACT: set_both(values, s, bound->facts->values[slot->value]); break;
        case SLOT_ROWS: slot_assign(values, s, bound->problem->rows); break;
        case SLOT_CONTEXT: slot_assign(values, s, bound->problem->context); break;
        case SLOT_OPERATIONS: set_both(values, s, cost.operations); break;
        case SLOT_BYTES: set_both(values, s, cost.bytes); break;
        case SLOT_ATTRIBUTE: bind_attribute(bound->problem, slot, s, values); break;
        default: slot_assign(values, s, operand_property(bound->problem, slot)); break;
        }
    }
}

bool value_whole(const struct expression *expression, const struct slot_values *values,
                 int64_t *value)
{
    struct diagnostic
        diagnostic; /* only the code is set: clearing the text would cost more than the computing */
    diagnostic.code = STATUS_OK;
    if (expression->slots_used & values->undefined_whole) return false;
    return expression_integer(expression, values->whole, value, &diagnostic) == STATUS_OK;
}

bool value_real(const struct expression *expression, const struct slot_values *values,
                double *value)
{
    struct diagnostic diagnostic;
    diagnostic.code = STATUS_OK;
    if (expression->slots_used & values->undefined_real) return false;
    return expression_real(expression, values->real, value, &diagnostic) == STATUS_OK &&
           !isnan(*value);
}

bool condition_holds(const struct expression *condition, bool real,
                     const struct slot_values *values)
{
    int64_t whole = 0;
    double number = 0;
    if (real) return value_real(condition, values, &number) && number != 0;
    return value_whole(condition, values, &whole) && whole != 0;
}

void let_evaluate(const struct space *space, int index, struct slot_values *values)
{
    const struct let *let = &space->lets[index];
    int slot = space->tunable_count + index;
    slot_mask bit = slot_bit(slot);
    values->undefined_whole &= ~bit;
    values->undefined_real &= ~bit;
    if (let->used_whole && !value_whole(let->value, values, &values->whole[slot]))
        values->undefined_whole |= bit;
    if (let->used_real && !value_real(let->value, values, &values->real[slot]))
        values->undefined_real |= bit;
}

void space_values(const struct bound_space *bound, const struct config *config,
                  struct slot_values *values)
{
    const struct space *space = bound->space;
    *values = bound->values;
    for (int t = 0; t < space->tunable_count; t++) slot_assign(values, t, config->values[t]);
    for (int l = 0; l < space->let_count; l++)
        if (space->lets[l].depth > 0) let_evaluate(space, l, values);
}
