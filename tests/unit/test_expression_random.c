/* Many random expressions: each is printed from a tree and evaluated on it with 128-bit integers,
 * and must give the same value, or fail alike, when its text is parsed and evaluated. */
#include "base/expression.h"
#include "base/random.h"
#include "base/text.h"
#include "tests/check.h"

static const char *const names[] = {"a", "b", "c", "rows", "device.shared_bytes", NULL};
static const int64_t slots[] = {7, -3, 0, 128, 101376};

static int resolve(const void *context, const char *name, size_t length)
{
    const char *const *known = context;
    for (int i = 0; known[i]; i++) {
        if (strlen(known[i]) == length && memcmp(known[i], name, length) == 0) return i;
    }
    return -1;
}

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
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
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
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_expressions_match_direct_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
