/* The operands of a chat template's expressions: literals, names, brackets, signs, and what stands behind a value: items,
 * attributes, calls, filters, tests.  Targets of assignments and parameters of macros, too. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

static status refuse_name(struct template_parser *parser, const char *what, struct datum_text name)
{
    char excerpt[EXCERPT_BYTES];
    return PARSER_REFUSE(parser, "the %s '%s' is not known to chat templates", what,
                         utf8_excerpt(name.bytes, name.length, excerpt));
}

/* Literals that a name stands for. */
static bool constant_name(const struct template_parser *parser, struct datum *value)
{
    bool yes = parser_is_name(parser, "true") || parser_is_name(parser, "True");
    bool no = parser_is_name(parser, "false") || parser_is_name(parser, "False");
    bool none = parser_is_name(parser, "none") || parser_is_name(parser, "None");
    if (yes || no) *value = datum_boolean(yes);
    if (none) *value = datum_none();
    return yes || no || none;
}

static status parse_name(struct template_parser *parser, struct template_node **node)
{
    struct datum value;
    bool constant = constant_name(parser, &value);
    TRY(parser_node(parser, constant ? NODE_VALUE : NODE_NAME, node));
    if (constant) (*node)->value = value;
    (*node)->name = parser_token(parser)->text;
    parser->at++;
    return STATUS_OK;
}

/* Neighbouring texts are one. */
static status parse_text(struct template_parser *parser, struct template_node **node)
{
    size_t length = 0, count = 0;
    char *text;
    TRY(parser_node(parser, NODE_VALUE, node));
    const struct template_token *tokens = parser_token(parser);
    for (; tokens[count].kind == LEXEME_TEXT; count++) length += tokens[count].text.length;
    TRY_NEW(text, parser->arena, length + 1, parser->diagnostic);
    (*node)->value = datum_text(text, length);
    for (size_t i = 0; i < count; i++) {
        memcpy(text, tokens[i].text.bytes, tokens[i].text.length);
        text += tokens[i].text.length;
    }
    parser->at += count;
    return STATUS_OK;
}

static status parse_list(struct template_parser *parser, struct template_node **node)
{
    struct template_node *item;
    TRY(parser_node(parser, NODE_LIST, node));
    parser->at++;
    while (!parser_accept(parser, ']')) {
        if ((*node)->count) TRY(parser_expect(parser, ',', "a comma"));
        if (parser_accept(parser, ']')) break;
        TRY(parse_expression(parser, &item));
        TRY(parser_add(parser, *node, item));
    }
    return STATUS_OK;
}

static status parse_map(struct template_parser *parser, struct template_node **node)
{
    struct template_node *item;
    TRY(parser_node(parser, NODE_MAP, node));
    parser->at++;
    while (!parser_accept(parser, '}')) {
        if ((*node)->count) TRY(parser_expect(parser, ',', "a comma"));
        if (parser_accept(parser, '}')) break;
        TRY(parse_expression(parser, &item));
        TRY(parser_add(parser, *node, item));
        TRY(parser_expect(parser, ':', "a colon"));
        TRY(parse_expression(parser, &item));
        TRY(parser_add(parser, *node, item));
    }
    return STATUS_OK;
}

static bool at_tuple_end(const struct template_parser *parser)
{
    int kind = parser_token(parser)->kind;
    return kind == LEXEME_OUTPUT_END || kind == LEXEME_TAG_END || kind == ')';
}

/* Items with commas between them; one without a comma is itself. */
static status parse_tuple_of(struct template_parser *parser, bool choices, bool may_be_empty,
                             struct template_node **node)
{
    struct template_node *tuple, *item;
    if (at_tuple_end(parser) && !may_be_empty)
        return PARSER_REFUSE(parser, "an expression is expected here");
    TRY(parser_node(parser, NODE_TUPLE, &tuple));
    *node = tuple;
    while (!at_tuple_end(parser)) {
        TRY(choices ? parse_expression(parser, &item) : parse_or(parser, &item));
        TRY(parser_add(parser, tuple, item));
        if (parser_accept(parser, ',')) continue;
        if (tuple->count == 1) *node = item;
        break;
    }
    return STATUS_OK;
}

static status parse_brackets(struct template_parser *parser, struct template_node **node)
{
    parser->at++;
    TRY(parse_tuple_of(parser, true, true, node));
    return parser_expect(parser, ')', "')'");
}

static status parse_primary(struct template_parser *parser, struct template_node **node)
{
    switch (parser_token(parser)->kind) {
    case LEXEME_NAME: return parse_name(parser, node);
    case LEXEME_TEXT: return parse_text(parser, node);
    case LEXEME_INTEGER:
    case LEXEME_REAL:
        TRY(parser_node(parser, NODE_VALUE, node));
        (*node)->value = parser_token(parser)->number;
        parser->at++;
        return STATUS_OK;
    case '(': return parse_brackets(parser, node);
    case '[': return parse_list(parser, node);
    case '{': return parse_map(parser, node);
    default: return PARSER_REFUSE(parser, "an expression is expected here");
    }
}

static status parse_arguments(struct template_parser *parser, struct template_node *node)
{
    struct template_node *value;
    parser->at++;
    bool first = true;
    while (!parser_accept(parser, ')')) {
        if (!first) TRY(parser_expect(parser, ',', "a comma"));
        if (parser_accept(parser, ')')) break;
        first = false;
        const struct template_token *token = parser_token(parser);
        if (token->kind == '*' || token->kind == LEXEME_POWER)
            return PARSER_REFUSE(parser, "calls with * or ** are not supported in chat templates");
        bool named = token->kind == LEXEME_NAME && token[1].kind == '=';
        if (!named && node->keyword_count)
            return PARSER_REFUSE(parser, "an argument without a name follows one with a name");
        if (named) parser->at += 2;
        TRY(parse_expression(parser, &value));
        if (named)
            TRY(parser_keyword(parser, node, token->text, value, 0));
        else
            TRY(parser_add(parser, node, value));
    }
    return STATUS_OK;
}

/* What stands in brackets behind a value: an item, or begin:end:step. */
static status parse_subscript(struct template_parser *parser, struct template_node **node)
{
    struct template_node *parts[3] = {NULL, NULL, NULL};
    int colons = 0;
    TRY(parser_wrap(parser, NODE_ITEM, 0, node));
    parser->at++;
    while (!parser_accept(parser, ']')) {
        if (colons < 2 && parser_accept(parser, ':')) {
            colons++;
        } else if (!parts[colons]) {
            TRY(parse_expression(parser, &parts[colons]));
        } else {
            return PARSER_REFUSE(parser, "']' is expected here");
        }
    }
    if (!colons && !parts[0]) {
        parser->at--;
        return PARSER_REFUSE(parser, "an expression is expected here");
    }
    if (!colons) return parser_second(parser, *node, parts[0]);
    (*node)->kind = NODE_SLICE;
    for (int i = 0; i < 3; i++) TRY(parser_add(parser, *node, parts[i]));
    return STATUS_OK;
}

static status parse_attribute(struct template_parser *parser, struct template_node **node)
{
    TRY(parser_wrap(parser, NODE_ATTRIBUTE, 0, node));
    parser->at++;
    const struct template_token *token = parser_token(parser);
    if (token->kind == LEXEME_INTEGER) {
        struct template_node *index;
        TRY(parse_primary(parser, &index));
        (*node)->kind = NODE_ITEM;
        return parser_second(parser, *node, index);
    }
    (*node)->name = token->text;
    return parser_expect(parser, LEXEME_NAME, "a name");
}

static status parse_postfix(struct template_parser *parser, struct template_node **node)
{
    for (;;) {
        int kind = parser_token(parser)->kind;
        if (kind == '.') {
            TRY(parse_attribute(parser, node));
        } else if (kind == '[') {
            TRY(parse_subscript(parser, node));
        } else if (kind == '(') {
            TRY(parser_wrap(parser, NODE_CALL, 0, node));
            TRY(parse_arguments(parser, *node));
        } else {
            return STATUS_OK;
        }
    }
}

/* `|name(arguments)`, the bar being the present token. */
static status parse_filter(struct template_parser *parser, struct template_node **node)
{
    parser->at++;
    const struct template_token *token = parser_token(parser);
    int filter =
        token->kind == LEXEME_NAME ? filter_find(token->text.bytes, token->text.length) : -1;
    if (token->kind == LEXEME_NAME && filter < 0) return refuse_name(parser, "filter", token->text);
    TRY(parser_wrap(parser, NODE_FILTER, filter, node));
    TRY(parser_expect(parser, LEXEME_NAME, "a filter's name"));
    if (parser_token(parser)->kind == '(') TRY(parse_arguments(parser, *node));
    return STATUS_OK;
}

status parse_filters(struct template_parser *parser, struct template_node **node)
{
    bool tag = parser_is_name(parser, "filter");
    if (!tag && parser_token(parser)->kind != '|') return STATUS_OK;
    TRY(parser_node(parser, NODE_CAPTURED, node));
    if (tag) TRY(parse_filter(parser, node)); /* the tag's name stands for the bar */
    while (parser_token(parser)->kind == '|') TRY(parse_filter(parser, node));
    return STATUS_OK;
}

/* Whether a test takes the next token for its argument, as in `x is divisibleby 3`. */
static bool is_test_argument(const struct template_parser *parser)
{
    switch (parser_token(parser)->kind) {
    case LEXEME_NAME:
        return !parser_is_name(parser, "else") && !parser_is_name(parser, "or") &&
               !parser_is_name(parser, "and");
    case LEXEME_TEXT:
    case LEXEME_INTEGER:
    case LEXEME_REAL:
    case '[':
    case '{': return true;
    default: return false;
    }
}

/* `is [not] name [argument]` */
static status parse_test(struct template_parser *parser, struct template_node **node)
{
    struct template_node *argument;
    parser->at++;
    bool negated = parser_accept_name(parser, "not");
    const struct template_token *token = parser_token(parser);
    int test = token->kind == LEXEME_NAME ? test_find(token->text.bytes, token->text.length) : -1;
    if (token->kind == LEXEME_NAME && test < 0) return refuse_name(parser, "test", token->text);
    TRY(parser_wrap(parser, NODE_TEST, test, node));
    TRY(parser_expect(parser, LEXEME_NAME, "a test's name"));
    if (parser_token(parser)->kind == '(') {
        TRY(parse_arguments(parser, *node));
    } else if (is_test_argument(parser)) {
        if (parser_is_name(parser, "is"))
            return PARSER_REFUSE(parser, "a test cannot follow another");
        TRY(parse_primary(parser, &argument));
        TRY(parse_postfix(parser, &argument));
        TRY(parser_add(parser, *node, argument));
    }
    return negated ? parser_wrap(parser, NODE_NOT, 0, node) : STATUS_OK;
}

static status parse_trailing(struct template_parser *parser, struct template_node **node)
{
    for (;;) {
        if (parser_token(parser)->kind == '|') {
            TRY(parse_filter(parser, node));
        } else if (parser_is_name(parser, "is")) {
            TRY(parse_test(parser, node));
        } else if (parser_token(parser)->kind == '(') {
            TRY(parser_wrap(parser, NODE_CALL, 0, node));
            TRY(parse_arguments(parser, *node));
        } else {
            return STATUS_OK;
        }
    }
}

static status parse_unary(struct template_parser *parser, bool filters, struct template_node **node)
{
    int kind = parser_token(parser)->kind;
    TRY(parser_enter(parser));
    if (kind == '-' || kind == '+') {
        parser->at++;
        TRY(parse_unary(parser, false, node));
        TRY(parser_wrap(parser, NODE_UNARY, kind, node));
    } else {
        TRY(parse_primary(parser, node));
    }
    TRY(parse_postfix(parser, node));
    if (filters) TRY(parse_trailing(parser, node));
    parser->nesting--;
    return STATUS_OK;
}

status parse_operand(struct template_parser *parser, struct template_node **node)
{
    return parse_unary(parser, true, node);
}

status parse_tuple(struct template_parser *parser, bool choices, struct template_node **node)
{
    return parse_tuple_of(parser, choices, false, node);
}

/* A name, name.attribute, or several in brackets or with commas. */
static status parse_one_target(struct template_parser *parser, struct template_node **node)
{
    struct template_node *item;
    if (parser_accept(parser, '(')) {
        TRY(parser_enter(parser));
        TRY(parse_target(parser, &item));
        parser->nesting--;
        *node = item;
        return parser_expect(parser, ')', "')'");
    }
    if (parser_token(parser)->kind != LEXEME_NAME)
        return PARSER_REFUSE(parser, "a name is expected here");
    TRY(parse_name(parser, node));
    if ((*node)->kind != NODE_NAME) {
        parser->at--;
        return PARSER_REFUSE(parser, "a name is expected here");
    }
    return parser_token(parser)->kind == '.' ? parse_attribute(parser, node) : STATUS_OK;
}

status parse_target(struct template_parser *parser, struct template_node **node)
{
    struct template_node *tuple, *item;
    TRY(parse_one_target(parser, node));
    if (parser_token(parser)->kind != ',') return STATUS_OK;
    TRY(parser_node(parser, NODE_TUPLE, &tuple));
    TRY(parser_add(parser, tuple, *node));
    while (parser_accept(parser, ',')) {
        if (parser_token(parser)->kind != LEXEME_NAME && parser_token(parser)->kind != '(') break;
        TRY(parse_one_target(parser, &item));
        TRY(parser_add(parser, tuple, item));
    }
    *node = tuple;
    return STATUS_OK;
}

status parse_parameters(struct template_parser *parser, struct template_node *macro)
{
    TRY(parser_expect(parser, '(', "'('"));
    while (!parser_accept(parser, ')')) {
        struct template_node *value = NULL;
        if (macro->keyword_count) TRY(parser_expect(parser, ',', "a comma"));
        struct datum_text name = parser_token(parser)->text;
        TRY(parser_expect(parser, LEXEME_NAME, "a parameter's name"));
        if (parser_accept(parser, '=')) TRY(parse_expression(parser, &value));
        TRY(parser_keyword(parser, macro, name, value, 0));
    }
    return STATUS_OK;
}
