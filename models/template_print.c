/* Values of chat templates as text: Python's str() and repr(), which templates meet when they print a list or a number. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static status append(struct rendering *rendering, struct text *text, const char *string)
{
    return render_append(rendering, text, string, strlen(string));
}

enum { REAL_DIGITS_MAX = 17, REAL_PLAIN_MAX = 16, REAL_PLAIN_MIN = -4 };

/* 1.5e+20 becomes 1.5e+20, 2e-7 becomes 2e-07: digits, a point if there are several, at least two digits of exponent. */
static void print_scientific(const char *digits, int count, int exponent, char *text)
{
    int written = sprintf(text, "%c%s%.*s", digits[0], count > 1 ? "." : "", count - 1, digits + 1);
    sprintf(text + written, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void print_plain(const char *digits, int count, int exponent, char *text)
{
    if (exponent < 0) {
        sprintf(text, "0.%.*s%.*s", -exponent - 1, "0000", count, digits);
    } else if (count <= exponent + 1) {
        sprintf(text, "%.*s%.*s.0", count, digits, exponent + 1 - count, "0000000000000000");
    } else {
        sprintf(text, "%.*s.%.*s", exponent + 1, digits, count - exponent - 1,
                digits + exponent + 1);
    }
}

void datum_print_real(double real, char text[static REAL_TEXT_BYTES])
{
    char printed[REAL_TEXT_BYTES], digits[REAL_TEXT_BYTES];
    int precision = 0, count = 0;
    if (!isfinite(real)) {
        strcpy(text, isnan(real) ? "nan" : real < 0 ? "-inf" : "inf");
        return;
    }
    if (signbit(real)) *text++ = '-';
    real = fabs(real);
    do {
        snprintf(printed, sizeof printed, "%.*e", precision, real);
    } while (strtod(printed, NULL) != real && ++precision < REAL_DIGITS_MAX);
    char *exponent = strchr(printed, 'e');
    for (const char *c = printed; c < exponent; c++)
        if (*c != '.') digits[count++] = *c;
    int power = atoi(exponent + 1);
    if (power < REAL_PLAIN_MIN || power >= REAL_PLAIN_MAX)
        print_scientific(digits, count, power, text);
    else
        print_plain(digits, count, power, text);
}

static bool is_printable(uint32_t character)
{
    switch (utf8proc_category((int32_t)character)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return character == ' ';
    default: return true;
    }
}

/* A character inside quotes. */
static status represent_character(struct rendering *rendering, struct text *text, const char *bytes,
                                  size_t length, char quote)
{
    char escape[16];
    uint32_t character = utf8_decode(bytes, length);
    if (*bytes == quote || *bytes == '\\') {
        snprintf(escape, sizeof escape, "\\%c", *bytes);
    } else if (*bytes == '\n' || *bytes == '\r' || *bytes == '\t') {
        snprintf(escape, sizeof escape, "\\%c", *bytes == '\n' ? 'n' : *bytes == '\r' ? 'r' : 't');
    } else if (is_printable(character)) {
        return render_append(rendering, text, bytes, length);
    } else {
        snprintf(escape, sizeof escape,
                 character < 0x100     ? "\\x%02x"
                 : character < 0x10000 ? "\\u%04x"
                                       : "\\U%08x",
                 character);
    }
    return append(rendering, text, escape);
}

static status represent_text(struct rendering *rendering, struct datum_text value,
                             struct text *text)
{
    bool single = memchr(value.bytes, '\'', value.length) != NULL;
    bool twice = memchr(value.bytes, '"', value.length) != NULL;
    char quote = single && !twice ? '"' : '\'';
    TRY(render_append(rendering, text, &quote, 1));
    for (size_t at = 0, length; at < value.length; at += length) {
        length = utf8_character(value.bytes + at, value.length - at);
        if (!length) break;
        TRY(represent_character(rendering, text, value.bytes + at, length, quote));
    }
    return render_append(rendering, text, &quote, 1);
}

static status represent_list(struct rendering *rendering, const struct datum_list *list,
                             struct text *text)
{
    static const char *const opening[] = {
        "[", "(", NULL, NULL, "dict_keys([", "dict_values([", "dict_items(["};
    static const char *const closing[] = {"]", ")", NULL, NULL, "])", "])", "])"};
    if (!opening[list->flavour])
        return RENDER_REFUSE(rendering, "an iterator or range cannot be printed; use |list");
    TRY(append(rendering, text, opening[list->flavour]));
    for (size_t i = 0; i < list->count; i++) {
        if (i) TRY(append(rendering, text, ", "));
        TRY(datum_represent(rendering, &list->items[i], text));
    }
    if (list->flavour == LIST_TUPLE && list->count == 1) TRY(append(rendering, text, ","));
    return append(rendering, text, closing[list->flavour]);
}

static status represent_map(struct rendering *rendering, const struct datum_map *map,
                            struct text *text)
{
    TRY(append(rendering, text, "{"));
    for (size_t i = 0; i < map->count; i++) {
        if (i) TRY(append(rendering, text, ", "));
        TRY(datum_represent(rendering, &map->pairs[i].key, text));
        TRY(append(rendering, text, ": "));
        TRY(datum_represent(rendering, &map->pairs[i].value, text));
    }
    return append(rendering, text, "}");
}

static status represent_number(struct rendering *rendering, const struct datum *datum,
                               struct text *text)
{
    char number[REAL_TEXT_BYTES];
    if (datum->kind == DATUM_REAL)
        datum_print_real(datum->real, number);
    else
        snprintf(number, sizeof number, "%" PRId64, datum->integer);
    return append(rendering, text, number);
}

static status represent(struct rendering *rendering, const struct datum *datum, struct text *text)
{
    switch (datum->kind) {
    case DATUM_NONE: return append(rendering, text, "None");
    case DATUM_BOOLEAN: return append(rendering, text, datum->boolean ? "True" : "False");
    case DATUM_INTEGER:
    case DATUM_REAL: return represent_number(rendering, datum, text);
    case DATUM_TEXT: return represent_text(rendering, datum->text, text);
    case DATUM_LIST: return represent_list(rendering, datum->list, text);
    case DATUM_MAP: return represent_map(rendering, datum->map, text);
    case DATUM_UNDEFINED: return append(rendering, text, "Undefined");
    default: return RENDER_REFUSE(rendering, "%s cannot be printed", datum_kind_name(datum));
    }
}

status datum_represent(struct rendering *rendering, const struct datum *datum, struct text *text)
{
    if (rendering->values == RENDER_VALUE_DEPTH_MAX)
        return RENDER_REFUSE(rendering, "a value has more than %d levels", RENDER_VALUE_DEPTH_MAX);
    rendering->values++;
    TRY(represent(rendering, datum, text));
    rendering->values--;
    return STATUS_OK;
}

status datum_print(struct rendering *rendering, const struct datum *datum, struct text *text)
{
    if (datum->kind == DATUM_UNDEFINED) return STATUS_OK;
    if (datum->kind == DATUM_TEXT)
        return render_append(rendering, text, datum->text.bytes, datum->text.length);
    return datum_represent(rendering, datum, text);
}

status datum_to_text(struct rendering *rendering, const struct datum *datum,
                     struct datum_text *text)
{
    struct text printed;
    struct datum result;
    *text = datum->text;
    if (datum->kind == DATUM_TEXT) return STATUS_OK;
    TRY(render_start_text(rendering, &printed));
    TRY(datum_print(rendering, datum, &printed));
    TRY(render_finish_text(rendering, &printed, &result));
    *text = result.text;
    return STATUS_OK;
}
