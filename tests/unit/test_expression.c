/* Expressions: meaning, precedence, errors with their place, limits, and a comparison of many
 * random expressions with a second evaluation that works on the tree they were printed from. */
#include "base/expression.h"
#include "base/text.h"
#include "tests/check.h"

#include <math.h>

static const char *const names[] = {"a", "b", "c", "rows", "device.shared_bytes", NULL};
static const int64_t slots[] = {7, -3, 0, 128, 101376};

static struct arena *arena;
static struct diagnostic diagnostic;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    diagnostic = (struct diagnostic){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static int resolve(const void *context, const char *name, size_t length)
{
    const char *const *known = context;
    for (int i = 0; known[i]; i++) {
        if (strlen(known[i]) == length && memcmp(known[i], name, length) == 0) return i;
    }
    return -1;
}

static struct expression *parse(const char *text)
{
    struct expression *expression = NULL;
    CHECK_OK(expression_parse(text, NULL, resolve, names, arena, &expression, &diagnostic));
    return expression;
}

static void refuse(const char *text, const char *words)
{
    struct expression *expression = NULL;
    CHECK_REFUSED(
        expression_parse(text, "f.yaml:3:9", resolve, names, arena, &expression, &diagnostic),
        STATUS_BAD_INPUT, words);
    assert_null(expression);
}

static void check_value(const char *text, int64_t expected)
{
    int64_t value;
    CHECK_OK(expression_integer(parse(text), slots, &value, &diagnostic));
    if (value != expected) CHECK_FAIL("%s = %" PRId64 ", expected %" PRId64, text, value, expected);
}

static void check_error(const char *text, const char *words)
{
    int64_t value;
    CHECK_REFUSED(expression_integer(parse(text), slots, &value, &diagnostic), STATUS_BAD_INPUT,
                  words);
}

static const struct {
    const char *text;
    int64_t value;
} integer_cases[] = {
    {"1", 1},
    {" 1 + 2 * 3 ", 7},
    {"(1 + 2) * 3", 9},
    {"10 - 4 - 3", 3},
    {"100 / 7 / 2", 7},
    {"7 / 2", 3},
    {"-7 / 2", -4},
    {"7 / -2", -4},
    {"-7 / -2", 3},
    {"7 % 3", 1},
    {"-7 % 3", 2},
    {"7 % -3", -2},
    {"-7 % -3", -1},
    {"-6 % 3", 0},
    {"a", 7},
    {"a*b", -21},
    {"-a", -7},
    {"--a", 7},
    {"- a * b", 21},
    {"a - -b", 4},
    {"device.shared_bytes / 1024", 99},
    {"true + true", 2},
    {"false", 0},
    {"1 < 2", 1},
    {"2 <= 1", 0},
    {"a > b", 1},
    {"a >= 7", 1},
    {"a == 7", 1},
    {"a != 7", 0},
    {"not a", 0},
    {"not 0", 1},
    {"not not 5", 1},
    {"not a == 7", 0},
    {"2 and 3", 1},
    {"2 and 0", 0},
    {"0 or 5", 1},
    {"0 or 0", 0},
    {"1 or 0 and 0", 1},
    {"not 0 or 1", 1},
    {"not (0 or 1)", 0},
    {"1 if a else 2", 1},
    {"1 if c else 2", 2},
    {"1 if c else 2 if a else 3", 2},
    {"(1 if a else 2) if c else 3", 3},
    {"1 + 2 if a else 9", 3},
    {"1 if a or c else 2 + 5", 1},
    {"min(a, b)", -3},
    {"max(a, b)", 7},
    {"abs(b)", 3},
    {"ceil_div(7, 2)", 4},
    {"ceil_div(-7, 2)", -3},
    {"ceil_div(7, -2)", -3},
    {"ceil_div(-7, -2)", 4},
    {"ceil_div(6, 2)", 3},
    {"align(100, 64)", 128},
    {"align(128, 64)", 128},
    {"align(0, 64)", 0},
    {"align(-5, 4)", -4},
    {"log2(1)", 0},
    {"log2(1023)", 9},
    {"log2(1024)", 10},
    {"min(max(1, 2), 3)", 2},
    {"9223372036854775807", INT64_MAX},
    {"-9223372036854775808", INT64_MIN},
    {"-9223372036854775808 % -1", 0},
    {"log2(9223372036854775807)", 62},
    {"((((1))))", 1},
    {"rows*4<=device.shared_bytes", 1},
    {"1\n+\t2", 3},
};

static void integers_are_evaluated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof integer_cases / sizeof *integer_cases; i++)
        check_value(integer_cases[i].text, integer_cases[i].value);
}

static void errors_of_arithmetic_are_reported(void **state)
{
    (void)state;
    check_error("1 / c", "column 3 of '1 / c': division by zero");
    check_error("1 % 0", "division by zero");
    check_error("ceil_div(1, c)", "column 1 of 'ceil_div(1, c)': division by zero");
    check_error("9223372036854775807 + 1",
                "column 21 of '9223372036854775807 + 1': the result does not fit");
    check_error("-9223372036854775808 - 1", "does not fit");
    check_error("4611686018427387904 * 2", "does not fit");
    check_error("-(-9223372036854775808)", "does not fit");
    check_error("abs(-9223372036854775808)", "does not fit");
    check_error("-9223372036854775808 / -1", "does not fit");
    check_error("ceil_div(-9223372036854775808, -1)", "does not fit");
    check_error("align(9223372036854775807, 2)", "does not fit");
    check_error("align(1, 0)", "align to a multiple");
    check_error("align(1, -4)", "align to a multiple");
    check_error("log2(0)", "log2 of a number");
    check_error("log2(-1)", "log2 of a number");
    check_error("1.5", "a real number or function where a whole number is needed");
    check_error("exp(1)", "column 1 of 'exp(1)': a real number or function");
    check_error("2 * (1 / c) + 1 % 0", "column 8 of"); /* the first one */
}

static void only_what_is_taken_can_fail(void **state)
{
    (void)state;
    check_value("1 / c if c != 0 else 5", 5);
    check_value("5 if c == 0 else 1 / c", 5);
    check_value("c != 0 and 1 / c > 0", 0);
    check_value("c == 0 or 1 / c > 0", 1);
    check_value("1 + (2 * (3 / c) if c else 4)", 5);
    check_value("1 if true else exp(1)", 1);
    check_error("1 / c if c == 0 else 5", "division");
    check_error("5 if 1 / c else 6", "division");
    check_error("c == 0 and 1 / c > 0", "division");
    check_error("1 / c > 0 and 0", "division");
    check_error("c != 0 or 1 / c > 0", "division");
    check_error("1 / c or 1", "division");
}

static const struct {
    const char *text;
    double value;
} real_cases[] = {
    {"-a", -7},
    {"a - b", 10},
    {"a * b", -21},
    {"a == 7", 1},
    {"a != 7", 0},
    {"a <= 7", 1},
    {"a >= 7.5", 0},
    {"1.5 + 2e-3", 1.502},
    {"7 / 2", 3.5},
    {"a / b", 7.0 / -3},
    {"-7 % 3", 2},
    {"7.5 % 2", 1.5},
    {"1 / c", INFINITY},
    {"exp(1)", 2.718281828459045},
    {"tanh(0.5)", 0.46211715726000975},
    {"sqrt(2)", 1.4142135623730951},
    {"log(10)", 2.302585092994046},
    {"sin(1)", 0.8414709848078965},
    {"cos(1)", 0.5403023058681398},
    {"sigmoid(0)", 0.5},
    {"sigmoid(2)", 0.8807970779778823},
    {"sigmoid(-2)", 0.11920292202211755},
    {"sigmoid(-1000)", 0},
    {"sigmoid(1000)", 1},
    {"log2(8)", 3},
    {"abs(b)", 3},
    {"min(1.5, 2)", 1.5},
    {"max(1.5, 2)", 2},
    {"ceil_div(7, 2)", 4},
    {"align(5.5, 4)", 8},
    {"device.shared_bytes", 0.5},
    {"1 if a > 6.5 else 2", 1},
    {"not 0.5", 0},
    {"0.5 and 2", 1},
    {"c or 0", 0},
    {"2.5E+2", 250},
    {"1 < 1.5", 1},
};

static void reals_are_evaluated(void **state)
{
    (void)state;
    const double real_slots[] = {7, -3, 0, 128, 0.5};
    for (size_t i = 0; i < sizeof real_cases / sizeof *real_cases; i++) {
        double value;
        CHECK_OK(expression_real(parse(real_cases[i].text), real_slots, &value, &diagnostic));
        bool near =
            value == real_cases[i].value || fabs(value - real_cases[i].value) < 4e-16 * fabs(value);
        if (!near)
            CHECK_FAIL("%s = %.17g, expected %.17g", real_cases[i].text, value,
                       real_cases[i].value);
    }
    double value;
    CHECK_OK(expression_real(parse("sqrt(-1)"), real_slots, &value, &diagnostic));
    assert_true(isnan(value));
}

static void wrong_texts_are_refused_with_their_place(void **state)
{
    (void)state;
    refuse("", "f.yaml:3:9: column 1 of '': expected a value, but the text ends");
    refuse("a +", "column 4 of 'a +': expected a value, but the text ends");
    refuse("a b", "column 3 of 'a b': expected an operator or the end, found 'b'");
    refuse("rowz * 2", "column 1 of 'rowz * 2': unknown name 'rowz'");
    refuse("2 * device.shared", "column 5 of '2 * device.shared': unknown name 'device.shared'");
    refuse("foo(1)", "unknown function 'foo'");
    refuse("min(1)", "column 6 of 'min(1)': expected ',', found ')'");
    refuse("min(1, 2, 3)", "expected ')', found ','");
    refuse("min", "unknown name 'min'");
    refuse("(1", "expected ')', but the text ends");
    refuse("1)", "expected an operator or the end, found ')'");
    refuse("a = 1", "column 3 of 'a = 1': '=' does not compare; write '=='");
    refuse("1 < 2 < 3", "column 7 of '1 < 2 < 3': comparisons do not chain");
    refuse("1 + not 2", "expected a value, found 'not'");
    refuse("1 == not 2", "expected a value, found 'not'");
    refuse("1 if 2", "expected 'else', but the text ends");
    refuse("if", "expected a value, found 'if'");
    refuse("+1", "expected a value, found '+'");
    refuse("a ! b", "found '!'");
    refuse("a && b", "found '&'");
    refuse("a ** b", "expected a value, found '*'");
    refuse("a // b", "expected a value, found '/'");
    refuse("a[0]", "found '['");
    refuse("\"; system(1", "found '\"'");
    refuse("a\x1b", "found '?'"); /* nothing that a terminal obeys */
    refuse("9223372036854775808", "'9223372036854775808' is not a decimal number below 2^63");
    refuse("-9223372036854775809", "is not a decimal number");
    refuse("017", "'017' is not a decimal number");
    refuse("0x10", "'0x10' is not a decimal number");
    refuse("1_000", "'1_000' is not a decimal number");
    refuse("12a", "'12a' is not a decimal number");
    refuse("1.", "'1.' is not a decimal number");
    refuse("1.5.2", "'1.5.2' is not a decimal number");
    refuse("1e999", "'1e999' is not a decimal number");
    refuse("1e", "'1e' is not a decimal number");
    refuse(".5", "found '.'");
    struct expression *expression;
    CHECK_REFUSED(expression_parse("a", NULL, NULL, NULL, arena, &expression, &diagnostic),
                  STATUS_BAD_INPUT, "column 1 of 'a': unknown name 'a'");
}

static const char *repeated(const char *unit, int times, const char *end)
{
    struct text text = {.arena = arena};
    for (int i = 0; i < times; i++) text_append(&text, unit);
    text_append(&text, end);
    return text_finish(&text);
}

static void limits_hold(void **state)
{
    (void)state;
    const char *const nesting[] = {"(",    "-(",           "not ",    "- ",
                                   "abs(", "1 if 1 else ", "min(1, ", "(not "};
    for (size_t i = 0; i < sizeof nesting / sizeof *nesting; i++) {
        refuse(repeated(nesting[i], 70, "1"), "nested more than 64 levels deep");
        if (strlen(nesting[i]) < 3)
            refuse(repeated(nesting[i], 2000, "1"), "nested more than 64 levels");
    }
    struct text deep = {.arena = arena};
    for (int i = 0; i < 63; i++) text_append(&deep, "(");
    text_append(&deep, "a");
    for (int i = 0; i < 63; i++) text_append(&deep, ")");
    check_value(text_finish(&deep), 7);
    check_value(repeated("1+", 511, "1"), 512);
    refuse(repeated("1+", 512, "1"), "more than 1024 operations");
    check_value(repeated(" ", 4095, "a"), 7);
    refuse(repeated(" ", 4096, "a"), "longer than the 4096 bytes");
    refuse(repeated("a", 3000, ""), "unknown name 'aaa");
    refuse(repeated("1", 3000, ""), "too long a number");
}

static void steps_are_a_postfix_program(void **state)
{
    (void)state;
    struct expression *expression = parse("rows * 2 + (b if a else 1.5)");
    assert_int_equal(expression->step_count, 8);
    for (int i = 0; i < expression->step_count; i++) {
        for (int j = 0; j < 3; j++) assert_true(expression->steps[i].operands[j] < i);
    }
    const struct expression_step *last = &expression->steps[7], *choice = &expression->steps[6];
    assert_int_equal(last->operation, EXPRESSION_ADD);
    assert_int_equal(last->column, 10);
    assert_int_equal(last->operands[2], -1);
    assert_int_equal(choice->operation, EXPRESSION_SELECT);
    assert_int_equal(expression->steps[choice->operands[0]].slot, 0);
    assert_int_equal(expression->steps[choice->operands[1]].slot, 1);
    assert_true(expression->steps[choice->operands[2]].real == 1.5);
    assert_true(expression->slots_used == (1 << 0 | 1 << 1 | 1 << 3));
    CHECK_TEXT(expression->text, "rows * 2 + (b if a else 1.5)");
}

/* Every truncation and every change of one byte is taken or refused with a message. */
static void damaged_texts_are_handled(void **state)
{
    (void)state;
    const char text[] =
        "min(a * 2, ceil_div(rows, 4)) if not a >= 1.5e-1 and b != -3 else log2(c + 1) % 7";
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int byte = 0; byte < 256; byte++) { /* 0 truncates */
            char *changed = arena_copy(arena, text, sizeof text);
            changed[i] = (char)byte;
            struct expression *expression;
            status result =
                expression_parse(changed, "x", resolve, names, arena, &expression, &diagnostic);
            assert_true(result == STATUS_OK || (result == STATUS_BAD_INPUT && *diagnostic.text));
            diagnostic = (struct diagnostic){0};
            arena_reset(arena);
        }
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
#ifdef HONE_FAULTS
    for (long point = 1; point <= 5; point++) {
        struct expression *expression = NULL;
        fault_set(point, 0);
        status result = expression_parse("a + b * 2", "origin", resolve, names, arena, &expression,
                                         &diagnostic);
        fault_set(0, 0);
        assert_int_equal(result, point <= 4 ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(expression != NULL, point > 4);
        diagnostic = (struct diagnostic){0};
    }
#else
    skip();
#endif
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(integers_are_evaluated),
        TEST(errors_of_arithmetic_are_reported),
        TEST(only_what_is_taken_can_fail),
        TEST(reals_are_evaluated),
        TEST(wrong_texts_are_refused_with_their_place),
        TEST(limits_hold),
        TEST(steps_are_a_postfix_program),
        TEST(damaged_texts_are_handled),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
