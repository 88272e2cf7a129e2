/* Collects the constants of a kernel. */
#include "codegen/kernel_constants.h"

#include "ir/layout.h"

#include <string.h>

struct collector {
    const struct space *space;
    const struct problem *problem;
    struct slot_values values;
    struct arena *arena;
    struct kernel_constants *constants;
    bool out_of_memory;
};

static void add_constant(struct collector *collector, struct kernel_constant constant)
{
    struct kernel_constants *constants = collector->constants;
    struct kernel_constant *rows =
        arena_grow(collector->arena, constants->rows, (size_t)constants->count,
                   &constants->capacity, sizeof *rows);
    if (!rows || !constant.name) {
        collector->out_of_memory = true;
        return;
    }
    constants->rows = rows;
    constants->rows[constants->count++] = constant;
}

static void add_whole(struct collector *collector, const char *name, int64_t value)
{
    add_constant(collector, (struct kernel_constant){.name = name, .whole = value});
}

static void add_joined(struct collector *collector, const char *name, const char *word,
                       int64_t value)
{
    add_whole(collector, arena_print(collector->arena, "%s_%s", name, word), value);
}

static void add_elements(struct collector *collector)
{
    for (int e = 0; e < ELEMENT_COUNT; e++)
        add_joined(collector, "element", element_of((enum element_type)e)->name, e);
    for (int l = 0; l < LAYOUT_COUNT; l++)
        add_joined(collector, "layout", layout_name((enum layout)l), l);
}

static void add_tunables(struct collector *collector)
{
    for (int t = 0; t < collector->space->tunable_count; t++) {
        const struct tunable *tunable = &collector->space->tunables[t];
        if (tunable->kind == TUNABLE_DISCOVERED) continue;
        add_whole(collector, tunable->name, collector->values.whole[t]);
        for (int v = 0; tunable->words && v < tunable->value_count; v++)
            add_joined(collector, tunable->name, tunable->words[v], v);
    }
}

/* Whether the let, or one that it reads, reads a fact that is measured. */
static bool reads_measured(const struct space *space, const struct expression *value)
{
    for (int s = space->tunable_count; s < space->slot_count; s++) {
        if (!(value->slots_used >> s & 1)) continue;
        const struct slot *slot = &space->slots[s];
        if (slot->kind == SLOT_FACT && fact_is_measured((enum fact)slot->value)) return true;
        if (slot->kind == SLOT_LET && reads_measured(space, space->lets[slot->value].value))
            return true;
    }
    return false;
}

static void add_lets(struct collector *collector)
{
    const struct space *space = collector->space;
    for (int l = 0; l < space->let_count; l++) {
        int slot = space->tunable_count + l;
        bool known = !space->lets[l].real && !(collector->values.undefined_whole >> slot & 1);
        if (known && !reads_measured(space, space->lets[l].value))
            add_whole(collector, space->lets[l].name, collector->values.whole[slot]);
    }
}

/* ---- Attributes and operands, of all operators that the variant answers ---- */

/* Whether an operator before this one in the space's list has the name. */
static bool attribute_is_done(const struct space *space, const struct op *const *until,
                              const char *name)
{
    for (const struct op *const *op = space->ops; op < until; op++)
        if (attribute_by_name(*op, name) >= 0) return true;
    return false;
}

static void add_attribute(struct collector *collector, const struct attribute_rule *rule)
{
    const struct problem *problem = collector->problem;
    int row = attribute_by_name(problem->op, rule->name);
    struct kernel_constant constant = {.name = rule->name, .real = rule->kind == ATTRIBUTE_REAL};
    if (row >= 0 && constant.real) constant.value = problem->attributes[row].real;
    if (row >= 0 && !constant.real) constant.whole = problem->attributes[row].integer;
    add_constant(collector, constant);
    for (int c = 0; rule->kind == ATTRIBUTE_CHOICE && rule->choices[c]; c++)
        add_joined(collector, rule->name, rule->choices[c], c);
}

static void add_attributes(struct collector *collector)
{
    for (const struct op *const *op = collector->space->ops; *op; op++)
        for (const struct attribute_rule *rule = (*op)->attributes; rule && rule->name; rule++)
            if (!attribute_is_done(collector->space, op, rule->name))
                add_attribute(collector, rule);
}

static const char *operand_name(const struct op *op, int index)
{
    int inputs = op_input_count(op);
    return index < inputs ? op->inputs[index].name : op->outputs[index - inputs];
}

static int operand_index(const struct op *op, const char *name)
{
    int count = op_input_count(op) + op_output_count(op);
    for (int i = 0; i < count; i++)
        if (strcmp(operand_name(op, i), name) == 0) return i;
    return -1;
}

static int64_t fixed_size(struct dimension dimension)
{
    return dimension.symbol == SYMBOL_NONE ? dimension.scale : 0;
}

static int64_t fixed_rows(const struct tensor_type *type)
{
    int64_t rows = 1;
    for (int d = 0; d + 1 < type->rank; d++) rows *= fixed_size(type->shape[d]);
    return rows;
}

/* `index` -1: another operator's operand. */
static void add_operand(struct collector *collector, const char *name, int index)
{
    static const struct tensor_type absent = {.rank = 0};
    const struct operand *operand = index >= 0 ? &collector->problem->operands[index] : NULL;
    bool present = operand && operand->present;
    const struct tensor_type *type = present ? &operand->type : &absent;
    bool leads = type->rank > 0 && type->shape[0].symbol == SYMBOL_ROWS;
    add_joined(collector, name, "present", present);
    add_joined(collector, name, "element", present ? (int64_t)type->element : -1);
    add_joined(collector, name, "layout", present ? type->layout : -1);
    add_joined(collector, name, "rows", present ? fixed_rows(type) : 0);
    add_joined(collector, name, "per_row", leads ? type->shape[0].scale : 0);
    add_joined(collector, name, "columns", present ? tensor_columns(type) : 0);
    for (int d = 0; d < type->rank && type->rank > 2; d++)
        add_whole(collector, arena_print(collector->arena, "%s_dimension_%d", name, d),
                  fixed_size(type->shape[d]));
}

static void add_operands(struct collector *collector)
{
    for (const struct op *const *op = collector->space->ops; *op; op++) {
        int count = op_input_count(*op) + op_output_count(*op);
        for (int i = 0; i < count; i++) {
            const char *name = operand_name(*op, i);
            bool done = false;
            for (const struct op *const *before = collector->space->ops; before < op; before++)
                done = done || operand_index(*before, name) >= 0;
            if (!done) add_operand(collector, name, operand_index(collector->problem->op, name));
        }
    }
}

/* Operands' sizes are ints in kernels; offsets are 64 bits wide there. */
static status check_sizes(const struct problem *problem, struct diagnostic *diagnostic)
{
    for (int i = 0; i < problem->input_count + problem->output_count; i++) {
        const struct tensor_type *type = &problem->operands[i].type;
        for (int d = 0; problem->operands[i].present && d < type->rank; d++)
            if (type->shape[d].scale > INT32_MAX || fixed_rows(type) > INT32_MAX)
                return fail(diagnostic, STATUS_UNSUPPORTED,
                            "kernels from source texts take at most 2^31 - 1 rows and columns: %s",
                            problem->text);
    }
    return STATUS_OK;
}

status kernel_constants_collect(const struct bound_space *bound, const struct config *config,
                                struct arena *arena, struct kernel_constants *constants,
                                struct diagnostic *diagnostic)
{
    struct collector collector = {
        .space = bound->space, .problem = bound->problem, .arena = arena, .constants = constants};
    *constants = (struct kernel_constants){0};
    TRY(check_sizes(bound->problem, diagnostic));
    space_values(bound, config, &collector.values);
    add_whole(&collector, "sm", (int64_t)bound->facts->values[FACT_sm]);
    add_whole(&collector, "problem_rows", bound->problem->rows);
    add_whole(&collector, "problem_context", bound->problem->context);
    add_elements(&collector);
    add_tunables(&collector);
    add_lets(&collector);
    add_attributes(&collector);
    add_operands(&collector);
    return collector.out_of_memory ? fail_memory(diagnostic, sizeof *constants->rows) : STATUS_OK;
}
