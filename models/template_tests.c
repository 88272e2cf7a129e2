/* The tests of chat templates: `x is name`. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>
#include <utf8proc.h>

/* A test that is an expression of its subject. */
#define TEST(test, condition)                                                                      \
    static status test_##test(struct rendering *rendering, const struct datum *subject,            \
                              const struct datum *arguments, struct datum *result)                 \
    {                                                                                              \
        (void)rendering;                                                                           \
        (void)arguments;                                                                           \
        *result = datum_boolean(condition);                                                        \
        return STATUS_OK;                                                                          \
    }

static bool is_iterable(const struct datum *subject)
{
    return subject->kind == DATUM_UNDEFINED || subject->kind == DATUM_TEXT ||
           subject->kind == DATUM_LIST || subject->kind == DATUM_MAP || subject->kind == DATUM_LOOP;
}

static bool is_sequence(const struct datum *subject)
{
    if (subject->kind == DATUM_LIST)
        return subject->list->flavour <= LIST_RANGE && subject->list->flavour != LIST_ITERATOR;
    return subject->kind == DATUM_UNDEFINED || subject->kind == DATUM_TEXT ||
           subject->kind == DATUM_MAP;
}

TEST(boolean, subject->kind == DATUM_BOOLEAN)
TEST(callable, subject->kind == DATUM_UNDEFINED ||
                   (subject->kind >= DATUM_FUNCTION && subject->kind <= DATUM_MACRO))
TEST(defined, subject->kind != DATUM_UNDEFINED)
TEST(undefined, subject->kind == DATUM_UNDEFINED)
TEST(true, subject->kind == DATUM_BOOLEAN && subject->boolean)
TEST(false, subject->kind == DATUM_BOOLEAN && !subject->boolean)
TEST(none, subject->kind == DATUM_NONE)
TEST(integer, subject->kind == DATUM_INTEGER)
TEST(float, subject->kind == DATUM_REAL)
TEST(number, datum_is_number(subject))
TEST(string, subject->kind == DATUM_TEXT)
TEST(mapping, subject->kind == DATUM_MAP)
TEST(iterable, is_iterable(subject))
TEST(sequence, is_sequence(subject))
TEST(truth, datum_is_truthy(subject))

static status remainder_of(struct rendering *rendering, const struct datum *subject,
                           const struct datum *divisor, struct datum *result)
{
    return render_binary(rendering, '%', subject, divisor, result);
}

static status test_parity(struct rendering *rendering, const struct datum *subject, int64_t wanted,
                          struct datum *result)
{
    struct datum two = datum_integer(2), one = datum_integer(wanted);
    TRY(remainder_of(rendering, subject, &two, result));
    *result = datum_boolean(datum_equal(result, &one));
    return STATUS_OK;
}

static status test_even(struct rendering *rendering, const struct datum *subject,
                        const struct datum *arguments, struct datum *result)
{
    (void)arguments;
    return test_parity(rendering, subject, 0, result);
}

static status test_odd(struct rendering *rendering, const struct datum *subject,
                       const struct datum *arguments, struct datum *result)
{
    (void)arguments;
    return test_parity(rendering, subject, 1, result);
}

static status test_divisibleby(struct rendering *rendering, const struct datum *subject,
                               const struct datum *arguments, struct datum *result)
{
    struct datum zero = datum_integer(0);
    TRY(remainder_of(rendering, subject, &arguments[0], result));
    *result = datum_boolean(datum_equal(result, &zero));
    return STATUS_OK;
}

static status test_compare(struct rendering *rendering, int operation, const struct datum *subject,
                           const struct datum *other, struct datum *result)
{
    bool holds;
    TRY(render_compare(rendering, operation, subject, other, &holds));
    *result = datum_boolean(holds);
    return STATUS_OK;
}

#define COMPARISON(test, operation)                                                                \
    static status test_##test(struct rendering *rendering, const struct datum *subject,            \
                              const struct datum *arguments, struct datum *result)                 \
    {                                                                                              \
        return test_compare(rendering, operation, subject, &arguments[0], result);                 \
    }
COMPARISON(equal, LEXEME_EQUAL)
COMPARISON(unequal, LEXEME_UNEQUAL)
COMPARISON(less, '<')
COMPARISON(greater, '>')
COMPARISON(at_most, LEXEME_AT_MOST)
COMPARISON(at_least, LEXEME_AT_LEAST)
COMPARISON(in, COMPARE_IN)

/* Identity, which is equality for what has no parts. */
static status test_sameas(struct rendering *rendering, const struct datum *subject,
                          const struct datum *arguments, struct datum *result)
{
    const struct datum *other = &arguments[0];
    bool same = subject->kind == other->kind && datum_equal(subject, other);
    (void)rendering;
    if (subject->kind == DATUM_LIST && same) same = subject->list == other->list;
    if (subject->kind == DATUM_MAP && same) same = subject->map == other->map;
    *result = datum_boolean(same);
    return STATUS_OK;
}

/* At least one letter with a case, and none with the other. */
static bool has_case(struct datum_text text, bool upper)
{
    bool found = false;
    for (size_t at = 0, length; at < text.length; at += length) {
        length = utf8_character(text.bytes + at, text.length - at);
        if (!length) break;
        int32_t character = (int32_t)utf8_decode(text.bytes + at, length);
        bool is_upper = utf8proc_isupper(character), is_lower = utf8proc_islower(character);
        if (upper ? is_lower : is_upper) return false;
        found |= upper ? is_upper : is_lower;
    }
    return found;
}

static status test_case(struct rendering *rendering, const struct datum *subject, bool upper,
                        struct datum *result)
{
    struct datum_text text;
    TRY(datum_to_text(rendering, subject, &text));
    *result = datum_boolean(has_case(text, upper));
    return STATUS_OK;
}

static status test_lower(struct rendering *rendering, const struct datum *subject,
                         const struct datum *arguments, struct datum *result)
{
    (void)arguments;
    return test_case(rendering, subject, false, result);
}

static status test_upper(struct rendering *rendering, const struct datum *subject,
                         const struct datum *arguments, struct datum *result)
{
    (void)arguments;
    return test_case(rendering, subject, true, result);
}

static const struct template_builtin_row tests[] = {
    {"boolean", test_boolean, "", 0, NULL},
    {"callable", test_callable, "", 0, NULL},
    {"defined", test_defined, "", 0, NULL},
    {"undefined", test_undefined, "", 0, NULL},
    {"true", test_true, "", 0, NULL},
    {"false", test_false, "", 0, NULL},
    {"none", test_none, "", 0, NULL},
    {"integer", test_integer, "", 0, NULL},
    {"float", test_float, "", 0, NULL},
    {"number", test_number, "", 0, NULL},
    {"string", test_string, "", 0, NULL},
    {"mapping", test_mapping, "", 0, NULL},
    {"iterable", test_iterable, "", 0, NULL},
    {"sequence", test_sequence, "", 0, NULL},
    {"even", test_even, "", 0, NULL},
    {"odd", test_odd, "", 0, NULL},
    {"lower", test_lower, "", 0, NULL},
    {"upper", test_upper, "", 0, NULL},
    {"sameas", test_sameas, "other", 1, NULL},
    {"divisibleby", test_divisibleby, "num", 1, NULL},
    {"in", test_in, "seq", 1, NULL},
    {"==", test_equal, "other", 1, NULL},
    {"eq", test_equal, "other", 1, NULL},
    {"equalto", test_equal, "other", 1, NULL},
    {"!=", test_unequal, "other", 1, NULL},
    {"ne", test_unequal, "other", 1, NULL},
    {"<", test_less, "other", 1, NULL},
    {"lt", test_less, "other", 1, NULL},
    {"lessthan", test_less, "other", 1, NULL},
    {">", test_greater, "other", 1, NULL},
    {"gt", test_greater, "other", 1, NULL},
    {"greaterthan", test_greater, "other", 1, NULL},
    {"<=", test_at_most, "other", 1, NULL},
    {"le", test_at_most, "other", 1, NULL},
    {">=", test_at_least, "other", 1, NULL},
    {"ge", test_at_least, "other", 1, NULL},
    {"truth", test_truth, "", 0, NULL}, /* what select and reject use */
    {NULL, NULL, NULL, 0, NULL},
};

int test_find(const char *name, size_t length)
{
    return builtin_find(tests, name, length);
}
const struct template_builtin_row *test_row(int test)
{
    return &tests[test];
}
