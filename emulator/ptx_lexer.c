/* The tokens of PTX. */
#include "emulator/ptx_lexer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool starts_word(char c)
{
    return isalpha((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.';
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n') lexer->at++;
}

static void skip_comment(struct lexer *lexer)
{
    while (lexer->at < lexer->end && !(lexer->at[0] == '*' && lexer->at[1] == '/')) {
        if (*lexer->at == '\n') lexer->line++;
        lexer->at++;
    }
    if (lexer->at < lexer->end) lexer->at += 2;
}

static void skip_blank(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        if (lexer->at[0] == '/' && lexer->at[1] == '/') {
            skip_line(lexer);
        } else if (lexer->at[0] == '/' && lexer->at[1] == '*') {
            lexer->at += 2;
            skip_comment(lexer);
        } else if (isspace((unsigned char)*lexer->at)) {
            if (*lexer->at++ == '\n') lexer->line++;
        } else {
            return;
        }
    }
}

/* The text ends with a zero byte, so that one character behind `at` can always be read. */
static size_t word_length(const char *at)
{
    size_t length = 1;
    for (;;) {
        char c = at[length];
        bool pair = c == ':' && at[length + 1] == ':';
        if (!isalnum((unsigned char)c) && !pair && c != '_' && c != '$' && c != '.' && c != '%')
            return length;
        length += pair ? 2 : 1;
    }
}

static size_t number_length(const char *at)
{
    size_t length = 0;
    while (isalnum((unsigned char)at[length])) length++;
    return length;
}

static size_t text_length(const struct lexer *lexer)
{
    const char *at = lexer->at + 1;
    while (at < lexer->end && *at != '"' && *at != '\n') at++;
    return (size_t)(at - lexer->at) + (at < lexer->end);
}

void lexer_advance(struct lexer *lexer)
{
    skip_blank(lexer);
    struct token *token = &lexer->token;
    *token = (struct token){.kind = TOKEN_END, .text = lexer->at, .line = lexer->line};
    if (lexer->at >= lexer->end) return;
    char c = *lexer->at;
    if (starts_word(c)) {
        token->kind = TOKEN_WORD;
        token->length = word_length(lexer->at);
    } else if (isdigit((unsigned char)c)) {
        token->kind = TOKEN_NUMBER;
        token->length = number_length(lexer->at);
    } else if (c == '"') {
        token->kind = TOKEN_TEXT;
        token->length = text_length(lexer);
    } else {
        token->kind = TOKEN_SYMBOL;
        token->length = 1;
    }
    lexer->at += token->length;
}

void lexer_open(struct lexer *lexer, const char *text, size_t length, struct diagnostic *diagnostic)
{
    *lexer = (struct lexer){.at = text, .end = text + length, .line = 1, .diagnostic = diagnostic};
    lexer_advance(lexer);
}

status lexer_fail(const struct lexer *lexer, const char *format, ...)
{
    char message[DIAGNOSTIC_TEXT_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail(lexer->diagnostic, STATUS_BAD_INPUT, "ptx:%d: %s", lexer->token.line, message);
}

bool token_is(const struct token *token, const char *text)
{
    return token->kind != TOKEN_END && strlen(text) == token->length &&
           !memcmp(token->text, text, token->length);
}

bool lexer_take(struct lexer *lexer, const char *text)
{
    if (!token_is(&lexer->token, text)) return false;
    lexer_advance(lexer);
    return true;
}

status lexer_expect(struct lexer *lexer, const char *text)
{
    if (lexer_take(lexer, text)) return STATUS_OK;
    return lexer_fail(lexer, "expected '%s', found '%.*s'", text, (int)lexer->token.length,
                      lexer->token.text);
}

status lexer_word(struct lexer *lexer, const char *what, struct token *word)
{
    if (lexer->token.kind != TOKEN_WORD)
        return lexer_fail(lexer, "expected %s, found '%.*s'", what, (int)lexer->token.length,
                          lexer->token.text);
    *word = lexer->token;
    lexer_advance(lexer);
    return STATUS_OK;
}

/* Digits of `base` up to the end of the token or a final U; false on anything else. */
static bool digits_value(const char *text, size_t length, unsigned base, uint64_t *value)
{
    uint64_t sum = 0;
    if (length && (text[length - 1] == 'U' || text[length - 1] == 'u')) length--;
    if (!length || length > 40) return false;
    for (size_t i = 0; i < length; i++) {
        char c = (char)tolower((unsigned char)text[i]);
        unsigned digit = isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
        if (digit >= base || __builtin_mul_overflow(sum, base, &sum)) return false;
        if (__builtin_add_overflow(sum, digit, &sum)) return false;
    }
    *value = sum;
    return true;
}

static bool constant_value(const struct token *token, uint64_t *value, int *float_bits)
{
    const char *text = token->text;
    size_t length = token->length;
    *float_bits = 0;
    if (length > 2 && text[0] == '0') {
        char kind = (char)tolower((unsigned char)text[1]);
        *float_bits = kind == 'f' ? 32 : kind == 'd' ? 64 : 0;
        if (*float_bits || kind == 'x') return digits_value(text + 2, length - 2, 16, value);
        if (kind == 'b') return digits_value(text + 2, length - 2, 2, value);
        return digits_value(text + 1, length - 1, 8, value);
    }
    return digits_value(text, length, 10, value);
}

status lexer_constant(struct lexer *lexer, int64_t *value, int *float_bits)
{
    bool negative = lexer_take(lexer, "-");
    uint64_t bits;
    if (lexer->token.kind != TOKEN_NUMBER || !constant_value(&lexer->token, &bits, float_bits))
        return lexer_fail(lexer, "expected a number, found '%.*s'", (int)lexer->token.length,
                          lexer->token.text);
    *value = (int64_t)(negative ? 0 - bits : bits);
    lexer_advance(lexer);
    return STATUS_OK;
}

status lexer_number(struct lexer *lexer, int64_t *value)
{
    int float_bits;
    return lexer_constant(lexer, value, &float_bits);
}

status lexer_skip_to(struct lexer *lexer, char symbol)
{
    while (lexer->token.kind != TOKEN_END) {
        bool found = lexer->token.kind == TOKEN_SYMBOL && *lexer->token.text == symbol;
        lexer_advance(lexer);
        if (found) return STATUS_OK;
    }
    return lexer_fail(lexer, "the text ends before a '%c'", symbol);
}
