/* JSON in and out of chat templates: their variables come as JSON, and `tojson` prints values as Python's json module. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static status from_object(struct rendering *rendering, json_t *json, struct datum *result)
{
    const char *key;
    json_t *item;
    TRY(datum_new_map(rendering, result));
    json_object_foreach(json, key, item)
    {
        struct datum value;
        TRY(datum_from_json(rendering, item, &value));
        TRY(datum_put(rendering, result->map, datum_text(key, strlen(key)), value));
    }
    return STATUS_OK;
}

static status from_array(struct rendering *rendering, json_t *json, struct datum *result)
{
    TRY(datum_new_list(rendering, LIST_PLAIN, json_array_size(json), result));
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct datum item;
        TRY(datum_from_json(rendering, json_array_get(json, i), &item));
        TRY(datum_append(rendering, result, item));
    }
    return STATUS_OK;
}

static status convert(struct rendering *rendering, json_t *json, struct datum *result)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT: return from_object(rendering, json, result);
    case JSON_ARRAY: return from_array(rendering, json, result);
    case JSON_STRING:
        *result = datum_text(json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER: *result = datum_integer(json_integer_value(json)); break;
    case JSON_REAL: *result = datum_real(json_real_value(json)); break;
    case JSON_NULL: *result = datum_none(); break;
    default: *result = datum_boolean(json_is_true(json)); break;
    }
    return STATUS_OK;
}

status datum_from_json(struct rendering *rendering, json_t *json, struct datum *result)
{
    if (rendering->values == RENDER_VALUE_DEPTH_MAX)
        return RENDER_REFUSE(rendering, "a variable has more than %d levels",
                             RENDER_VALUE_DEPTH_MAX);
    rendering->values++;
    TRY(convert(rendering, json, result));
    rendering->values--;
    return STATUS_OK;
}

struct json_printer {
    struct rendering *rendering;
    struct text text;
    struct datum_text indent, item_separator, key_separator;
    bool ascii, sorted, lines;
    int depth;
};

static status put(struct json_printer *printer, const char *text)
{
    return render_append(printer->rendering, &printer->text, text, strlen(text));
}

static status put_text(struct json_printer *printer, struct datum_text text)
{
    return render_append(printer->rendering, &printer->text, text.bytes, text.length);
}

static status put_escape(struct json_printer *printer, uint32_t character)
{
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    const char *found = character && character < 128 ? strchr(plain, (int)character) : NULL;
    char escape[16];
    if (found) {
        snprintf(escape, sizeof escape, "\\%c", letters[found - plain]);
    } else if (character < 0x10000) {
        snprintf(escape, sizeof escape, "\\u%04x", character);
    } else {
        snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd800 + ((character - 0x10000) >> 10),
                 0xdc00 + ((character - 0x10000) & 0x3ff));
    }
    return put(printer, escape);
}

static status put_string(struct json_printer *printer, struct datum_text text)
{
    TRY(put(printer, "\""));
    for (size_t at = 0, length; at < text.length; at += length) {
        length = utf8_character(text.bytes + at, text.length - at);
        if (!length) break;
        uint32_t character = utf8_decode(text.bytes + at, length);
        bool escaped = character < 32 || character == '"' || character == '\\' ||
                       (printer->ascii && character > 126);
        if (escaped)
            TRY(put_escape(printer, character));
        else
            TRY(render_append(printer->rendering, &printer->text, text.bytes + at, length));
    }
    return put(printer, "\"");
}

static status put_line(struct json_printer *printer)
{
    if (!printer->lines) return STATUS_OK;
    TRY(put(printer, "\n"));
    for (int i = 0; i < printer->depth; i++) TRY(put_text(printer, printer->indent));
    return STATUS_OK;
}

static status put_value(struct json_printer *printer, const struct datum *datum);

static status put_list(struct json_printer *printer, const struct datum_list *list)
{
    TRY(put(printer, "["));
    printer->depth++;
    for (size_t i = 0; i < list->count; i++) {
        if (i) TRY(put_text(printer, printer->item_separator));
        TRY(put_line(printer));
        TRY(put_value(printer, &list->items[i]));
    }
    printer->depth--;
    if (list->count) TRY(put_line(printer));
    return put(printer, "]");
}

/* Keys are texts; numbers and constants become some. */
static status put_key(struct json_printer *printer, const struct datum *key)
{
    bool allowed = datum_is_number(key) || key->kind == DATUM_NONE;
    if (key->kind == DATUM_TEXT) return put_string(printer, key->text);
    if (!allowed)
        return RENDER_REFUSE(printer->rendering, "tojson: %s cannot be a key",
                             datum_kind_name(key));
    TRY(put(printer, "\""));
    TRY(put_value(printer, key));
    return put(printer, "\"");
}

static int compare_pairs(const void *a, const void *b)
{
    const struct datum_pair *left = a, *right = b;
    int order = 0;
    return datum_compare(&left->key, &right->key, &order) ? order : 0;
}

static status sorted_pairs(struct json_printer *printer, const struct datum_map *map,
                           const struct datum_pair **pairs)
{
    void *copy;
    int order;
    *pairs = map->pairs;
    if (!printer->sorted || map->count < 2) return STATUS_OK;
    for (size_t i = 1; i < map->count; i++)
        if (!datum_compare(&map->pairs[i - 1].key, &map->pairs[i].key, &order))
            return RENDER_REFUSE(printer->rendering, "tojson: the keys cannot be sorted");
    TRY(render_allocate(printer->rendering, map->count, sizeof **pairs, &copy));
    memcpy(copy, map->pairs, map->count * sizeof **pairs);
    qsort(copy, map->count, sizeof **pairs, compare_pairs);
    *pairs = copy;
    return STATUS_OK;
}

static status put_map(struct json_printer *printer, const struct datum_map *map)
{
    const struct datum_pair *pairs;
    TRY(sorted_pairs(printer, map, &pairs));
    TRY(put(printer, "{"));
    printer->depth++;
    for (size_t i = 0; i < map->count; i++) {
        if (i) TRY(put_text(printer, printer->item_separator));
        TRY(put_line(printer));
        TRY(put_key(printer, &pairs[i].key));
        TRY(put_text(printer, printer->key_separator));
        TRY(put_value(printer, &pairs[i].value));
    }
    printer->depth--;
    if (map->count) TRY(put_line(printer));
    return put(printer, "}");
}

static status put_real(struct json_printer *printer, double real)
{
    char number[REAL_TEXT_BYTES];
    if (!isfinite(real))
        return put(printer, isnan(real) ? "NaN" : real < 0 ? "-Infinity" : "Infinity");
    datum_print_real(real, number);
    return put(printer, number);
}

static status put_value(struct json_printer *printer, const struct datum *datum)
{
    char number[REAL_TEXT_BYTES];
    if (printer->depth > RENDER_VALUE_DEPTH_MAX)
        return RENDER_REFUSE(printer->rendering, "tojson: more than %d levels",
                             RENDER_VALUE_DEPTH_MAX);
    switch (datum->kind) {
    case DATUM_NONE: return put(printer, "null");
    case DATUM_BOOLEAN: return put(printer, datum->boolean ? "true" : "false");
    case DATUM_INTEGER:
        snprintf(number, sizeof number, "%" PRId64, datum->integer);
        return put(printer, number);
    case DATUM_REAL: return put_real(printer, datum->real);
    case DATUM_TEXT: return put_string(printer, datum->text);
    case DATUM_LIST:
        if (datum->list->flavour <= LIST_TUPLE) return put_list(printer, datum->list);
        break;
    case DATUM_MAP: return put_map(printer, datum->map);
    default: break;
    }
    return RENDER_REFUSE(printer->rendering, "tojson: %s has no JSON form", datum_kind_name(datum));
}

/* indent: a number of spaces, or the text itself. */
static status set_indent(struct json_printer *printer, const struct datum *indent)
{
    static const char spaces[] = "                                ";
    int64_t width;
    if (indent->kind == DATUM_ABSENT || indent->kind == DATUM_NONE) return STATUS_OK;
    printer->lines = true;
    printer->item_separator.length = 1;
    if (indent->kind == DATUM_TEXT) {
        printer->indent = indent->text;
        return STATUS_OK;
    }
    if (!datum_whole(indent, &width) || width >= (int64_t)sizeof spaces)
        return RENDER_REFUSE(printer->rendering, "tojson: indent is a text or a number below %zu",
                             sizeof spaces);
    printer->indent = (struct datum_text){spaces, width > 0 ? (size_t)width : 0};
    return STATUS_OK;
}

static status set_separators(struct json_printer *printer, const struct datum *separators)
{
    if (separators->kind == DATUM_ABSENT || separators->kind == DATUM_NONE) return STATUS_OK;
    const struct datum_list *list = separators->kind == DATUM_LIST ? separators->list : NULL;
    if (!list || list->count != 2 || list->items[0].kind != DATUM_TEXT ||
        list->items[1].kind != DATUM_TEXT)
        return RENDER_REFUSE(printer->rendering, "tojson: separators are two texts");
    printer->item_separator = list->items[0].text;
    printer->key_separator = list->items[1].text;
    return STATUS_OK;
}

/* tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false) */
status filter_tojson(struct rendering *rendering, const struct datum *subject,
                     const struct datum *arguments, struct datum *result)
{
    struct json_printer printer = {.rendering = rendering,
                                   .item_separator = {", ", 2},
                                   .key_separator = {": ", 2},
                                   .ascii = datum_is_truthy(&arguments[0]),
                                   .sorted = datum_is_truthy(&arguments[3])};
    TRY(set_indent(&printer, &arguments[1]));
    TRY(set_separators(&printer, &arguments[2]));
    TRY(render_start_text(rendering, &printer.text));
    TRY(put_value(&printer, subject));
    return render_finish_text(rendering, &printer.text, result);
}
