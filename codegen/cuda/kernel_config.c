/* Writes config.cuh. */
#include "codegen/cuda/kernel_config.h"

#include "ir/layout.h"

#include <string.h>

struct writer {
    const struct bound_space *bound;
    const struct space *space;
    const struct problem *problem;
    struct slot_values values;
    struct text text;
};

static void write_whole(struct writer *writer, const char *name, int64_t value)
{
    const char *type = value == (int32_t)value ? "int" : "long long";
    text_print(&writer->text, "constexpr %s %s = %lld;\n", type, name, (long long)value);
}

/* With a point or an exponent, as C++ wants it before the f. */
static void write_real(struct writer *writer, const char *name, double value)
{
    text_print(&writer->text, "constexpr float %s = %.9ef;\n", name, value);
    text_print(&writer->text, "constexpr double %s_exact = %.17e;\n", name, value);
}

static void write_joined(struct writer *writer, const char *name, const char *word, int64_t value)
{
    text_print(&writer->text, "constexpr int %s_%s = %lld;\n", name, word, (long long)value);
}

static void write_elements(struct writer *writer)
{
    for (int e = 0; e < ELEMENT_COUNT; e++)
        write_joined(writer, "element", element_of((enum element_type)e)->name, e);
    for (int l = 0; l < LAYOUT_COUNT; l++)
        write_joined(writer, "layout", layout_name((enum layout)l), l);
}

static void write_tunables(struct writer *writer)
{
    for (int t = 0; t < writer->space->tunable_count; t++) {
        const struct tunable *tunable = &writer->space->tunables[t];
        if (tunable->kind == TUNABLE_DISCOVERED) continue;
        write_whole(writer, tunable->name, writer->values.whole[t]);
        for (int v = 0; tunable->words && v < tunable->value_count; v++)
            write_joined(writer, tunable->name, tunable->words[v], v);
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

static void write_lets(struct writer *writer)
{
    const struct space *space = writer->space;
    for (int l = 0; l < space->let_count; l++) {
        int slot = space->tunable_count + l;
        bool known = !space->lets[l].real && !(writer->values.undefined_whole >> slot & 1);
        if (known && !reads_measured(space, space->lets[l].value))
            write_whole(writer, space->lets[l].name, writer->values.whole[slot]);
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

static void write_attribute(struct writer *writer, const struct attribute_rule *rule)
{
    const struct problem *problem = writer->problem;
    int row = attribute_by_name(problem->op, rule->name);
    union attribute value = {.integer = 0};
    if (row >= 0)
        value = problem->attributes[row];
    else if (rule->kind == ATTRIBUTE_REAL)
        value.real = 0;
    if (rule->kind == ATTRIBUTE_REAL)
        write_real(writer, rule->name, value.real);
    else
        write_whole(writer, rule->name, value.integer);
    for (int c = 0; rule->kind == ATTRIBUTE_CHOICE && rule->choices[c]; c++)
        write_joined(writer, rule->name, rule->choices[c], c);
}

static void write_attributes(struct writer *writer)
{
    for (const struct op *const *op = writer->space->ops; *op; op++)
        for (const struct attribute_rule *rule = (*op)->attributes; rule && rule->name; rule++)
            if (!attribute_is_done(writer->space, op, rule->name)) write_attribute(writer, rule);
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
static void write_operand(struct writer *writer, const char *name, int index)
{
    static const struct tensor_type absent = {.rank = 0};
    const struct operand *operand = index >= 0 ? &writer->problem->operands[index] : NULL;
    bool present = operand && operand->present;
    const struct tensor_type *type = present ? &operand->type : &absent;
    bool leads = type->rank > 0 && type->shape[0].symbol == SYMBOL_ROWS;
    write_joined(writer, name, "present", present);
    write_joined(writer, name, "element", present ? (int64_t)type->element : -1);
    write_joined(writer, name, "layout", present ? type->layout : -1);
    write_joined(writer, name, "rows", present ? fixed_rows(type) : 0);
    write_joined(writer, name, "per_row", leads ? type->shape[0].scale : 0);
    write_joined(writer, name, "columns", present ? tensor_columns(type) : 0);
    for (int d = 0; d < type->rank && type->rank > 2; d++)
        text_print(&writer->text, "constexpr int %s_dimension_%d = %lld;\n", name, d,
                   (long long)fixed_size(type->shape[d]));
}

static void write_operands(struct writer *writer)
{
    for (const struct op *const *op = writer->space->ops; *op; op++) {
        int count = op_input_count(*op) + op_output_count(*op);
        for (int i = 0; i < count; i++) {
            const char *name = operand_name(*op, i);
            bool done = false;
            for (const struct op *const *before = writer->space->ops; before < op; before++)
                done = done || operand_index(*before, name) >= 0;
            if (!done) write_operand(writer, name, operand_index(writer->problem->op, name));
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
                            "CUDA kernels take at most 2^31 - 1 rows and columns: %s",
                            problem->text);
    }
    return STATUS_OK;
}

status kernel_config_write(const struct bound_space *bound, const struct config *config,
                           struct arena *arena, const char **result, struct diagnostic *diagnostic)
{
    struct writer writer = {
        .bound = bound, .space = bound->space, .problem = bound->problem, .text = {.arena = arena}};
    TRY(check_sizes(bound->problem, diagnostic));
    space_values(bound, config, &writer.values);
    text_print(&writer.text, "// %s\n// %s ", bound->problem->text, bound->space->variant);
    config_print(bound->space, config, &writer.text);
    /* Names that the compiler has for itself (floor) are not in its way here: kernels say config::floor. */
    text_append(&writer.text, "\n#pragma once\nnamespace config {\n");
    write_whole(&writer, "sm", (int64_t)bound->facts->values[FACT_sm]);
    write_whole(&writer, "problem_rows", bound->problem->rows);
    write_whole(&writer, "problem_context", bound->problem->context);
    write_elements(&writer);
    write_tunables(&writer);
    write_lets(&writer);
    write_attributes(&writer);
    write_operands(&writer);
    text_append(&writer.text, "}\nusing namespace config;\n");
    *result = text_finish(&writer.text);
    TRY_MEMORY(*result, diagnostic);
    return STATUS_OK;
}
