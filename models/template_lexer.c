/* A chat template as tokens: text between tags, after the rules of white space, and what is in the tags.
 *
 * "-" inside a tag removes all white space on its side; the newline behind a block or comment is dropped, and so are the
 * spaces between the start of a line and a block or comment, unless there is a "+". */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAX = 64 };

struct lexer {
    const struct template *template;
    struct arena *arena;
    struct diagnostic *diagnostic;
    const char *text;
    size_t length, at;
    struct template_token *tokens;
    size_t count, capacity;
    bool line_start; /* the last tag ended with a newline */
    char brackets[TEMPLATE_NESTING_MAX];
    int nesting;
};

static status PRINTF_LIKE(3, 4) refuse(struct lexer *lexer, size_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    status code =
        template_refuse(lexer->template, (uint32_t)offset, lexer->diagnostic, format, arguments);
    va_end(arguments);
    return code;
}

static status add(struct lexer *lexer, int kind, size_t offset, struct template_token **token)
{
    TRY_APPEND(lexer->tokens, lexer->count, lexer->capacity, lexer->arena, lexer->diagnostic);
    *token = &lexer->tokens[lexer->count - 1];
    (*token)->kind = kind;
    (*token)->offset = (uint32_t)offset;
    return STATUS_OK;
}

static bool starts(const struct lexer *lexer, size_t at, const char *what)
{
    size_t length = strlen(what);
    return lexer->length - at >= length && memcmp(lexer->text + at, what, length) == 0;
}

static size_t skip_space(const struct lexer *lexer, size_t at)
{
    size_t bytes;
    while (at < lexer->length && text_space_at(lexer->text + at, lexer->length - at, &bytes))
        at += bytes;
    return at;
}

/* Where text that begins at `begin` ends, when a tag follows at `end`. */
static size_t trimmed_end(const struct lexer *lexer, size_t begin, size_t end, bool is_output)
{
    struct datum_text text = {lexer->text + begin, end - begin};
    char sign = end + 2 < lexer->length ? lexer->text[end + 2] : 0;
    if (sign == '-') return begin + text_strip(text, NULL, STRIP_RIGHT).length;
    if (sign == '+' || is_output) return end;
    const char *newline = memrchr(text.bytes, '\n', text.length);
    if (!newline && !lexer->line_start) return end;
    size_t line = newline ? begin + (size_t)(newline - text.bytes) + 1 : begin;
    return skip_space(lexer, line) >= end ? line : end;
}

static status take_data(struct lexer *lexer, size_t begin, size_t end)
{
    struct template_token *token;
    if (end == begin) return STATUS_OK;
    TRY(add(lexer, LEXEME_DATA, begin, &token));
    token->text = (struct datum_text){lexer->text + begin, end - begin};
    return STATUS_OK;
}

/* Behind the end of a tag at `at`: "-%}" takes the white space along, "%}" the newline if `trims`.  0: no end is here. */
static size_t tag_end(struct lexer *lexer, size_t at, const char *mark, bool trims)
{
    size_t end = at;
    bool minus = starts(lexer, at, "-"), plus = trims && starts(lexer, at, "+");
    if (minus || plus) end++;
    if (!starts(lexer, end, mark)) return 0;
    end += 2;
    if (minus) end = skip_space(lexer, end);
    if (!minus && !plus && trims && starts(lexer, end, "\n")) end++;
    return end;
}

static status skip_comment(struct lexer *lexer, size_t begin)
{
    for (size_t at = begin + 2; at < lexer->length; at++) {
        if (lexer->text[at] != '#' && lexer->text[at] != '-' && lexer->text[at] != '+') continue;
        size_t end = tag_end(lexer, at, "#}", true);
        if (!end) continue;
        lexer->at = end;
        lexer->line_start = lexer->text[end - 1] == '\n';
        return STATUS_OK;
    }
    return refuse(lexer, begin, "the comment has no end");
}

/* Behind `word` in a tag that begins at `at`, or 0. */
static size_t tag_word(const struct lexer *lexer, size_t at, const char *word)
{
    if (!starts(lexer, at, "{%")) return 0;
    at += 2;
    if (at < lexer->length && (lexer->text[at] == '-' || lexer->text[at] == '+')) at++;
    at = skip_space(lexer, at);
    return starts(lexer, at, word) ? skip_space(lexer, at + strlen(word)) : 0;
}

/* The text between {% raw %} and {% endraw %}; `body` is the end of the first tag's words. */
static status take_raw(struct lexer *lexer, size_t begin, size_t body)
{
    bool minus = starts(lexer, body, "-");
    body += minus ? 3 : 2;
    if (minus) body = skip_space(lexer, body);
    lexer->line_start = body > begin && lexer->text[body - 1] == '\n';
    for (size_t at = body; at < lexer->length; at++) {
        size_t word = tag_word(lexer, at, "endraw");
        size_t end = word ? tag_end(lexer, word, "%}", true) : 0;
        if (!end) continue;
        TRY(take_data(lexer, body, trimmed_end(lexer, body, at, false)));
        lexer->at = end;
        lexer->line_start = lexer->text[end - 1] == '\n';
        return STATUS_OK;
    }
    return refuse(lexer, begin, "{%% raw %%} has no {%% endraw %%}");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

/* Digits, with single underscores between them. */
static size_t digits_end(const struct lexer *lexer, size_t at)
{
    while (at < lexer->length &&
           (is_digit(lexer->text[at]) ||
            (lexer->text[at] == '_' && at + 1 < lexer->length && is_digit(lexer->text[at + 1]))))
        at++;
    return at;
}

static size_t exponent_end(const struct lexer *lexer, size_t at)
{
    size_t digits = at + 1;
    if (at >= lexer->length || (lexer->text[at] | 32) != 'e') return at;
    if (digits < lexer->length && (lexer->text[digits] == '+' || lexer->text[digits] == '-'))
        digits++;
    if (digits >= lexer->length || !is_digit(lexer->text[digits])) return at;
    return digits_end(lexer, digits);
}

static status take_number(struct lexer *lexer)
{
    struct template_token *token;
    char digits[NUMBER_BYTES_MAX];
    size_t begin = lexer->at, end = digits_end(lexer, begin), whole = end, count = 0;
    bool attribute = begin > 0 && lexer->text[begin - 1] == '.';
    if (!attribute && end + 1 < lexer->length && lexer->text[end] == '.' &&
        is_digit(lexer->text[end + 1]))
        end = digits_end(lexer, end + 1);
    if (!attribute) end = exponent_end(lexer, end);
    if (end - begin >= NUMBER_BYTES_MAX || (end < lexer->length && is_name(lexer->text[end])))
        return refuse(lexer, begin, "this number is not read; write it in decimal");
    for (size_t i = begin; i < end; i++)
        if (lexer->text[i] != '_') digits[count++] = lexer->text[i];
    digits[count] = 0;
    errno = 0;
    TRY(add(lexer, end == whole ? LEXEME_INTEGER : LEXEME_REAL, begin, &token));
    token->number =
        end == whole ? datum_integer(strtoll(digits, NULL, 10)) : datum_real(strtod(digits, NULL));
    if (end == whole && errno == ERANGE) return refuse(lexer, begin, "the number is too large");
    lexer->at = end;
    return STATUS_OK;
}

static status take_name(struct lexer *lexer)
{
    struct template_token *token;
    size_t begin = lexer->at;
    while (lexer->at < lexer->length && is_name(lexer->text[lexer->at])) lexer->at++;
    TRY(add(lexer, LEXEME_NAME, begin, &token));
    token->text = (struct datum_text){lexer->text + begin, lexer->at - begin};
    return STATUS_OK;
}

static status take_literal(struct lexer *lexer)
{
    struct template_token *token;
    size_t begin = lexer->at, end = begin + 1;
    char quote = lexer->text[begin], *text;
    while (end < lexer->length && lexer->text[end] != quote)
        end += lexer->text[end] == '\\' ? 2 : 1;
    if (end >= lexer->length) return refuse(lexer, begin, "the text has no closing quote");
    TRY(add(lexer, LEXEME_TEXT, begin, &token));
    TRY_NEW(text, lexer->arena, end - begin, lexer->diagnostic);
    token->text.bytes = text;
    if (!template_unescape(lexer->text + begin + 1, end - begin - 1, text, &token->text.length))
        return refuse(lexer, begin, "an escape in this text is not valid");
    lexer->at = end + 1;
    return STATUS_OK;
}

/* Inside brackets no tag ends. */
static status take_bracket(struct lexer *lexer, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    if (strchr(opening, c)) {
        if (lexer->nesting == TEMPLATE_NESTING_MAX)
            return refuse(lexer, lexer->at, "more than %d brackets within one another",
                          TEMPLATE_NESTING_MAX);
        lexer->brackets[lexer->nesting++] = closing[strchr(opening, c) - opening];
    } else if (lexer->nesting == 0 || lexer->brackets[--lexer->nesting] != c) {
        return refuse(lexer, lexer->at, "'%c' closes nothing", c);
    }
    return STATUS_OK;
}

static status take_operator(struct lexer *lexer)
{
    static const struct {
        char text[3];
        int kind;
    } pairs[] = {{"==", LEXEME_EQUAL},    {"!=", LEXEME_UNEQUAL}, {"<=", LEXEME_AT_MOST},
                 {">=", LEXEME_AT_LEAST}, {"//", LEXEME_FLOOR},   {"**", LEXEME_POWER}};
    struct template_token *token;
    char c = lexer->text[lexer->at];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!starts(lexer, lexer->at, pairs[i].text)) continue;
        TRY(add(lexer, pairs[i].kind, lexer->at, &token));
        lexer->at += 2;
        return STATUS_OK;
    }
    if (!c || !strchr("+-/*%~[](){}><=.:|,;", c)) {
        char excerpt[EXCERPT_BYTES];
        return refuse(lexer, lexer->at, "unexpected character '%s' in a tag",
                      utf8_excerpt(&c, 1, excerpt));
    }
    if (strchr("()[]{}", c)) TRY(take_bracket(lexer, c));
    TRY(add(lexer, c, lexer->at, &token));
    lexer->at++;
    return STATUS_OK;
}

static status take_lexeme(struct lexer *lexer)
{
    char c = lexer->text[lexer->at];
    if (is_digit(c)) return take_number(lexer);
    if (is_name(c)) return take_name(lexer);
    if (c == '"' || c == '\'') return take_literal(lexer);
    return take_operator(lexer);
}

/* All of the tag that begins at lexer->at. */
static status take_tag(struct lexer *lexer, bool is_output)
{
    struct template_token *token;
    size_t begin = lexer->at, end = 0;
    TRY(add(lexer, is_output ? LEXEME_OUTPUT : LEXEME_TAG, begin, &token));
    lexer->at += 2;
    if (lexer->at < lexer->length && strchr("+-", lexer->text[lexer->at])) lexer->at++;
    lexer->nesting = 0;
    for (;;) {
        lexer->at = skip_space(lexer, lexer->at);
        if (lexer->at >= lexer->length) return refuse(lexer, begin, "the tag has no end");
        if (!lexer->nesting) end = tag_end(lexer, lexer->at, is_output ? "}}" : "%}", !is_output);
        if (!lexer->nesting && end) break;
        TRY(take_lexeme(lexer));
    }
    TRY(add(lexer, is_output ? LEXEME_OUTPUT_END : LEXEME_TAG_END, lexer->at, &token));
    lexer->at = end;
    lexer->line_start = lexer->text[end - 1] == '\n';
    return STATUS_OK;
}

/* Text up to the next tag, and the tag. */
static status take_stretch(struct lexer *lexer)
{
    size_t begin = lexer->at, at = begin;
    while (at < lexer->length &&
           !(starts(lexer, at, "{{") || starts(lexer, at, "{%") || starts(lexer, at, "{#")))
        at++;
    lexer->at = at;
    if (at == lexer->length) return take_data(lexer, begin, at);
    bool is_output = lexer->text[at + 1] == '{';
    TRY(take_data(lexer, begin, trimmed_end(lexer, begin, at, is_output)));
    if (lexer->text[at + 1] == '#') return skip_comment(lexer, at);
    size_t raw = tag_word(lexer, at, "raw");
    if (raw && (starts(lexer, raw, "%}") || starts(lexer, raw, "-%}")))
        return take_raw(lexer, at, raw);
    return take_tag(lexer, is_output);
}

status template_scan(const struct template *template, struct arena *arena,
                     struct template_token **tokens, size_t *count, struct diagnostic *diagnostic)
{
    struct lexer lexer = {.template = template,
                          .arena = arena,
                          .diagnostic = diagnostic,
                          .text = template->source,
                          .length = template->length,
                          .line_start = true};
    struct template_token *token;
    while (lexer.at < lexer.length) TRY(take_stretch(&lexer));
    TRY(add(&lexer, LEXEME_END, lexer.length, &token));
    *tokens = lexer.tokens;
    *count = lexer.count;
    return STATUS_OK;
}
