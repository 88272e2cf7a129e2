/* Tokens of PTX text.  The text is treated as hostile: it may come from a store of artifacts. */
#ifndef EMULATOR_PTX_LEXER_H
#define EMULATOR_PTX_LEXER_H

#include "base/status.h"

#include <stdint.h>

/* Words are everything that begins with a letter, '_', '$', '%' or '.' and goes on with those,
 * digits and "::": opcodes with all their modifiers, registers, directives, labels. */
enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_SYMBOL };

struct token {
    enum token_kind kind;
    const char *text;
    size_t length;
    int line;
};

struct lexer {
    const char *at, *end;
    int line;
    struct token token; /* the one that comes next */
    struct diagnostic *diagnostic;
};

void lexer_open(struct lexer *lexer, const char *text, size_t length,
                struct diagnostic *diagnostic);
void lexer_advance(struct lexer *lexer);

/* fail() with the line of the next token. */
CHECKED PRINTF_LIKE(2, 3) status lexer_fail(const struct lexer *lexer, const char *format, ...);

bool token_is(const struct token *token, const char *text);
/* Takes the next token if it is `text`. */
bool lexer_take(struct lexer *lexer, const char *text);
CHECKED status lexer_expect(struct lexer *lexer, const char *text);
CHECKED status lexer_word(struct lexer *lexer, const char *what, struct token *word);
/* A number with its sign: decimal, hexadecimal, octal, 0f or 0d (bits of a float). */
CHECKED status lexer_number(struct lexer *lexer, int64_t *value);
/* 0f3F800000 has `float_bits` 32, 0d... 64, whole numbers 0. */
CHECKED status lexer_constant(struct lexer *lexer, int64_t *value, int *float_bits);
/* Goes behind the next `symbol` (';'), whatever is before it. */
CHECKED status lexer_skip_to(struct lexer *lexer, char symbol);

#endif
