/* What the names in a space's expressions stand for.  Names get slots as expressions use them. */
#include "base/text.h"
#include "ir/layout.h"
#include "ir/space_internal.h"

#include <string.h>

static bool is_name(const char *name, const char *start, size_t length)
{
    return strlen(name) == length && memcmp(name, start, length) == 0;
}

static bool find_tunable(const struct space *space, const char *name, size_t length,
                         struct slot *slot)
{
    for (int t = 0; t < space->tunable_count; t++) {
        if (!is_name(space->tunables[t].name, name, length)) continue;
        *slot = (struct slot){.kind = SLOT_TUNABLE, .value = t};
        return true;
    }
    return false;
}

static bool find_let(const struct space *space, const char *name, size_t length, struct slot *slot)
{
    for (int l = 0; l < space->let_count; l++) {
        if (!is_name(space->lets[l].name, name, length)) continue;
        *slot = (struct slot){.kind = SLOT_LET, .value = l, .real = space->lets[l].real};
        return true;
    }
    return false;
}

static bool find_bound(const char *name, size_t length, struct slot *slot)
{
    static const struct {
        const char *name;
        enum slot_kind kind;
    } rows[] = {{"rows", SLOT_ROWS},
                {"context", SLOT_CONTEXT},
                {"operations", SLOT_OPERATIONS},
                {"bytes", SLOT_BYTES}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!is_name(rows[i].name, name, length)) continue;
        *slot = (struct slot){.kind = rows[i].kind};
        return true;
    }
    for (int f = 0; f < FACT_COUNT; f++) {
        if (!is_name(fact_name((enum fact)f), name, length)) continue;
        *slot = (struct slot){.kind = SLOT_FACT, .value = f};
        return true;
    }
    return false;
}

static bool find_attribute(const struct space *space, const char *name, size_t length,
                           struct slot *slot)
{
    bool found = false;
    for (const struct op *const *op = space->ops; *op; op++) {
        const struct attribute_rule *rule = (*op)->attributes;
        for (; rule && rule->name; rule++) {
            if (!is_name(rule->name, name, length)) continue;
            if (!found) *slot = (struct slot){.kind = SLOT_ATTRIBUTE};
            if (rule->kind == ATTRIBUTE_REAL) slot->real = true;
            found = true;
        }
    }
    return found;
}

/* Words of tunables and of the attributes' choices.  The number of different values found; the
 * first one goes into `slot`. */
static int find_words(const struct space *space, const char *name, size_t length, struct slot *slot)
{
    int count = 0;
    for (int t = 0; t < space->tunable_count; t++) {
        const struct tunable *tunable = &space->tunables[t];
        for (int v = 0; tunable->words && v < tunable->value_count; v++) {
            if (!is_name(tunable->words[v], name, length)) continue;
            if (count && slot->value == v) continue;
            if (!count++) *slot = (struct slot){.kind = SLOT_WORD, .value = v};
        }
    }
    for (const struct op *const *op = space->ops; *op; op++) {
        const struct attribute_rule *rule = (*op)->attributes;
        for (; rule && rule->name; rule++) {
            for (int c = 0; rule->kind == ATTRIBUTE_CHOICE && rule->choices[c]; c++) {
                if (!is_name(rule->choices[c], name, length)) continue;
                if (count && slot->value == c) continue;
                if (!count++) *slot = (struct slot){.kind = SLOT_WORD, .value = c};
            }
        }
    }
    return count;
}

const char *space_operand(const struct space *space, const char *name, size_t length)
{
    for (const struct op *const *op = space->ops; *op; op++) {
        for (const struct input_rule *input = (*op)->inputs; input && input->name; input++)
            if (is_name(input->name, name, length)) return input->name;
        for (const char *const *output = (*op)->outputs; output && *output; output++)
            if (is_name(*output, name, length)) return *output;
    }
    return NULL;
}

static bool find_property(const char *property, struct slot *slot)
{
    static const struct {
        const char *name;
        enum slot_kind kind;
    } rows[] = {{"rows", SLOT_OPERAND_ROWS},   {"columns", SLOT_OPERAND_COLUMNS},
                {"bytes", SLOT_OPERAND_BYTES}, {"present", SLOT_OPERAND_PRESENT},
                {"block", SLOT_OPERAND_BLOCK}, /* columns of a block; 1: a plain type */
                {"type", SLOT_OPERAND_TYPE}};  /* to be compared with another's */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, property) != 0) continue;
        slot->kind = rows[i].kind;
        return true;
    }
    enum element_type element;
    enum layout layout;
    if (element_by_name(property, &element)) {
        slot->kind = SLOT_OPERAND_ELEMENT;
        slot->value = element;
        return true;
    }
    if (layout_by_name(property, &layout)) {
        slot->kind = SLOT_OPERAND_LAYOUT;
        slot->value = layout;
        return true;
    }
    return false;
}

/* OPERAND.PROPERTY */
static bool find_operand_property(const struct space *space, const char *name, size_t length,
                                  struct slot *slot)
{
    const char *dot = memchr(name, '.', length);
    if (!dot) return false;
    char property[64];
    size_t property_length = length - (size_t)(dot - name) - 1;
    if (property_length >= sizeof property) return false;
    memcpy(property, dot + 1, property_length);
    property[property_length] = 0;
    *slot = (struct slot){.operand = space_operand(space, name, (size_t)(dot - name))};
    return slot->operand && find_property(property, slot);
}

/* The number of meanings of a name; more than one makes it ambiguous. */
static int find_meaning(const struct space *space, const char *name, size_t length,
                        struct slot *slot)
{
    if (find_tunable(space, name, length, slot) || find_let(space, name, length, slot) ||
        find_bound(name, length, slot) || find_operand_property(space, name, length, slot) ||
        find_attribute(space, name, length, slot))
        return 1;
    return find_words(space, name, length, slot);
}

const char *space_name_taken(const struct name_context *context, const char *name)
{
    static const char *const meanings[] = {
        [SLOT_TUNABLE] = "a tunable",
        [SLOT_LET] = "a let value",
        [SLOT_WORD] = "a tunable's word or an attribute's choice",
        [SLOT_FACT] = "a device fact",
        [SLOT_ROWS] = "the problem's rows",
        [SLOT_CONTEXT] = "the problem's context",
        [SLOT_OPERATIONS] = "the problem's operations",
        [SLOT_BYTES] = "the problem's bytes",
        [SLOT_ATTRIBUTE] = "an attribute of an operator",
    };
    struct slot slot;
    if (!find_meaning(context->space, name, strlen(name), &slot)) return NULL;
    return slot.operand ? "a property of an operand" : meanings[slot.kind];
}

/* A slot behind those in use, or -1 with the reason in the diagnostic. */
static int slot_append(const struct name_context *context, const struct slot *slot,
                       const char *name, size_t length)
{
    struct space *space = context->space;
    char *copy = arena_text_range(context->arena, name, length);
    if (!copy) {
        status code = fail_memory(context->diagnostic, length + 1);
        (void)code;
        return -1;
    }
    if (space->slot_count == SPACE_SLOTS_MAX) {
        status code = yaml_fail(context->node, context->diagnostic,
                                "the space uses more than %d names", SPACE_SLOTS_MAX);
        (void)code;
        return -1;
    }
    space->slots[space->slot_count] = *slot;
    space->slots[space->slot_count].name = copy;
    return space->slot_count++;
}

int space_name_slot(const void *resolver_context, const char *name, size_t length)
{
    const struct name_context *context = resolver_context;
    struct space *space = context->space;
    struct slot slot;
    int meanings = find_meaning(space, name, length, &slot);
    if (!meanings) return -1;
    if (meanings > 1) {
        status code = yaml_fail(context->node, context->diagnostic,
                                "the word '%.*s' stands for different numbers in several places; "
                                "write the number",
                                (int)length, name);
        (void)code;
        return -1;
    }
    if (slot.kind == SLOT_TUNABLE) return (int)slot.value;
    if (slot.kind == SLOT_LET) return space->tunable_count + (int)slot.value;
    for (int s = space->tunable_count; s < space->slot_count; s++)
        if (space->slots[s].name && is_name(space->slots[s].name, name, length)) return s;
    return slot_append(context, &slot, name, length);
}
