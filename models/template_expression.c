/* The operators of a chat template's expressions, by recursive descent: choice, or, and, not, comparison, sum, ~, product,
 * power; what stands between them is in template_operand.c. */
#include "models/template_syntax.h"

#include <string.h>

/* Whether this is an operator of a level of parse_binary. */
static bool operator_of(int kind, int level)
{
    switch (kind) {
    case LEXEME_POWER: return level == 0;
    case '*':
    case '/':
    case '%':
    case LEXEME_FLOOR: return level == 1;
    case '+':
    case '-': return level == 3;
    default: return false;
    }
}

static status parse_joined(struct template_parser *parser, struct template_node **node);

/* Operators of one level, from left to right: 0 power, 1 products, 3 sums. */
static status parse_binary(struct template_parser *parser, int level, struct template_node **node)
{
    bool first = true;
    int operation = 0;
    do {
        struct template_node *operand;
        if (!first) {
            operation = parser_token(parser)->kind;
            TRY(parser_wrap(parser, NODE_BINARY, operation, node));
            parser->at++;
        }
        if (level == 0) {
            TRY(parse_operand(parser, &operand));
        } else if (level == 1) {
            TRY(parse_binary(parser, 0, &operand));
        } else {
            TRY(parse_joined(parser, &operand));
        }
        if (first)
            *node = operand;
        else
            TRY(parser_second(parser, *node, operand));
        first = false;
    } while (operator_of(parser_token(parser)->kind, level));
    return STATUS_OK;
}

/* a ~ b ~ c */
static status parse_joined(struct template_parser *parser, struct template_node **node)
{
    struct template_node *joined, *item;
    TRY(parse_binary(parser, 1, node));
    if (parser_token(parser)->kind != '~') return STATUS_OK;
    TRY(parser_node(parser, NODE_JOIN, &joined));
    TRY(parser_add(parser, joined, *node));
    while (parser_accept(parser, '~')) {
        TRY(parse_binary(parser, 1, &item));
        TRY(parser_add(parser, joined, item));
    }
    *node = joined;
    return STATUS_OK;
}

/* The comparison that begins here, which is stepped over; 0: none. */
static int comparison(struct template_parser *parser)
{
    int kind = parser_token(parser)->kind;
    switch (kind) {
    case LEXEME_EQUAL:
    case LEXEME_UNEQUAL:
    case LEXEME_AT_MOST:
    case LEXEME_AT_LEAST:
    case '<':
    case '>': parser->at++; return kind;
    default: break;
    }
    if (parser_accept_name(parser, "in")) return COMPARE_IN;
    const struct template_token *next = parser_token(parser) + 1;
    if (parser_is_name(parser, "not") && next->kind == LEXEME_NAME && next->text.length == 2 &&
        memcmp(next->text.bytes, "in", 2) == 0) {
        parser->at += 2;
        return COMPARE_NOT_IN;
    }
    return 0;
}

static status parse_comparison(struct template_parser *parser, struct template_node **node)
{
    TRY(parse_binary(parser, 3, node));
    int operation = comparison(parser);
    if (!operation) return STATUS_OK;
    TRY(parser_wrap(parser, NODE_COMPARE, 0, node));
    for (; operation; operation = comparison(parser)) {
        struct template_node *operand;
        TRY(parse_binary(parser, 3, &operand));
        TRY(parser_keyword(parser, *node, (struct datum_text){"", 0}, operand, operation));
    }
    return STATUS_OK;
}

static status parse_not(struct template_parser *parser, struct template_node **node)
{
    if (!parser_accept_name(parser, "not")) return parse_comparison(parser, node);
    TRY(parser_enter(parser));
    TRY(parse_not(parser, node));
    parser->nesting--;
    return parser_wrap(parser, NODE_NOT, 0, node);
}

static status parse_and(struct template_parser *parser, struct template_node **node)
{
    struct template_node *right;
    TRY(parse_not(parser, node));
    while (parser_accept_name(parser, "and")) {
        TRY(parser_wrap(parser, NODE_AND, 0, node));
        TRY(parse_not(parser, &right));
        TRY(parser_second(parser, *node, right));
    }
    return STATUS_OK;
}

status parse_or(struct template_parser *parser, struct template_node **node)
{
    struct template_node *right;
    TRY(parse_and(parser, node));
    while (parser_accept_name(parser, "or")) {
        TRY(parser_wrap(parser, NODE_OR, 0, node));
        TRY(parse_and(parser, &right));
        TRY(parser_second(parser, *node, right));
    }
    return STATUS_OK;
}

status parse_expression(struct template_parser *parser, struct template_node **node)
{
    TRY(parser_enter(parser));
    TRY(parse_or(parser, node));
    while (parser_accept_name(parser, "if")) {
        struct template_node *condition;
        TRY(parser_wrap(parser, NODE_CHOICE, 0, node));
        TRY(parse_or(parser, &condition));
        TRY(parser_second(parser, *node, condition));
        if (parser_accept_name(parser, "else")) TRY(parse_expression(parser, &(*node)->third));
        TRY(parser_measure(parser, *node, (*node)->third));
    }
    parser->nesting--;
    return STATUS_OK;
}
