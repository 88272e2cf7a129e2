/* Attributes of operators: defaults, bounds, comparison, and the one form in which reals are kept.
 */
#include "ir/graph.h"
#include "ir/graph_edit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void attributes_default(const struct op *op, union attribute *attributes)
{
    memset(attributes, 0, OP_ATTRIBUTES_MAX * sizeof *attributes);
    for (int a = 0; a < op_attribute_count(op); a++) {
        const struct attribute_rule *rule = &op->attributes[a];
        if (rule->kind == ATTRIBUTE_REAL)
            attributes[a].real = rule->otherwise;
        else
            attributes[a].integer = (int64_t)rule->otherwise;
    }
}

int attribute_by_name(const struct op *op, const char *name)
{
    for (int a = 0; a < op_attribute_count(op); a++)
        if (!strcmp(op->attributes[a].name, name)) return a;
    return -1;
}

int attribute_choice_count(const struct attribute_rule *rule)
{
    int count = 0;
    while (rule->choices[count]) count++;
    return count;
}

const char *attribute_real_print(double value, int digits, char buffer[static ATTRIBUTE_TEXT_BYTES])
{
    int length = snprintf(buffer, ATTRIBUTE_TEXT_BYTES, "%.*g", digits, value);
    for (int i = 0; i < length; i++) /* a locale's decimal mark */
        if (!strchr("0123456789+-einfa", buffer[i])) buffer[i] = '.';
    return buffer;
}

/* A float keeps every decimal number of six digits apart, so that printing six gives back what had
 * six or fewer; whole numbers below 1e6 are among these. */
enum { FAITHFUL_DIGITS = 6 };

/* The shortest decimal number that rounds to the same float: 1e-05 for 1e-5 as well as for
 * (double)1e-5f. */
static double shortest_real(double value)
{
    char buffer[ATTRIBUTE_TEXT_BYTES];
    double shorter = value;
    if (!isfinite((float)value)) return value;
    if (fabs(value) < 1e6 && floor(value) == value) return value;
    for (int digits = FAITHFUL_DIGITS; digits <= ATTRIBUTE_REAL_DIGITS; digits++) {
        attribute_real_print((double)(float)value, digits, buffer);
        if (text_to_real(buffer, &shorter) && (float)shorter == (float)value) return shorter;
    }
    return value;
}

void attributes_normalize(const struct op *op, union attribute *attributes)
{
    int count = op_attribute_count(op);
    for (int a = 0; a < count; a++)
        if (op->attributes[a].kind == ATTRIBUTE_REAL)
            attributes[a].real = shortest_real(attributes[a].real);
    memset(attributes + count, 0, (size_t)(OP_ATTRIBUTES_MAX - count) * sizeof *attributes);
}

static bool attribute_equal(const struct attribute_rule *rule, union attribute a, union attribute b)
{
    return rule->kind == ATTRIBUTE_REAL ? a.real == b.real : a.integer == b.integer;
}

bool attributes_equal(const struct op *op, const union attribute *a, const union attribute *b)
{
    for (int i = 0; i < op_attribute_count(op); i++)
        if (!attribute_equal(&op->attributes[i], a[i], b[i])) return false;
    return true;
}

bool attribute_is_default(const struct op *op, const union attribute *attributes, int row)
{
    const struct attribute_rule *rule = &op->attributes[row];
    union attribute otherwise;
    if (rule->kind == ATTRIBUTE_REAL)
        otherwise.real = shortest_real(rule->otherwise);
    else
        otherwise.integer = (int64_t)rule->otherwise;
    return attribute_equal(rule, attributes[row], otherwise);
}

static status integer_check(const struct op *op, const struct attribute_rule *rule, int64_t value,
                            struct diagnostic *diagnostic)
{
    bool bounded = rule->least != 0 || rule->most != 0;
    if (!bounded || ((double)value >= rule->least && (double)value <= rule->most)) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%s of %s is %" PRId64 "; it must be %.9g to %.9g",
                rule->name, op->name, value, rule->least, rule->most);
}

static status real_check(const struct op *op, const struct attribute_rule *rule, double value,
                         struct diagnostic *diagnostic)
{
    bool bounded = rule->least != 0 || rule->most != 0;
    if (!isfinite((float)value))
        return fail(diagnostic, STATUS_BAD_INPUT, "%s of %s is %g; it must be a finite float",
                    rule->name, op->name, value);
    if (!bounded || (value >= rule->least && value <= rule->most)) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "%s of %s is %.9g; it must be %.9g to %.9g",
                rule->name, op->name, value, rule->least, rule->most);
}

status attributes_check(const struct op *op, const union attribute *attributes,
                        struct diagnostic *diagnostic)
{
    for (int a = 0; a < op_attribute_count(op); a++) {
        const struct attribute_rule *rule = &op->attributes[a];
        int64_t integer = attributes[a].integer;
        switch (rule->kind) {
        case ATTRIBUTE_INTEGER: TRY(integer_check(op, rule, integer, diagnostic)); break;
        case ATTRIBUTE_REAL: TRY(real_check(op, rule, attributes[a].real, diagnostic)); break;
        case ATTRIBUTE_CHOICE:
            if (integer >= 0 && integer < attribute_choice_count(rule)) break;
            return fail(diagnostic, STATUS_BAD_INPUT, "%s of %s is %" PRId64 "; it has %d choices",
                        rule->name, op->name, integer, attribute_choice_count(rule));
        }
    }
    return STATUS_OK;
}
