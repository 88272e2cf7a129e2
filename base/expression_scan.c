/* Tokens of the expression language: numbers, names, and symbols of one or two characters. */
#include "base/expression_scan.h"

#include <string.h>

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_name_start(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           character == '_';
}

static bool is_name_part(char character)
{
    return is_name_start(character) || is_digit(character) || character == '.';
}

/* Takes letters and dots as well: what is a number, text_to_integer and text_to_real decide. */
static const char *skip_number(const char *position)
{
    for (; is_name_part(*position); position++) {
        bool exponent = *position == 'e' || *position == 'E';
        if (exponent && (position[1] == '-' || position[1] == '+')) position++;
    }
    return position;
}

void scanner_advance(struct scanner *scanner)
{
    const char *position = scanner->position;
    while (*position == ' ' || *position == '\t' || *position == '\n') position++;
    struct token token = {TOKEN_SYMBOL, position, 0};
    if (!*position) {
        token.kind = TOKEN_END;
    } else if (is_digit(*position)) {
        token.kind = TOKEN_NUMBER;
        position = skip_number(position);
    } else if (is_name_start(*position)) {
        token.kind = TOKEN_NAME;
        while (is_name_part(*position)) position++;
    } else {
        bool pair = strchr("=!<>", *position) && position[1] == '=';
        position += pair ? 2 : 1;
    }
    token.length = (size_t)(position - token.start);
    scanner->token = token;
    scanner->position = position;
}

bool token_is(const struct token *token, const char *text)
{
    return token->kind != TOKEN_END && strlen(text) == token->length &&
           memcmp(token->start, text, token->length) == 0;
}

bool scanner_accept(struct scanner *scanner, const char *text)
{
    if (!token_is(&scanner->token, text)) return false;
    scanner_advance(scanner);
    return true;
}
