/* A recursive descent over the text that prints what it reads, every operation in brackets. */
#include "engine/python_rule.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

enum { DEPTH_MAX = 32, CHAIN_MAX = 8, WORD_BYTES = 64 };

struct translation {
    const char *text, *where;
    size_t at; /* of the token that comes next */
    struct arena *arena;
    struct diagnostic *diagnostic;
    int depth;
    bool exact_division, whole_division;
};

#define rule_fail(translation, ...)                                                                \
    certain_failure(fail((translation)->diagnostic, STATUS_BAD_INPUT, __VA_ARGS__))

static status refuse(const struct translation *own, const char *what)
{
    return rule_fail(own, "%.256s, column %zu: %s", own->where, own->at + 1, what);
}

static status say(const struct translation *own, const char *printed, const char **result)
{
    TRY_MEMORY(printed, own->diagnostic);
    if (strlen(printed) > PYTHON_RULE_BYTES_MAX) return refuse(own, "the condition is too long");
    *result = printed;
    return STATUS_OK;
}

/* ---- Tokens ---- */

static void skip_blanks(struct translation *own)
{
    while (isspace((unsigned char)own->text[own->at])) own->at++;
}

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static size_t name_length(const char *text)
{
    size_t length = 0;
    if (!is_name_start(*text)) return 0;
    while (is_name_start(text[length]) || isdigit((unsigned char)text[length])) length++;
    return length;
}

/* Takes a sign or a word if it comes next.  A sign that goes on is another one. */
static bool take(struct translation *own, const char *token)
{
    size_t length = strlen(token);
    skip_blanks(own);
    const char *next = own->text + own->at;
    if (strncmp(next, token, length) != 0) return false;
    if (is_name_start(*token)) {
        if (name_length(next) != length) return false;
    } else if (next[length] && strchr("*/=<>&|", next[length]) && strchr("*/=<>!&|", *token)) {
        return false;
    }
    own->at += length;
    return true;
}

/* ---- The language ---- */

static status translate_choice(struct translation *own, const char **result);

static status translate_word(struct translation *own, size_t length, const char **result)
{
    static const char *const reserved[] = {"and", "or", "not", "in", "if", "else", "lambda", "is"};
    char word[WORD_BYTES];
    if (length >= sizeof word) return refuse(own, "a name of more than 63 characters");
    memcpy(word, own->text + own->at, length);
    word[length] = 0;
    for (size_t r = 0; r < sizeof reserved / sizeof *reserved; r++)
        if (strcmp(word, reserved[r]) == 0) return refuse(own, "a value is missing");
    own->at += length;
    if (strcmp(word, "True") == 0) return say(own, "1", result);
    if (strcmp(word, "False") == 0) return say(own, "0", result);
    const char *name = arena_text(own->arena, word), *first, *second;
    TRY_MEMORY(name, own->diagnostic);
    if (!take(own, "(")) return say(own, name, result);
    bool pair = strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
    if (!pair && strcmp(name, "abs") != 0)
        return refuse(own, "a call other than min, max and abs; Hone's rules have none");
    TRY(translate_choice(own, &first));
    if (pair && !take(own, ",")) return refuse(own, "',' is missing");
    if (pair) TRY(translate_choice(own, &second));
    if (!take(own, ")")) return refuse(own, "')' is missing; min and max take two values here");
    return say(own,
               pair ? arena_print(own->arena, "%s(%s, %s)", name, first, second)
                    : arena_print(own->arena, "abs(%s)", first),
               result);
}

static status translate_number(struct translation *own, const char **result)
{
    char number[WORD_BYTES];
    size_t length = strspn(own->text + own->at, "0123456789.");
    double value;
    if (length >= sizeof number) return refuse(own, "a number of more than 63 digits");
    memcpy(number, own->text + own->at, length);
    number[length] = 0;
    if (!text_to_real(number, &value) || is_name_start(own->text[own->at + length]))
        return refuse(own, "this is no plain number");
    own->at += length;
    return say(own, arena_text(own->arena, number), result);
}

/* A word of a tunable. */
static status translate_string(struct translation *own, const char **result)
{
    char quote = own->text[own->at];
    size_t length = name_length(own->text + own->at + 1);
    if (!length || length >= WORD_BYTES || own->text[own->at + 1 + length] != quote)
        return refuse(own, "a word must be letters, digits and _");
    const char *word = arena_print(own->arena, "%.*s", (int)length, own->text + own->at + 1);
    own->at += length + 2;
    return say(own, word, result);
}

static status translate_value(struct translation *own, const char **result)
{
    const char *inner;
    skip_blanks(own);
    char next = own->text[own->at];
    if (next == '(') {
        own->at++;
        if (own->depth++ == DEPTH_MAX) return refuse(own, "brackets are nested too deeply");
        TRY(translate_choice(own, &inner));
        own->depth--;
        if (take(own, ",")) return refuse(own, "a list of configs is no rule; import the results");
        if (!take(own, ")")) return refuse(own, "')' is missing");
        return say(own, inner, result);
    }
    if (next == '\'' || next == '"') return translate_string(own, result);
    if (isdigit((unsigned char)next)) return translate_number(own, result);
    size_t length = name_length(own->text + own->at);
    if (length) return translate_word(own, length, result);
    return refuse(own, "a value is missing");
}

static status translate_sign(struct translation *own, const char **result)
{
    const char *inner;
    int signs = 0;
    while (take(own, "-") || take(own, "+")) signs += own->text[own->at - 1] == '-';
    TRY(translate_value(own, &inner));
    if (take(own, "**")) return refuse(own, "'**' is not in Hone's rules");
    return say(own, signs % 2 ? arena_print(own->arena, "(-%s)", inner) : inner, result);
}

/* Python's `/` is exact, Hone's between whole numbers is not: one real number makes it so. */
static status translate_product(struct translation *own, const char **result)
{
    const char *right;
    TRY(translate_sign(own, result));
    for (;;) {
        const char *sign = take(own, "//")  ? "/"
                           : take(own, "*") ? "*"
                           : take(own, "%") ? "%"
                           : take(own, "/") ? "* 1.0 /"
                                            : NULL;
        if (!sign) return STATUS_OK;
        own->whole_division |= strcmp(sign, "/") == 0;
        own->exact_division |= sign[1] == ' ';
        if (own->whole_division && own->exact_division)
            return refuse(own, "'/' and '//' in one condition cannot be told apart here");
        TRY(translate_sign(own, &right));
        TRY(say(own, arena_print(own->arena, "(%s %s %s)", *result, sign, right), result));
    }
}

static status translate_sum(struct translation *own, const char **result)
{
    const char *right;
    TRY(translate_product(own, result));
    for (;;) {
        const char *sign = take(own, "+") ? "+" : take(own, "-") ? "-" : NULL;
        if (!sign) return STATUS_OK;
        TRY(translate_product(own, &right));
        TRY(say(own, arena_print(own->arena, "(%s %s %s)", *result, sign, right), result));
    }
}

/* `a in [1, 2]`. */
static status translate_list(struct translation *own, const char *left, bool inverted,
                             const char **result)
{
    const char *value, *all = NULL, *end;
    end = take(own, "[") ? "]" : take(own, "(") ? ")" : NULL;
    if (!end) return refuse(own, "'in' takes a list of values here");
    do {
        TRY(translate_choice(own, &value));
        TRY(say(own,
                all ? arena_print(own->arena, "%s or %s == %s", all, left, value)
                    : arena_print(own->arena, "%s == %s", left, value),
                &all));
    } while (take(own, ","));
    if (!take(own, end)) return refuse(own, "the list is not closed");
    return say(own, arena_print(own->arena, inverted ? "(not (%s))" : "(%s)", all), result);
}

static const char *take_comparison(struct translation *own)
{
    static const char *const signs[] = {"==", "!=", "<=", ">=", "<", ">"};
    for (size_t s = 0; s < sizeof signs / sizeof *signs; s++)
        if (take(own, signs[s])) return signs[s];
    return NULL;
}

/* `a < b < c` is `a < b and b < c`. */
static status translate_comparison(struct translation *own, const char **result)
{
    const char *left, *right, *sign, *all = NULL;
    TRY(translate_sum(own, &left));
    if (take(own, "in")) return translate_list(own, left, false, result);
    if (take(own, "not"))
        return take(own, "in") ? translate_list(own, left, true, result)
                               : refuse(own, "'in' is missing");
    for (int chained = 0; (sign = take_comparison(own)); chained++) {
        if (chained == CHAIN_MAX) return refuse(own, "too many comparisons in a row");
        TRY(translate_sum(own, &right));
        TRY(say(own,
                all ? arena_print(own->arena, "%s and %s %s %s", all, left, sign, right)
                    : arena_print(own->arena, "%s %s %s", left, sign, right),
                &all));
        left = right;
    }
    return say(own, all ? arena_print(own->arena, "(%s)", all) : left, result);
}

static status translate_not(struct translation *own, const char **result)
{
    int count = 0;
    const char *inner;
    while (take(own, "not") || take(own, "!")) count++;
    TRY(translate_comparison(own, &inner));
    return say(own, count % 2 ? arena_print(own->arena, "(not %s)", inner) : inner, result);
}

static status translate_and(struct translation *own, const char **result)
{
    const char *right;
    TRY(translate_not(own, result));
    while (take(own, "and") || take(own, "&&")) {
        TRY(translate_not(own, &right));
        TRY(say(own, arena_print(own->arena, "(%s and %s)", *result, right), result));
    }
    return STATUS_OK;
}

static status translate_or(struct translation *own, const char **result)
{
    const char *right;
    TRY(translate_and(own, result));
    while (take(own, "or") || take(own, "||")) {
        TRY(translate_and(own, &right));
        TRY(say(own, arena_print(own->arena, "(%s or %s)", *result, right), result));
    }
    return STATUS_OK;
}

static status translate_choice(struct translation *own, const char **result)
{
    const char *condition, *other;
    TRY(translate_or(own, result));
    if (!take(own, "if")) return STATUS_OK;
    TRY(translate_or(own, &condition));
    if (!take(own, "else")) return refuse(own, "'else' is missing");
    if (own->depth++ == DEPTH_MAX) return refuse(own, "choices are nested too deeply");
    TRY(translate_choice(own, &other));
    own->depth--;
    return say(own, arena_print(own->arena, "(%s if %s else %s)", *result, condition, other),
               result);
}

status python_rule_translate(const char *text, const char *where, struct arena *arena,
                             const char **rule, struct diagnostic *diagnostic)
{
    struct translation own = {
        .text = text, .where = where, .arena = arena, .diagnostic = diagnostic};
    if (strlen(text) > PYTHON_RULE_BYTES_MAX)
        return refuse(&own, "more than 4096 characters; a list of configs is no rule, import the "
                            "results");
    TRY(translate_choice(&own, rule));
    skip_blanks(&own);
    return text[own.at] ? refuse(&own, "something is left over behind the condition") : STATUS_OK;
}
