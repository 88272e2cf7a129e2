/* The statements of a chat template. */
#include "models/template.h"
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

status template_refuse(const struct template *template, uint32_t offset,
                       struct diagnostic *diagnostic, const char *format, va_list arguments)
{
    char reason[DIAGNOSTIC_TEXT_BYTES / 2];
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset && i < template->length; i++) {
        bool newline = template->source[i] == '\n';
        line += newline;
        column = newline ? 1 : column + 1;
    }
    vsnprintf(reason, sizeof reason, format, arguments);
    return fail(diagnostic, STATUS_BAD_INPUT, "%.400s:%zu:%zu: %s", template->name, line, column,
                reason);
}

status parser_refuse(struct template_parser *parser, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    status code = template_refuse(parser->template, parser_token(parser)->offset,
                                  parser->diagnostic, format, arguments);
    va_end(arguments);
    return code;
}

bool parser_is_name(const struct template_parser *parser, const char *name)
{
    const struct template_token *token = parser_token(parser);
    return token->kind == LEXEME_NAME && token->text.length == strlen(name) &&
           memcmp(token->text.bytes, name, token->text.length) == 0;
}

bool parser_accept(struct template_parser *parser, int kind)
{
    if (parser_token(parser)->kind != kind) return false;
    parser->at++;
    return true;
}

bool parser_accept_name(struct template_parser *parser, const char *name)
{
    if (!parser_is_name(parser, name)) return false;
    parser->at++;
    return true;
}

status parser_expect(struct template_parser *parser, int kind, const char *what)
{
    if (parser_accept(parser, kind)) return STATUS_OK;
    return PARSER_REFUSE(parser, "%s is expected here", what);
}

status parser_enter(struct template_parser *parser)
{
    if (++parser->nesting <= TEMPLATE_NESTING_MAX) return STATUS_OK;
    return PARSER_REFUSE(parser, "more than %d levels within one another", TEMPLATE_NESTING_MAX);
}

status parser_node(struct template_parser *parser, enum template_node_kind kind,
                   struct template_node **node)
{
    TRY_NEW(*node, parser->arena, 1, parser->diagnostic);
    (*node)->kind = kind;
    (*node)->offset = parser_token(parser)->offset;
    (*node)->height = 1;
    return STATUS_OK;
}

status parser_measure(struct template_parser *parser, struct template_node *node,
                      const struct template_node *child)
{
    if (child && child->height >= node->height) node->height = child->height + 1;
    if (node->height <= TEMPLATE_HEIGHT_MAX) return STATUS_OK;
    return PARSER_REFUSE(parser, "more than %d operations depend on one another here",
                         TEMPLATE_HEIGHT_MAX);
}

status parser_wrap(struct template_parser *parser, enum template_node_kind kind, int detail,
                   struct template_node **node)
{
    struct template_node *outer;
    TRY(parser_node(parser, kind, &outer));
    outer->detail = detail;
    outer->first = *node;
    if (kind == NODE_CALL) outer->offset = outer->first->offset;
    *node = outer;
    return parser_measure(parser, outer, outer->first);
}

status parser_second(struct template_parser *parser, struct template_node *node,
                     struct template_node *second)
{
    node->second = second;
    return parser_measure(parser, node, second);
}

status parser_add(struct template_parser *parser, struct template_node *node,
                  struct template_node *item)
{
    TRY_APPEND(node->items, node->count, node->capacity, parser->arena, parser->diagnostic);
    node->items[node->count - 1] = item;
    return parser_measure(parser, node, item);
}

status parser_keyword(struct template_parser *parser, struct template_node *node,
                      struct datum_text name, struct template_node *value, int detail)
{
    TRY_APPEND(node->keywords, node->keyword_count, node->keyword_capacity, parser->arena,
               parser->diagnostic);
    node->keywords[node->keyword_count - 1] = (struct template_keyword){name, value, detail};
    return parser_measure(parser, node, value);
}

static status parse_body(struct template_parser *parser, const char *const *ends,
                         struct template_node *body);

/* The body up to {% end %}, whose name is taken. */
static status parse_block(struct template_parser *parser, struct template_node *node,
                          const char *end)
{
    const char *const ends[] = {end, NULL};
    TRY(parser_expect(parser, LEXEME_TAG_END, "the end of the tag"));
    TRY(parse_body(parser, ends, node));
    parser->at++;
    return STATUS_OK;
}

static status parse_if(struct template_parser *parser, struct template_node **node)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct template_node *condition, *body;
    bool more = true;
    TRY(parser_node(parser, NODE_IF, node));
    while (more) {
        parser->at++;
        TRY(parse_tuple(parser, false, &condition));
        TRY(parser_add(parser, *node, condition));
        TRY(parser_expect(parser, LEXEME_TAG_END, "the end of the tag"));
        TRY(parser_node(parser, NODE_BODY, &body));
        TRY(parse_body(parser, ends, body));
        TRY(parser_add(parser, *node, body));
        more = parser_is_name(parser, "elif");
    }
    if (parser_accept_name(parser, "endif")) return STATUS_OK;
    parser->at++;
    TRY(parser_node(parser, NODE_BODY, &body));
    TRY(parse_block(parser, body, "endif"));
    return parser_add(parser, *node, body);
}

static status parse_for(struct template_parser *parser, struct template_node **node)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    struct template_node *body;
    TRY(parser_node(parser, NODE_FOR, node));
    parser->at++;
    TRY(parse_target(parser, &(*node)->first));
    if (!parser_accept_name(parser, "in")) return PARSER_REFUSE(parser, "'in' is expected here");
    TRY(parse_tuple(parser, false, &(*node)->second));
    if (parser_accept_name(parser, "if")) TRY(parse_expression(parser, &(*node)->third));
    if (parser_is_name(parser, "recursive"))
        return PARSER_REFUSE(parser, "recursive loops are not supported in chat templates");
    TRY(parser_measure(parser, *node, (*node)->first));
    TRY(parser_measure(parser, *node, (*node)->second));
    TRY(parser_measure(parser, *node, (*node)->third));
    TRY(parser_expect(parser, LEXEME_TAG_END, "the end of the tag"));
    parser->loops++;
    TRY(parser_node(parser, NODE_BODY, &body));
    TRY(parse_body(parser, ends, body));
    TRY(parser_add(parser, *node, body));
    parser->loops--;
    if (parser_accept_name(parser, "endfor")) return STATUS_OK;
    parser->at++;
    TRY(parser_node(parser, NODE_BODY, &body));
    TRY(parse_block(parser, body, "endfor"));
    return parser_add(parser, *node, body);
}

static status parse_set(struct template_parser *parser, struct template_node **node)
{
    TRY(parser_node(parser, NODE_SET, node));
    parser->at++;
    TRY(parse_target(parser, &(*node)->first));
    if (parser_accept(parser, '=')) {
        TRY(parse_tuple(parser, true, &(*node)->second));
        return parser_measure(parser, *node, (*node)->second);
    }
    (*node)->kind = NODE_SET_BODY;
    TRY(parse_filters(parser, &(*node)->second));
    TRY(parser_measure(parser, *node, (*node)->second));
    return parse_block(parser, *node, "endset");
}

static status parse_filter_body(struct template_parser *parser, struct template_node **node)
{
    TRY(parser_node(parser, NODE_FILTER_BODY, node));
    TRY(parse_filters(parser, &(*node)->second));
    TRY(parser_measure(parser, *node, (*node)->second));
    return parse_block(parser, *node, "endfilter");
}

/* A loop around a macro is not one around its body. */
static status parse_macro(struct template_parser *parser, struct template_node **node)
{
    int loops = parser->loops;
    TRY(parser_node(parser, NODE_MACRO, node));
    parser->at++;
    (*node)->name = parser_token(parser)->text;
    TRY(parser_expect(parser, LEXEME_NAME, "the macro's name"));
    TRY(parse_parameters(parser, *node));
    parser->loops = 0;
    TRY(parse_block(parser, *node, "endmacro"));
    parser->loops = loops;
    return STATUS_OK;
}

static status parse_with(struct template_parser *parser, struct template_node **node)
{
    struct template_node *value;
    TRY(parser_node(parser, NODE_SCOPE, node));
    parser->at++;
    while (parser_token(parser)->kind != LEXEME_TAG_END) {
        if ((*node)->keyword_count) TRY(parser_expect(parser, ',', "a comma"));
        struct datum_text name = parser_token(parser)->text;
        TRY(parser_expect(parser, LEXEME_NAME, "a name"));
        TRY(parser_expect(parser, '=', "'='"));
        TRY(parse_expression(parser, &value));
        TRY(parser_keyword(parser, *node, name, value, 0));
    }
    return parse_block(parser, *node, "endwith");
}

/* The marks around what the model says are for training; they print what is between them. */
static status parse_generation(struct template_parser *parser, struct template_node **node)
{
    TRY(parser_node(parser, NODE_SCOPE, node));
    parser->at++;
    return parse_block(parser, *node, "endgeneration");
}

static status parse_jump(struct template_parser *parser, struct template_node **node)
{
    bool stops = parser_is_name(parser, "break");
    if (!parser->loops)
        return PARSER_REFUSE(parser, "'%s' is not within a loop", stops ? "break" : "continue");
    TRY(parser_node(parser, stops ? NODE_BREAK : NODE_CONTINUE, node));
    parser->at++;
    return STATUS_OK;
}

static status parse_statement(struct template_parser *parser, struct template_node **node)
{
    static const struct {
        const char *name;
        status (*parse)(struct template_parser *, struct template_node **);
    } statements[] = {
        {"if", parse_if},       {"for", parse_for},       {"set", parse_set},
        {"macro", parse_macro}, {"with", parse_with},     {"filter", parse_filter_body},
        {"break", parse_jump},  {"continue", parse_jump}, {"generation", parse_generation}};
    char excerpt[EXCERPT_BYTES];
    const struct template_token *token = parser_token(parser);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (parser_is_name(parser, statements[i].name)) return statements[i].parse(parser, node);
    if (token->kind != LEXEME_NAME) return PARSER_REFUSE(parser, "a statement is expected here");
    return PARSER_REFUSE(parser, "the statement '%s' is not known to chat templates",
                         utf8_excerpt(token->text.bytes, token->text.length, excerpt));
}

static bool at_end(const struct template_parser *parser, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (parser_is_name(parser, *ends)) return true;
    return false;
}

static status parse_output(struct template_parser *parser, struct template_node *body)
{
    struct template_node *node;
    TRY(parser_node(parser, NODE_OUTPUT, &node));
    parser->at++;
    TRY(parse_tuple(parser, true, &node->first));
    TRY(parser_measure(parser, node, node->first));
    TRY(parser_expect(parser, LEXEME_OUTPUT_END, "'}}'"));
    return parser_add(parser, body, node);
}

static status parse_data(struct template_parser *parser, struct template_node *body)
{
    struct template_node *node;
    TRY(parser_node(parser, NODE_DATA, &node));
    struct datum_text text = parser_token(parser)->text;
    node->value = datum_text(text.bytes, text.length);
    parser->at++;
    return parser_add(parser, body, node);
}

/* Up to a tag that begins with one of `ends`, which is the next token then; NULL: to the end of the template. */
static status parse_body(struct template_parser *parser, const char *const *ends,
                         struct template_node *body)
{
    struct template_node *node;
    TRY(parser_enter(parser));
    for (;;) {
        int kind = parser_token(parser)->kind;
        if (kind == LEXEME_END) {
            while (ends && ends[1]) ends++;
            if (ends) return PARSER_REFUSE(parser, "{%% %s %%} is missing", *ends);
            break;
        }
        if (kind == LEXEME_DATA) {
            TRY(parse_data(parser, body));
        } else if (kind == LEXEME_OUTPUT) {
            TRY(parse_output(parser, body));
        } else {
            parser->at++;
            if (at_end(parser, ends)) break;
            TRY(parse_statement(parser, &node));
            TRY(parser_expect(parser, LEXEME_TAG_END, "the end of the tag"));
            TRY(parser_add(parser, body, node));
        }
    }
    parser->nesting--;
    return STATUS_OK;
}

/* Line ends become newlines, and one at the end is dropped. */
static status copy_source(struct template *template, const char *source, size_t length,
                          struct arena *arena, struct diagnostic *diagnostic)
{
    char *copy;
    TRY_NEW(copy, arena, length + 1, diagnostic);
    for (size_t i = 0; i < length; i++) {
        bool pair = source[i] == '\r' && i + 1 < length && source[i + 1] == '\n';
        copy[template->length++] = source[i] == '\r' ? '\n' : source[i];
        i += pair;
    }
    if (template->length && copy[template->length - 1] == '\n') template->length--;
    template->source = copy;
    return STATUS_OK;
}

static status parse(const char *source, size_t length, struct template_parser *parser)
{
    struct template *template = parser->template;
    struct template_token *tokens;
    size_t count;
    if (length > TEMPLATE_BYTES_MAX)
        return fail(parser->diagnostic, STATUS_BAD_INPUT,
                    "%.500s: a chat template of %zu bytes; at most %d are read", template->name,
                    length, TEMPLATE_BYTES_MAX);
    size_t valid = utf8_valid(source, length);
    if (valid < length)
        return fail(parser->diagnostic, STATUS_BAD_INPUT,
                    "%.500s: byte %zu of the chat template is not UTF-8", template->name, valid);
    TRY(copy_source(template, source, length, parser->arena, parser->diagnostic));
    TRY(template_scan(template, parser->arena, &tokens, &count, parser->diagnostic));
    parser->tokens = tokens;
    TRY(parser_node(parser, NODE_BODY, &template->body));
    return parse_body(parser, NULL, template->body);
}

status template_parse(const char *name, const char *source, size_t length, struct arena *arena,
                      struct template **result, struct diagnostic *diagnostic)
{
    TRY_NEW(*result, arena, 1, diagnostic);
    (*result)->name = arena_text(arena, name);
    TRY_MEMORY((*result)->name, diagnostic);
    struct template_parser parser = {.template = *result, .arena = arena, .diagnostic = diagnostic};
    return parse(source, length, &parser);
}
