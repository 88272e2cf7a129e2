/* Expressions: meaning, precedence, errors with their place, limits, and a comparison of many
 * random expressions with a second evaluation that works on the tree they were printed from. */
#include "base/expression.h"
#include "base/random.h"
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

/* ---- random expressions ---- */

__extension__ typedef __int128 int128;

struct generator {
    uint64_t counter;
    struct text text;
    int budget;
};

struct outcome {
    int128 value;
    bool failed;
};

enum { TERNARY = 0, OR = 1, AND, NOT, COMPARE, SUM, PRODUCT, UNARY, ATOM };

static uint64_t draw(struct generator *generator, uint64_t bound)
{
    return random_bits(2024, 1, generator->counter++) % bound;
}

static struct outcome checked(int128 value)
{
    return (struct outcome){value, value > INT64_MAX || value < INT64_MIN};
}

static int128 floor_of(int128 a, int128 b)
{
    if (b < 0) return floor_of(-a, -b);
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static struct outcome generate(struct generator *generator, int depth, int lowest);

static struct outcome generate_atom(struct generator *generator)
{
    static const int64_t constants[] = {0, 1, 2, 3, 7, 64, 1000, 4294967296, INT64_MAX};
    struct text *text = &generator->text;
    uint64_t choice = draw(generator, 14);
    if (choice < 9) {
        text_print(text, "%" PRId64, constants[choice]);
        return (struct outcome){constants[choice], false};
    }
    text_append(text, names[choice - 9]);
    return (struct outcome){slots[choice - 9], false};
}

static struct outcome combine(int operation, struct outcome a, struct outcome b)
{
    if (a.failed || b.failed) return (struct outcome){0, true};
    switch (operation) {
    case 0: return checked(a.value + b.value);
    case 1: return checked(a.value - b.value);
    case 2: return checked(a.value * b.value);
    case 3: return b.value ? checked(floor_of(a.value, b.value)) : (struct outcome){0, true};
    case 4:
        return b.value ? checked(a.value - floor_of(a.value, b.value) * b.value)
                       : (struct outcome){0, true};
    case 5: return checked(a.value == b.value);
    case 6: return checked(a.value != b.value);
    case 7: return checked(a.value < b.value);
    case 8: return checked(a.value <= b.value);
    case 9: return checked(a.value > b.value);
    case 10: return checked(a.value >= b.value);
    case 11: return a.value < b.value ? a : b;
    case 12: return a.value > b.value ? a : b;
    case 13: return b.value ? checked(-floor_of(-a.value, b.value)) : (struct outcome){0, true};
    default:
        if (b.value <= 0) return (struct outcome){0, true};
        return checked(-floor_of(-a.value, b.value) * b.value);
    }
}

static struct outcome generate_binary(struct generator *generator, int depth)
{
    static const char *const texts[] = {"+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="};
    int operation = (int)draw(generator, 11);
    int precedence = operation < 2 ? SUM : operation < 5 ? PRODUCT : COMPARE;
    struct outcome a =
        generate(generator, depth, precedence == COMPARE ? precedence + 1 : precedence);
    text_print(&generator->text, draw(generator, 2) ? " %s " : "%s", texts[operation]);
    return combine(operation, a, generate(generator, depth, precedence + 1));
}

static struct outcome generate_call(struct generator *generator, int depth)
{
    static const char *const texts[] = {"min", "max", "ceil_div", "align"};
    int operation = (int)draw(generator, 4);
    text_print(&generator->text, "%s(", texts[operation]);
    struct outcome a = generate(generator, depth, TERNARY);
    text_append(&generator->text, ", ");
    struct outcome b = generate(generator, depth, TERNARY);
    text_append(&generator->text, ")");
    return combine(11 + operation, a, b);
}

static struct outcome generate_logic(struct generator *generator, int depth, bool is_and)
{
    struct outcome a = generate(generator, depth, is_and ? AND : OR);
    text_append(&generator->text, is_and ? " and " : " or ");
    struct outcome b = generate(generator, depth, is_and ? NOT : AND);
    if (a.failed || (a.value == 0) == is_and) {
        return (struct outcome){a.value != 0, a.failed};
    }
    return (struct outcome){b.value != 0, b.failed};
}

static struct outcome generate_choice(struct generator *generator, int depth)
{
    struct outcome a = generate(generator, depth, OR);
    text_append(&generator->text, " if ");
    struct outcome condition = generate(generator, depth, OR);
    text_append(&generator->text, " else ");
    struct outcome b = generate(generator, depth, TERNARY);
    if (condition.failed) return condition;
    return condition.value ? a : b;
}

static struct outcome generate_unary(struct generator *generator, int depth, int kind)
{
    text_append(&generator->text, kind == 0   ? "-"
                                  : kind == 1 ? "not "
                                  : kind == 2 ? "abs("
                                              : "log2(");
    struct outcome a = generate(generator, depth, kind == 0 ? UNARY : kind == 1 ? NOT : TERNARY);
    if (kind >= 2) text_append(&generator->text, ")");
    if (a.failed) return a;
    if (kind == 0) return checked(-a.value);
    if (kind == 1) return checked(a.value == 0);
    if (kind == 2) return checked(a.value < 0 ? -a.value : a.value);
    if (a.value <= 0) return (struct outcome){0, true};
    int exponent = 0;
    while (a.value >> (exponent + 1)) exponent++;
    return checked(exponent);
}

static struct outcome generate(struct generator *generator, int depth, int lowest)
{
    static const int precedences[] = {SUM,     SUM,   SUM, ATOM, OR,  AND,
                                      TERNARY, UNARY, NOT, ATOM, ATOM};
    if (depth == 0 || --generator->budget < 0) return generate_atom(generator);
    int kind = (int)draw(generator, 11);
    bool wrapped = kind < 3 || precedences[kind] < lowest || draw(generator, 8) == 0;
    struct outcome outcome;
    if (kind < 3 && lowest <= COMPARE && draw(generator, 2)) wrapped = false;
    if (wrapped) text_append(&generator->text, "(");
    depth--;
    switch (kind) {
    case 3: outcome = generate_call(generator, depth); break;
    case 4: outcome = generate_logic(generator, depth, false); break;
    case 5: outcome = generate_logic(generator, depth, true); break;
    case 6: outcome = generate_choice(generator, depth); break;
    case 7:
    case 8:
    case 9:
    case 10: outcome = generate_unary(generator, depth, kind - 7); break;
    default: outcome = generate_binary(generator, depth);
    }
    if (wrapped) text_append(&generator->text, ")");
    return outcome;
}

/* INT64_MAX is the largest literal, so -(2^63) appears only through arithmetic, in both evaluations
 * alike. */
static void random_expressions_match_direct_evaluation(void **state)
{
    (void)state;
    struct generator generator = {0};
    int failures = 0, longest = 0;
    for (int i = 0; i < 100000; i++) {
        arena_reset(arena);
        generator.text = (struct text){.arena = arena};
        generator.budget = 60;
        struct outcome expected = generate(&generator, 1 + i % 7, TERNARY);
        const char *text = text_finish(&generator.text);
        struct expression *expression;
        CHECK_OK(expression_parse(text, NULL, resolve, names, arena, &expression, &diagnostic));
        int64_t value;
        status result = expression_integer(expression, slots, &value, &diagnostic);
        if ((result != STATUS_OK) != expected.failed) {
            CHECK_FAIL("%s: %s", text, result ? diagnostic.text : "must fail");
        }
        if (result == STATUS_OK && value != expected.value) {
            CHECK_FAIL("%s = %" PRId64 ", expected %" PRId64, text, value, (int64_t)expected.value);
        }
        failures += expected.failed;
        longest = expression->step_count > longest ? expression->step_count : longest;
        diagnostic = (struct diagnostic){0};
    }
    assert_in_range(failures, 10000, 60000); /* both outcomes are tested */
    assert_true(longest > 50);
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
        TEST(random_expressions_match_direct_evaluation),
        TEST(damaged_texts_are_handled),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
