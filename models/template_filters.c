/* The filters of chat templates that work on texts and numbers: `x|name`. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILTER(name)                                                                               \
    static status filter_##name(struct rendering *rendering, const struct datum *subject,          \
                                const struct datum *arguments, struct datum *result)

static bool is_given(const struct datum *argument)
{
    return argument->kind != DATUM_ABSENT && argument->kind != DATUM_NONE;
}

static status change_case(struct rendering *rendering, const struct datum *subject,
                          enum text_casing casing, struct datum *result)
{
    struct datum_text text;
    TRY(datum_to_text(rendering, subject, &text));
    return text_change_case(rendering, text, casing, result);
}

FILTER(upper)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_UPPER, result);
}
FILTER(lower)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_LOWER, result);
}
FILTER(capitalize)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_CAPITALIZE, result);
}
FILTER(title)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_TITLE_WORDS, result);
}

FILTER(string)
{
    struct datum_text text;
    (void)arguments;
    TRY(datum_to_text(rendering, subject, &text));
    *result = datum_text(text.bytes, text.length);
    return STATUS_OK;
}

FILTER(trim)
{
    struct datum_text text, characters = {0};
    bool given = is_given(&arguments[0]);
    TRY(datum_to_text(rendering, subject, &text));
    if (given) TRY(datum_to_text(rendering, &arguments[0], &characters));
    TRY(render_charge(rendering, text.length));
    text = text_strip(text, given ? &characters : NULL, STRIP_LEFT | STRIP_RIGHT);
    *result = datum_text(text.bytes, text.length);
    return STATUS_OK;
}

FILTER(replace)
{
    struct datum_text text, old, new;
    int64_t limit = -1;
    TRY(datum_to_text(rendering, subject, &text));
    TRY(datum_to_text(rendering, &arguments[0], &old));
    TRY(datum_to_text(rendering, &arguments[1], &new));
    if (is_given(&arguments[2]) && !datum_whole(&arguments[2], &limit))
        return RENDER_REFUSE(rendering, "replace counts in whole numbers");
    return text_replace(rendering, text, old, new, limit, result);
}

FILTER(escape)
{
    static const char special[] = "&<>'\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    struct datum_text text;
    struct text escaped;
    (void)arguments;
    TRY(datum_to_text(rendering, subject, &text));
    TRY(render_start_text(rendering, &escaped));
    for (size_t i = 0; i < text.length; i++) {
        const char *found = text.bytes[i] ? strchr(special, text.bytes[i]) : NULL;
        const char *name = found ? names[found - special] : text.bytes + i;
        TRY(render_append(rendering, &escaped, name, found ? strlen(name) : 1));
    }
    return render_finish_text(rendering, &escaped, result);
}

/* default(default_value="", boolean=false) */
FILTER(default)
{
    bool missing = subject->kind == DATUM_UNDEFINED ||
                   (datum_is_truthy(&arguments[1]) && !datum_is_truthy(subject));
    (void)rendering;
    *result = *subject;
    if (missing) *result = arguments[0].kind == DATUM_ABSENT ? datum_text("", 0) : arguments[0];
    return STATUS_OK;
}

/* What indents a line: a number of spaces, or the text itself. */
static status indentation(struct rendering *rendering, const struct datum *width,
                          struct datum_text *indent)
{
    static const char spaces[] = "                                                                ";
    int64_t count = 4;
    if (width->kind == DATUM_TEXT) {
        *indent = width->text;
        return STATUS_OK;
    }
    if (width->kind != DATUM_ABSENT && !datum_whole(width, &count))
        return RENDER_REFUSE(rendering, "indent takes a text or a number");
    if (count > (int64_t)sizeof spaces - 1)
        return RENDER_REFUSE(rendering, "indent takes at most %zu spaces", sizeof spaces - 1);
    *indent = (struct datum_text){spaces, count > 0 ? (size_t)count : 0};
    return STATUS_OK;
}

/* indent(width=4, first=false, blank=false) */
FILTER(indent)
{
    struct datum_text text, indent;
    struct datum subject_text, lines;
    struct text indented;
    struct template_call call = {0};
    TRY(datum_to_text(rendering, subject, &text));
    TRY(indentation(rendering, &arguments[0], &indent));
    subject_text = datum_text(text.bytes, text.length);
    int splitlines = method_find(&subject_text, "splitlines", strlen("splitlines"));
    TRY(render_builtin(rendering, method_row(splitlines), &subject_text, &call, &lines));
    TRY(render_start_text(rendering, &indented));
    if (datum_is_truthy(&arguments[1]))
        TRY(render_append(rendering, &indented, indent.bytes, indent.length));
    for (size_t i = 0; i < lines.list->count; i++) {
        struct datum_text line = lines.list->items[i].text;
        if (i) TRY(render_append(rendering, &indented, "\n", 1));
        if (i && (line.length || datum_is_truthy(&arguments[2])))
            TRY(render_append(rendering, &indented, indent.bytes, indent.length));
        TRY(render_append(rendering, &indented, line.bytes, line.length));
    }
    bool ends =
        text.length && (text.bytes[text.length - 1] == '\n' || text.bytes[text.length - 1] == '\r');
    if (ends) TRY(render_append(rendering, &indented, "\n", 1));
    if (ends && datum_is_truthy(&arguments[2]))
        TRY(render_append(rendering, &indented, indent.bytes, indent.length));
    return render_finish_text(rendering, &indented, result);
}

enum { NUMBER_TEXT_BYTES = 64 };

/* A number as Python's int() and float() read it; false when the text is none. */
static bool read_number(struct datum_text text, struct datum *number)
{
    char digits[NUMBER_TEXT_BYTES], *end;
    text = text_strip(text, NULL, STRIP_LEFT | STRIP_RIGHT);
    if (!text.length || text.length >= sizeof digits) return false;
    for (size_t i = 0; i < text.length; i++)
        if (!text.bytes[i] || !strchr("0123456789+-.eE", text.bytes[i])) return false;
    memcpy(digits, text.bytes, text.length);
    digits[text.length] = 0;
    errno = 0;
    *number = datum_integer(strtoll(digits, &end, 10));
    if (!*end && errno != ERANGE) return end != digits;
    *number = datum_real(strtod(digits, &end));
    return !*end && end != digits;
}

static bool to_whole(const struct datum *number, struct datum *result)
{
    int64_t whole;
    if (datum_whole(number, &whole)) {
        *result = datum_integer(whole);
        return true;
    }
    if (number->kind != DATUM_REAL || !(fabs(number->real) < 9e18)) return false;
    *result = datum_integer((int64_t)number->real);
    return true;
}

/* int(default=0) */
FILTER(int)
{
    struct datum number = *subject;
    (void)rendering;
    if (subject->kind == DATUM_TEXT && !read_number(subject->text, &number)) number = datum_none();
    if (to_whole(&number, result)) return STATUS_OK;
    *result = arguments[0].kind == DATUM_ABSENT ? datum_integer(0) : arguments[0];
    return STATUS_OK;
}

/* float(default=0.0) */
FILTER(float)
{
    struct datum number = *subject;
    (void)rendering;
    if (subject->kind == DATUM_TEXT && !read_number(subject->text, &number)) number = datum_none();
    if (datum_is_number(&number))
        *result = datum_real(datum_to_real(&number));
    else
        *result = arguments[0].kind == DATUM_ABSENT ? datum_real(0) : arguments[0];
    return STATUS_OK;
}

FILTER(abs)
{
    int64_t whole;
    (void)arguments;
    if (!datum_is_number(subject))
        return RENDER_REFUSE(rendering, "%s has no absolute value", datum_kind_name(subject));
    if (!datum_whole(subject, &whole))
        *result = datum_real(fabs(subject->real));
    else if (whole == INT64_MIN)
        return RENDER_REFUSE(rendering, "the number is too large");
    else
        *result = datum_integer(whole < 0 ? -whole : whole);
    return STATUS_OK;
}

/* To this many places, halves to even of what the number really is: as printing does it. */
static double round_common(double real, int places)
{
    char text[512];
    if (places < 0) {
        double scale = pow(10, -places);
        return nearbyint(real / scale) * scale;
    }
    snprintf(text, sizeof text, "%.*f", places, real);
    return strtod(text, NULL);
}

/* round(precision=0, method="common") */
FILTER(round)
{
    enum { PLACES_MAX = 100 };
    int64_t places = 0, whole;
    const struct datum *method = &arguments[1];
    bool common = method->kind == DATUM_ABSENT || datum_is_text(method, "common");
    bool up = datum_is_text(method, "ceil");
    if (arguments[0].kind != DATUM_ABSENT && !datum_whole(&arguments[0], &places))
        return RENDER_REFUSE(rendering, "round takes a whole number of places");
    if (!datum_is_number(subject) || places > PLACES_MAX || places < -PLACES_MAX)
        return RENDER_REFUSE(rendering, "%s cannot be rounded so", datum_kind_name(subject));
    if (!common && !up && !datum_is_text(method, "floor"))
        return RENDER_REFUSE(rendering, "round knows common, ceil and floor");
    if (common && places >= 0 && datum_whole(subject, &whole)) {
        *result = datum_integer(whole);
        return STATUS_OK;
    }
    double real = datum_to_real(subject), scale = pow(10, (double)places);
    if (common)
        *result = datum_real(round_common(real, (int)places));
    else
        *result = datum_real((up ? ceil(real * scale) : floor(real * scale)) / scale);
    return STATUS_OK;
}

const struct template_builtin_row text_filters[] = {
    {"abs", filter_abs, "", 0, NULL},
    {"capitalize", filter_capitalize, "", 0, NULL},
    {"d", filter_default, "default_value,boolean", 0, NULL},
    {"default", filter_default, "default_value,boolean", 0, NULL},
    {"e", filter_escape, "", 0, NULL},
    {"escape", filter_escape, "", 0, NULL},
    {"float", filter_float, "default", 0, NULL},
    {"indent", filter_indent, "width,first,blank", 0, NULL},
    {"int", filter_int, "default", 0, NULL},
    {"lower", filter_lower, "", 0, NULL},
    {"replace", filter_replace, "old,new,count", 2, NULL},
    {"round", filter_round, "precision,method", 0, NULL},
    {"safe", filter_string, "", 0, NULL},
    {"string", filter_string, "", 0, NULL},
    {"title", filter_title, "", 0, NULL},
    {"tojson", filter_tojson, "ensure_ascii,indent,separators,sort_keys", 0, NULL},
    {"trim", filter_trim, "chars", 0, NULL},
    {"upper", filter_upper, "", 0, NULL},
    {NULL, NULL, NULL, 0, NULL},
};
