/* The text of an operator's attributes: {epsilon=1e-05 mode=silu}. */
#include "ir/graph_edit.h"
#include "ir/scanner.h"

#include <inttypes.h>
#include <string.h>

static void attribute_print(const struct attribute_rule *rule, union attribute attribute,
                            struct text *text)
{
    char buffer[ATTRIBUTE_TEXT_BYTES];
    text_print(text, "%s=", rule->name);
    switch (rule->kind) {
    case ATTRIBUTE_INTEGER: text_print(text, "%" PRId64, attribute.integer); break;
    case ATTRIBUTE_REAL:
        text_append(text, attribute_real_print(attribute.real, ATTRIBUTE_REAL_DIGITS, buffer));
        break;
    case ATTRIBUTE_CHOICE: text_append(text, rule->choices[attribute.integer]); break;
    }
}

void attributes_print(const struct op *op, const union attribute *attributes, bool all,
                      struct text *text)
{
    const char *before = " {";
    for (int a = 0; a < op_attribute_count(op); a++) {
        bool needed = op->attributes[a].required || !attribute_is_default(op, attributes, a);
        if (!all && !needed) continue;
        text_append(text, before);
        attribute_print(&op->attributes[a], attributes[a], text);
        before = " ";
    }
    if (before[1] == 0) text_append(text, "}");
}

/* A value as it is written: digits, letters, signs, points. */
static status attribute_scan(struct scanner *scanner, const struct attribute_rule *rule,
                             union attribute *attribute)
{
    char word[SCANNER_NAME_BYTES];
    size_t length = strcspn(scanner->at, " \t\n}#");
    if (length && length < sizeof word) {
        memcpy(word, scanner->at, length);
        word[length] = 0;
        if (rule->kind == ATTRIBUTE_INTEGER && text_to_integer(word, &attribute->integer))
            return scanner->at += length, STATUS_OK;
        if (rule->kind == ATTRIBUTE_REAL && text_to_real(word, &attribute->real))
            return scanner->at += length, STATUS_OK;
        for (int c = 0; rule->kind == ATTRIBUTE_CHOICE && rule->choices[c]; c++) {
            if (strcmp(word, rule->choices[c])) continue;
            attribute->integer = c;
            return scanner->at += length, STATUS_OK;
        }
    }
    static const char *const kinds[] = {"an integer", "a number", "one of its words"};
    return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT, "%s must be %s", rule->name,
                        kinds[rule->kind]);
}

static status attribute_parse(struct scanner *scanner, const struct op *op,
                              union attribute *attributes, uint32_t *given)
{
    char name[SCANNER_NAME_BYTES];
    TRY(scanner_word(scanner, "an attribute", name));
    const char *start = scanner->at - strlen(name);
    int row = attribute_by_name(op, name);
    if (row < 0)
        return scanner_fail(scanner, start, STATUS_BAD_INPUT, "%s has no attribute %s", op->name,
                            name);
    if (*given >> row & 1)
        return scanner_fail(scanner, start, STATUS_BAD_INPUT, "%s is there twice", name);
    *given |= 1u << row;
    TRY(scanner_expect(scanner, "="));
    return attribute_scan(scanner, &op->attributes[row], &attributes[row]);
}

status attributes_parse(struct scanner *scanner, const struct op *op, union attribute *attributes)
{
    uint32_t given = 0;
    struct diagnostic reason = {0};
    scanner_skip(scanner);
    const char *start = scanner->at;
    attributes_default(op, attributes);
    if (scanner_take(scanner, "{"))
        while (!scanner_take(scanner, "}")) TRY(attribute_parse(scanner, op, attributes, &given));
    for (int a = 0; a < op_attribute_count(op); a++)
        if (op->attributes[a].required && !(given >> a & 1))
            return scanner_fail(scanner, start, STATUS_BAD_INPUT, "%s needs the attribute %s",
                                op->name, op->attributes[a].name);
    attributes_normalize(op, attributes);
    if (attributes_check(op, attributes, &reason) == STATUS_OK) return STATUS_OK;
    return scanner_fail(scanner, start, reason.code, "%s", reason.text);
}
