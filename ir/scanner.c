/* The cursor over a text, and the text of tensor types. */
#include "ir/scanner.h"

#include "ir/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char word_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
static const char name_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@-";

void scanner_open(struct scanner *scanner, const char *file, const char *text,
                  struct diagnostic *diagnostic)
{
    *scanner = (struct scanner){
        .file = file, .at = text, .line_start = text, .line = 1, .diagnostic = diagnostic};
}

status scanner_fail(const struct scanner *scanner, const char *at, status code, const char *format,
                    ...)
{
    char message[DIAGNOSTIC_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail(scanner->diagnostic, code, "%s:%d:%d: %s", scanner->file, scanner->line,
                (int)(at - scanner->line_start) + 1, message);
}

void scanner_skip(struct scanner *scanner)
{
    while (*scanner->at == ' ' || *scanner->at == '\t') scanner->at++;
}

bool scanner_take(struct scanner *scanner, const char *symbol)
{
    size_t length = strlen(symbol);
    scanner_skip(scanner);
    if (strncmp(scanner->at, symbol, length)) return false;
    scanner->at += length;
    return true;
}

bool scanner_take_word(struct scanner *scanner, const char *word)
{
    scanner_skip(scanner);
    size_t length = strspn(scanner->at, name_characters);
    if (length != strlen(word) || strncmp(scanner->at, word, length)) return false;
    scanner->at += length;
    return true;
}

/* "expected WHAT" and what is there instead. */
static status scanner_expected(const struct scanner *scanner, const char *what)
{
    const char *at = scanner->at;
    char found[24] = "the end of the text";
    if (*at == '\n')
        snprintf(found, sizeof found, "the end of the line");
    else if (*at >= ' ' && *at < 127)
        snprintf(found, sizeof found, "'%c'", *at);
    else if (*at)
        snprintf(found, sizeof found, "byte %d", (unsigned char)*at);
    return scanner_fail(scanner, at, STATUS_BAD_INPUT, "expected %s, found %s", what, found);
}

status scanner_expect(struct scanner *scanner, const char *symbol)
{
    char what[16];
    if (scanner_take(scanner, symbol)) return STATUS_OK;
    snprintf(what, sizeof what, "'%s'", symbol);
    return scanner_expected(scanner, what);
}

static status scanner_characters(struct scanner *scanner, const char *what, const char *characters,
                                 char *word)
{
    scanner_skip(scanner);
    size_t length = strspn(scanner->at, characters);
    if (!length) return scanner_expected(scanner, what);
    if (length >= SCANNER_NAME_BYTES)
        return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT, "longer than %d characters",
                            GRAPH_NAME_BYTES_MAX);
    memcpy(word, scanner->at, length);
    word[length] = 0;
    scanner->at += length;
    return STATUS_OK;
}

status scanner_word(struct scanner *scanner, const char *what, char word[static SCANNER_NAME_BYTES])
{
    return scanner_characters(scanner, what, word_characters, word);
}

status scanner_name(struct scanner *scanner, const char *what, char name[static SCANNER_NAME_BYTES])
{
    return scanner_characters(scanner, what, name_characters, name);
}

status scanner_integer(struct scanner *scanner, const char *what, int64_t least, int64_t most,
                       int64_t *value)
{
    char word[SCANNER_NAME_BYTES];
    TRY(scanner_characters(scanner, what, "0123456789-", word));
    if (text_to_integer(word, value) && *value >= least && *value <= most) return STATUS_OK;
    return scanner_fail(scanner, scanner->at - strlen(word), STATUS_BAD_INPUT,
                        "expected %s from %" PRId64 " to %" PRId64 ", found %.40s", what, least,
                        most, word);
}

bool scanner_line_ends(struct scanner *scanner)
{
    scanner_skip(scanner);
    return *scanner->at == '\n' || *scanner->at == '#' || !*scanner->at;
}

bool scanner_next_line(struct scanner *scanner)
{
    while (scanner_line_ends(scanner)) {
        scanner->at += strcspn(scanner->at, "\n");
        if (!*scanner->at) return false;
        scanner->line_start = ++scanner->at;
        scanner->line++;
    }
    return true;
}

static status dimension_parse(struct scanner *scanner, struct dimension *dimension)
{
    char word[SCANNER_NAME_BYTES];
    *dimension = dimension_fixed(1);
    scanner_skip(scanner);
    if (*scanner->at >= '0' && *scanner->at <= '9') {
        TRY(scanner_integer(scanner, "a size", 1, TENSOR_ELEMENTS_MAX, &dimension->scale));
        if (!scanner_take(scanner, "*")) return STATUS_OK;
    }
    TRY(scanner_word(scanner, "a size", word));
    if (symbol_by_name(word, &dimension->symbol)) return STATUS_OK;
    return scanner_fail(
        scanner, scanner->at - strlen(word), STATUS_BAD_INPUT,
        "%s is not a size; there are tokens, outputs, sequences, pages, stride and rows", word);
}

static status shape_parse(struct scanner *scanner, struct tensor_type *type)
{
    TRY(scanner_expect(scanner, "["));
    do {
        if (type->rank == TENSOR_RANK_MAX)
            return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT, "more than %d dimensions",
                                TENSOR_RANK_MAX);
        TRY(dimension_parse(scanner, &type->shape[type->rank]));
        type->rank++;
    } while (scanner_take(scanner, ","));
    return scanner_expect(scanner, "]");
}

static status layout_parse(struct scanner *scanner, struct tensor_type *type)
{
    char word[SCANNER_NAME_BYTES];
    enum layout layout;
    TRY(scanner_word(scanner, "a layout", word));
    if (!layout_by_name(word, &layout))
        return scanner_fail(scanner, scanner->at - strlen(word), STATUS_BAD_INPUT,
                            "there is no layout %s", word);
    type->layout = (int)layout;
    return STATUS_OK;
}

status tensor_parse(struct scanner *scanner, struct tensor_type *type)
{
    char word[SCANNER_NAME_BYTES];
    struct diagnostic reason = {0};
    memset(type, 0, sizeof *type);
    scanner_skip(scanner);
    const char *start = scanner->at;
    TRY(scanner_word(scanner, "an element type", word));
    if (!element_by_name(word, &type->element))
        return scanner_fail(scanner, start, STATUS_BAD_INPUT, "there is no element type %s", word);
    TRY(shape_parse(scanner, type));
    if (*scanner->at == '@') {
        scanner->at++;
        TRY(layout_parse(scanner, type));
    }
    if (tensor_check(type, &reason) == STATUS_OK) return STATUS_OK;
    return scanner_fail(scanner, start, reason.code, "%s", reason.text);
}
