/* Tokens of the expression language, for base/expression.c only. */
#ifndef BASE_EXPRESSION_SCAN_H
#define BASE_EXPRESSION_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum token_kind { TOKEN_END, TOKEN_NUMBER, TOKEN_NAME, TOKEN_SYMBOL };

struct token {
    enum token_kind kind; /* keywords are names here */
    const char *start;
    size_t length;
};

struct scanner {
    const char *position; /* behind `token` */
    struct token token;
};

void scanner_advance(struct scanner *scanner);
bool token_is(const struct token *token, const char *text);
/* Steps over the token when it is `text`. */
bool scanner_accept(struct scanner *scanner, const char *text);

#endif
