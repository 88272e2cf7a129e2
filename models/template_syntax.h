/* What the lexer, the parser and the evaluator of chat templates share: tokens and the tree. */
#ifndef MODELS_TEMPLATE_SYNTAX_H
#define MODELS_TEMPLATE_SYNTAX_H

#include "models/template_datum.h"

enum template_token_kind { /* operators of one character are that character */
                           LEXEME_END = 0,
                           LEXEME_DATA = 256,
                           LEXEME_OUTPUT,     /* {{ */
                           LEXEME_OUTPUT_END, /* }} */
                           LEXEME_TAG,        /* {% */
                           LEXEME_TAG_END,    /* %} */
                           LEXEME_NAME,
                           LEXEME_TEXT,
                           LEXEME_INTEGER,
                           LEXEME_REAL,
                           LEXEME_EQUAL,
                           LEXEME_UNEQUAL,
                           LEXEME_AT_MOST,
                           LEXEME_AT_LEAST,
                           LEXEME_FLOOR,
                           LEXEME_POWER,
};

struct template_token {
    int kind;
    uint32_t offset;        /* in the source */
    struct datum_text text; /* DATA, NAME, and what TEXT stands for */
    struct datum number;
};

enum template_node_kind {
    /* statements */
    NODE_DATA,   /* value */
    NODE_OUTPUT, /* first */
    NODE_BODY,   /* items */
    NODE_SCOPE,  /* items: a body with variables of its own; keywords: the first of them */
    NODE_IF, /* items: condition, body, condition, body, ..., and the last body if the count is odd */
    NODE_FOR, /* first: target, second: what is walked, third: condition or NULL; items: body, else body */
    NODE_SET,         /* first: target, second: value */
    NODE_SET_BODY,    /* first: target, second: filters over NODE_CAPTURED or NULL; items */
    NODE_FILTER_BODY, /* second: filters; items */
    NODE_MACRO,       /* name, keywords: parameters with defaults (NULL: none); items */
    NODE_BREAK,
    NODE_CONTINUE,
    /* expressions */
    NODE_VALUE,     /* value */
    NODE_NAME,      /* name */
    NODE_CAPTURED,  /* the text that a body printed */
    NODE_LIST,      /* items */
    NODE_TUPLE,     /* items */
    NODE_MAP,       /* items: key, value, ... */
    NODE_ATTRIBUTE, /* first, name */
    NODE_ITEM,      /* first, second */
    NODE_SLICE,     /* first; items: begin, end, step, each NULL or not */
    NODE_CALL,      /* first; items, keywords */
    NODE_FILTER,    /* first, detail: which; items, keywords */
    NODE_TEST,      /* first, detail: which; items */
    NODE_UNARY,     /* first; detail: '-', '+' */
    NODE_NOT,       /* first */
    NODE_BINARY,    /* first, second; detail: the operator's token */
    NODE_JOIN,      /* items: a ~ b ~ c */
    NODE_COMPARE,   /* first; items: the others; operators in keywords' detail */
    NODE_AND,       /* first, second */
    NODE_OR,
    NODE_CHOICE, /* first if second else third (NULL: undefined) */
};

struct template_keyword {
    struct datum_text name;
    struct template_node *node;
    int detail; /* NODE_COMPARE: the operator */
};

enum { COMPARE_IN = 1, COMPARE_NOT_IN };

struct template_node {
    enum template_node_kind kind;
    int detail, height; /* height: of the tree below it */
    uint32_t offset;
    struct datum_text name;
    struct datum value;
    struct template_node *first, *second, *third;
    struct template_node **items;
    size_t count, capacity;
    struct template_keyword *keywords;
    size_t keyword_count, keyword_capacity;
};

struct template
{
    const char *name;   /* for messages */
    const char *source; /* line ends are newlines */
    size_t length;
    struct template_node *body;
};

enum {
    TEMPLATE_NESTING_MAX = 64, /* of brackets and tags; the deepest known template has 13 */
    TEMPLATE_HEIGHT_MAX = 256, /* of the tree: also a + b + ... counts */
};

/* Everything between tags, and the tokens of tags, ended by LEXEME_END. */
CHECKED status template_scan(const struct template *template, struct arena *arena,
                             struct template_token **tokens, size_t *count,
                             struct diagnostic *diagnostic);
/* A text literal without its quotes; false when an escape is not whole. */
bool template_unescape(const char *text, size_t length, char *result, size_t *result_length);

struct template_parser {
    struct template *template;
    struct arena *arena;
    struct diagnostic *diagnostic;
    const struct template_token *tokens;
    size_t at;
    int nesting;
    int loops; /* around this place */
};

/* template_expression.c; parse_or leaves out choices */
CHECKED status parse_expression(struct template_parser *parser, struct template_node **node);
CHECKED status parse_or(struct template_parser *parser, struct template_node **node);
/* template_operand.c */
CHECKED status parse_operand(struct template_parser *parser, struct template_node **node);
/* a, b: a tuple.  `choices`: whether `x if y else z` is one. */
CHECKED status parse_tuple(struct template_parser *parser, bool choices,
                           struct template_node **node);
CHECKED status parse_target(struct template_parser *parser, struct template_node **node);
CHECKED status parse_filters(struct template_parser *parser, struct template_node **node);
CHECKED status parse_parameters(struct template_parser *parser, struct template_node *macro);

/* template_parse.c: what both share. */
CHECKED status parser_node(struct template_parser *parser, enum template_node_kind kind,
                           struct template_node **node);
/* *node becomes the first child of a new node in its place. */
CHECKED status parser_wrap(struct template_parser *parser, enum template_node_kind kind, int detail,
                           struct template_node **node);
CHECKED status parser_second(struct template_parser *parser, struct template_node *node,
                             struct template_node *second);
/* Adds an item; its height counts, NULL is allowed. */
CHECKED status parser_add(struct template_parser *parser, struct template_node *node,
                          struct template_node *item);
/* Takes the height of `child` into account; NULL is allowed. */
CHECKED status parser_measure(struct template_parser *parser, struct template_node *node,
                              const struct template_node *child);
CHECKED status parser_keyword(struct template_parser *parser, struct template_node *node,
                              struct datum_text name, struct template_node *value, int detail);
CHECKED status parser_enter(struct template_parser *parser);
CHECKED status parser_expect(struct template_parser *parser, int kind, const char *what);
CHECKED PRINTF_LIKE(2, 3) status
    parser_refuse(struct template_parser *parser, const char *format, ...);
#define PARSER_REFUSE(...) certain_failure(parser_refuse(__VA_ARGS__))

static inline const struct template_token *parser_token(const struct template_parser *parser)
{
    return &parser->tokens[parser->at];
}
bool parser_is_name(const struct template_parser *parser, const char *name);
bool parser_accept(struct template_parser *parser, int kind);
bool parser_accept_name(struct template_parser *parser, const char *name);

/* "NAME:LINE:COLUMN: " and the reason. */
CHECKED status template_refuse(const struct template *template, uint32_t offset,
                               struct diagnostic *diagnostic, const char *format,
                               va_list arguments);

#endif
