/* Parsing by precedence climbing, straight into steps.  Nesting, steps and length are limited, so
 * that a hostile file can neither exhaust the stack nor keep the evaluator busy. */
#include "base/expression.h"

#include "base/expression_scan.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum {
    LONGEST_TEXT_BYTES = 4096,
    MOST_STEPS = EXPRESSION_STEPS_MAX,
    DEEPEST_LEVEL = 64,
    SHOWN_TEXT_BYTES = 120, /* of the text in messages */
};

enum precedence {
    PRECEDENCE_OR = 1,
    PRECEDENCE_AND,
    PRECEDENCE_NOT,
    PRECEDENCE_COMPARISON,
    PRECEDENCE_SUM,
    PRECEDENCE_PRODUCT
};

struct operator_row {
    const char *text;
    enum precedence precedence;
    enum expression_operation operation;
};

static const struct operator_row operators[] = {
    {"or", PRECEDENCE_OR, EXPRESSION_OR},
    {"and", PRECEDENCE_AND, EXPRESSION_AND},
    {"==", PRECEDENCE_COMPARISON, EXPRESSION_EQUAL},
    {"!=", PRECEDENCE_COMPARISON, EXPRESSION_UNEQUAL},
    {"<", PRECEDENCE_COMPARISON, EXPRESSION_LESS},
    {"<=", PRECEDENCE_COMPARISON, EXPRESSION_LESS_EQUAL},
    {">", PRECEDENCE_COMPARISON, EXPRESSION_GREATER},
    {">=", PRECEDENCE_COMPARISON, EXPRESSION_GREATER_EQUAL},
    {"+", PRECEDENCE_SUM, EXPRESSION_ADD},
    {"-", PRECEDENCE_SUM, EXPRESSION_SUBTRACT},
    {"*", PRECEDENCE_PRODUCT, EXPRESSION_MULTIPLY},
    {"/", PRECEDENCE_PRODUCT, EXPRESSION_DIVIDE},
    {"%", PRECEDENCE_PRODUCT, EXPRESSION_MODULO},
};

struct function_row {
    const char *name;
    int arity;
    enum expression_operation operation;
};

static const struct function_row functions[] = {
    {"min", 2, EXPRESSION_MINIMUM},     {"max", 2, EXPRESSION_MAXIMUM},
    {"abs", 1, EXPRESSION_ABSOLUTE},    {"ceil_div", 2, EXPRESSION_CEIL_DIVIDE},
    {"align", 2, EXPRESSION_ALIGN},     {"log2", 1, EXPRESSION_LOG2},
    {"exp", 1, EXPRESSION_EXP},         {"tanh", 1, EXPRESSION_TANH},
    {"sqrt", 1, EXPRESSION_SQRT},       {"log", 1, EXPRESSION_LOG},
    {"sin", 1, EXPRESSION_SIN},         {"cos", 1, EXPRESSION_COS},
    {"sigmoid", 1, EXPRESSION_SIGMOID},
};

struct parser {
    const char *text, *origin;
    struct scanner scanner;
    expression_resolver *resolve;
    const void *context;
    int level, step_count;
    slot_mask slots_used;
    struct diagnostic *diagnostic;
    struct expression_step steps[MOST_STEPS];
};

static status fail_at(struct diagnostic *diagnostic, const char *text, const char *origin,
                      int column, const char *message)
{
    const char *shortened = strlen(text) > SHOWN_TEXT_BYTES ? "..." : "";
    return fail(diagnostic, STATUS_BAD_INPUT, "%.500s%scolumn %d of '%.*s%s': %s",
                origin ? origin : "", origin ? ": " : "", column, SHOWN_TEXT_BYTES, text, shortened,
                message);
}

status(expression_fail)(const struct expression *expression, int step,
                        struct diagnostic *diagnostic, const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail_at(diagnostic, expression->text, expression->origin, expression->steps[step].column,
                   message);
}

static int column_of(const struct parser *parser, const char *position)
{
    return (int)(position - parser->text) + 1;
}

static int token_column(const struct parser *parser)
{
    return column_of(parser, parser->scanner.token.start);
}

CHECKED PRINTF_LIKE(3, 4) static status
    fail_token(struct parser *parser, const struct token *token, const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail_at(parser->diagnostic, parser->text, parser->origin,
                   column_of(parser, token->start), message);
}

/* What stands at the token, for messages. */
static status fail_unexpected(struct parser *parser, const char *wanted)
{
    const struct token *token = &parser->scanner.token;
    if (token->kind == TOKEN_END)
        return fail_token(parser, token, "expected %s, but the text ends", wanted);
    return fail_token(parser, token, "expected %s, found '%.*s'", wanted,
                      (int)(token->length > 60 ? 60 : token->length), token->start);
}

static status expect(struct parser *parser, const char *text)
{
    char wanted[16];
    if (scanner_accept(&parser->scanner, text)) return STATUS_OK;
    snprintf(wanted, sizeof wanted, "'%s'", text);
    return fail_unexpected(parser, wanted);
}

static status add_step(struct parser *parser, struct expression_step step, int *index)
{
    if (parser->step_count == MOST_STEPS) {
        return fail_token(parser, &parser->scanner.token, "more than %d operations", MOST_STEPS);
    }
    *index = parser->step_count;
    parser->steps[parser->step_count++] = step;
    return STATUS_OK;
}

static status add_operation(struct parser *parser, enum expression_operation operation, int column,
                            const int operands[static 3], int *index)
{
    struct expression_step step = {.operation = operation,
                                   .operands = {operands[0], operands[1], operands[2]},
                                   .slot = -1,
                                   .column = column};
    return add_step(parser, step, index);
}

static status parse_choice(struct parser *parser, int *index);
static status parse_binary(struct parser *parser, int lowest, int *index);

/* `negative`: a minus sign stands in front, so that -9223372036854775808 can be written. */
static status parse_number(struct parser *parser, bool negative, int *index)
{
    char digits[64] = "-";
    const struct token token = parser->scanner.token;
    struct expression_step step = {
        .operands = {-1, -1, -1}, .slot = -1, .column = token_column(parser)};
    if (token.length + 2 > sizeof digits) return fail_token(parser, &token, "too long a number");
    memcpy(digits + negative, token.start, token.length);
    digits[negative + token.length] = 0;
    if (text_to_integer(digits, &step.integer)) {
        step.operation = EXPRESSION_INTEGER;
        step.real = (double)step.integer;
    } else if (strpbrk(digits, ".eE") && text_to_real(digits, &step.real)) {
        step.operation = EXPRESSION_REAL;
    } else {
        return fail_token(parser, &token, "'%s' is not a decimal number below 2^63", digits);
    }
    scanner_advance(&parser->scanner);
    return add_step(parser, step, index);
}

static status parse_call(struct parser *parser, const struct token *name, int *index)
{
    int operands[3] = {-1, -1, -1};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (!token_is(name, functions[i].name)) continue;
        for (int j = 0; j < functions[i].arity; j++) {
            if (j) TRY(expect(parser, ","));
            TRY(parse_choice(parser, &operands[j]));
        }
        TRY(expect(parser, ")"));
        return add_operation(parser, functions[i].operation, column_of(parser, name->start),
                             operands, index);
    }
    return fail_token(parser, name,
                      "unknown function '%.*s'; there are min, max, abs, ceil_div, align, log2, "
                      "exp, tanh, sqrt, log, sin, cos, sigmoid",
                      (int)(name->length > 60 ? 60 : name->length), name->start);
}

static bool is_keyword(const struct token *token)
{
    static const char *const keywords[] = {"or", "and", "not", "if", "else"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (token_is(token, keywords[i])) return true;
    }
    return false;
}

static status parse_name(struct parser *parser, int *index)
{
    const struct token name = parser->scanner.token;
    struct expression_step step = {
        .operands = {-1, -1, -1}, .slot = -1, .column = token_column(parser)};
    if (is_keyword(&name)) return fail_unexpected(parser, "a value");
    scanner_advance(&parser->scanner);
    if (scanner_accept(&parser->scanner, "(")) return parse_call(parser, &name, index);
    if (token_is(&name, "true") || token_is(&name, "false")) {
        step.operation = EXPRESSION_INTEGER;
        step.integer = *name.start == 't';
        step.real = (double)step.integer;
        return add_step(parser, step, index);
    }
    step.operation = EXPRESSION_NAME;
    step.slot = parser->resolve ? parser->resolve(parser->context, name.start, name.length) : -1;
    if (step.slot < 0) {
        return fail_token(parser, &name, "unknown name '%.*s'",
                          (int)(name.length > 60 ? 60 : name.length), name.start);
    }
    if (step.slot < SLOT_MASK_BITS) parser->slots_used |= slot_bit(step.slot);
    return add_step(parser, step, index);
}

static status parse_primary(struct parser *parser, int *index)
{
    if (parser->scanner.token.kind == TOKEN_NUMBER) return parse_number(parser, false, index);
    if (parser->scanner.token.kind == TOKEN_NAME) return parse_name(parser, index);
    if (!scanner_accept(&parser->scanner, "(")) return fail_unexpected(parser, "a value");
    TRY(parse_choice(parser, index));
    return expect(parser, ")");
}

static status enter(struct parser *parser)
{
    if (++parser->level <= DEEPEST_LEVEL) return STATUS_OK;
    return fail_token(parser, &parser->scanner.token, "nested more than %d levels deep",
                      DEEPEST_LEVEL);
}

static status parse_negation(struct parser *parser, int *index)
{
    int column = token_column(parser), operands[3] = {-1, -1, -1};
    if (!scanner_accept(&parser->scanner, "-")) return parse_primary(parser, index);
    if (parser->scanner.token.kind == TOKEN_NUMBER) return parse_number(parser, true, index);
    TRY(enter(parser));
    TRY(parse_negation(parser, &operands[0]));
    parser->level--;
    return add_operation(parser, EXPRESSION_NEGATE, column, operands, index);
}

static status parse_not(struct parser *parser, int *index)
{
    int column = token_column(parser), operands[3] = {-1, -1, -1};
    if (!scanner_accept(&parser->scanner, "not"))
        return parse_binary(parser, PRECEDENCE_COMPARISON, index);
    TRY(enter(parser));
    TRY(parse_not(parser, &operands[0]));
    parser->level--;
    return add_operation(parser, EXPRESSION_NOT, column, operands, index);
}

static const struct operator_row *find_operator(const struct token *token)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (token_is(token, operators[i].text)) return &operators[i];
    }
    return NULL;
}

/* Operators of precedence `lowest` and above.  Each call reads operands of the next higher
 * precedence, so that one level of nesting costs at most six calls. */
static status parse_binary(struct parser *parser, int lowest, int *index)
{
    if (lowest == PRECEDENCE_NOT) return parse_not(parser, index);
    if (lowest > PRECEDENCE_PRODUCT) return parse_negation(parser, index);
    TRY(parse_binary(parser, lowest + 1, index));
    for (bool compared = false;; compared = lowest == PRECEDENCE_COMPARISON) {
        const struct operator_row *row = find_operator(&parser->scanner.token);
        if (!row || (int)row->precedence != lowest) return STATUS_OK;
        if (compared) {
            return fail_token(parser, &parser->scanner.token,
                              "comparisons do not chain; write 'a < b and b < c'");
        }
        int column = token_column(parser), operands[3] = {*index, -1, -1};
        scanner_advance(&parser->scanner);
        TRY(parse_binary(parser, lowest + 1, &operands[1]));
        TRY(add_operation(parser, row->operation, column, operands, index));
    }
}

/* a if condition else b */
static status parse_choice(struct parser *parser, int *index)
{
    int operands[3];
    TRY(enter(parser));
    TRY(parse_binary(parser, PRECEDENCE_OR, index));
    int column = token_column(parser);
    if (scanner_accept(&parser->scanner, "if")) {
        operands[1] = *index;
        TRY(parse_binary(parser, PRECEDENCE_OR, &operands[0]));
        TRY(expect(parser, "else"));
        TRY(parse_choice(parser, &operands[2]));
        TRY(add_operation(parser, EXPRESSION_SELECT, column, operands, index));
    }
    parser->level--;
    return STATUS_OK;
}

static status parse_whole(struct parser *parser)
{
    int index;
    scanner_advance(&parser->scanner);
    TRY(parse_choice(parser, &index));
    if (parser->scanner.token.kind == TOKEN_END) return STATUS_OK;
    if (token_is(&parser->scanner.token, "="))
        return fail_token(parser, &parser->scanner.token, "'=' does not compare; write '=='");
    return fail_unexpected(parser, "an operator or the end");
}

status expression_parse(const char *text, const char *origin, expression_resolver *resolve,
                        const void *context, struct arena *arena, struct expression **expression,
                        struct diagnostic *diagnostic)
{
    struct parser parser;
    size_t length = strnlen(text, LONGEST_TEXT_BYTES + 1);
    memset(&parser, 0,
           offsetof(struct parser, steps)); /* the steps are written before they are read */
    parser.text = parser.scanner.position = text;
    parser.origin = origin;
    parser.resolve = resolve;
    parser.context = context;
    parser.diagnostic = diagnostic;
    if (length > LONGEST_TEXT_BYTES) {
        return fail_at(diagnostic, text, origin, 1, "longer than the 4096 bytes allowed");
    }
    TRY(parse_whole(&parser));
    struct expression *made;
    TRY_NEW(made, arena, 1, diagnostic);
    made->text = arena_text_range(arena, text, length);
    TRY_MEMORY(made->text, diagnostic);
    made->origin = origin ? arena_text(arena, origin) : NULL;
    if (origin) TRY_MEMORY(made->origin, diagnostic);
    made->steps = arena_copy(arena, parser.steps, (size_t)parser.step_count * sizeof *parser.steps);
    TRY_MEMORY(made->steps, diagnostic);
    made->step_count = parser.step_count;
    made->slots_used = parser.slots_used;
    *expression = made;
    return STATUS_OK;
}
