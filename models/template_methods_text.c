/* The methods of texts that chat templates may call; `index` and `count` are those of lists as well. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>
#include <utf8proc.h>

#define METHOD(name)                                                                               \
    static status method_##name(struct rendering *rendering, const struct datum *subject,          \
                                const struct datum *arguments, struct datum *result)

static status need_text(struct rendering *rendering, const struct datum *datum)
{
    if (datum->kind == DATUM_TEXT) return STATUS_OK;
    return RENDER_REFUSE(rendering, "a text is needed here, not %s", datum_kind_name(datum));
}

static status strip_sides(struct rendering *rendering, const struct datum *subject,
                          const struct datum *characters, int sides, struct datum *result)
{
    bool given = characters->kind != DATUM_ABSENT && characters->kind != DATUM_NONE;
    if (given) TRY(need_text(rendering, characters));
    struct datum_text text = text_strip(subject->text, given ? &characters->text : NULL, sides);
    *result = datum_text(text.bytes, text.length);
    return render_charge(rendering, subject->text.length);
}

METHOD(strip)
{
    return strip_sides(rendering, subject, arguments, STRIP_LEFT | STRIP_RIGHT, result);
}
METHOD(lstrip)
{
    return strip_sides(rendering, subject, arguments, STRIP_LEFT, result);
}
METHOD(rstrip)
{
    return strip_sides(rendering, subject, arguments, STRIP_RIGHT, result);
}

static status change_case(struct rendering *rendering, const struct datum *subject,
                          enum text_casing casing, struct datum *result)
{
    return text_change_case(rendering, subject->text, casing, result);
}

METHOD(upper)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_UPPER, result);
}
METHOD(lower)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_LOWER, result);
}
METHOD(capitalize)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_CAPITALIZE, result);
}
METHOD(title)
{
    (void)arguments;
    return change_case(rendering, subject, CASING_TITLE, result);
}

static bool has_end(struct datum_text text, struct datum_text part, bool front)
{
    size_t from = front ? 0 : text.length - part.length;
    return part.length <= text.length && memcmp(text.bytes + from, part.bytes, part.length) == 0;
}

/* One text, or any of a tuple. */
static status test_end(struct rendering *rendering, const struct datum *subject,
                       const struct datum *part, bool front, struct datum *result)
{
    bool tuple = part->kind == DATUM_LIST && part->list->flavour == LIST_TUPLE;
    const struct datum *parts = tuple ? part->list->items : part;
    size_t count = tuple ? part->list->count : 1;
    *result = datum_boolean(false);
    for (size_t i = 0; i < count; i++) {
        TRY(need_text(rendering, &parts[i]));
        TRY(render_charge(rendering, parts[i].text.length));
        if (has_end(subject->text, parts[i].text, front)) *result = datum_boolean(true);
    }
    return STATUS_OK;
}

METHOD(startswith)
{
    return test_end(rendering, subject, arguments, true, result);
}
METHOD(endswith)
{
    return test_end(rendering, subject, arguments, false, result);
}

static status remove_end(struct rendering *rendering, const struct datum *subject,
                         const struct datum *part, bool front, struct datum *result)
{
    TRY(need_text(rendering, part));
    struct datum_text text = subject->text;
    if (has_end(text, part->text, front)) {
        if (front) text.bytes += part->text.length;
        text.length -= part->text.length;
    }
    *result = datum_text(text.bytes, text.length);
    return STATUS_OK;
}

METHOD(removeprefix)
{
    return remove_end(rendering, subject, arguments, true, result);
}
METHOD(removesuffix)
{
    return remove_end(rendering, subject, arguments, false, result);
}

METHOD(replace)
{
    int64_t limit = -1;
    TRY(need_text(rendering, &arguments[0]));
    TRY(need_text(rendering, &arguments[1]));
    if (arguments[2].kind != DATUM_ABSENT && !datum_whole(&arguments[2], &limit))
        return RENDER_REFUSE(rendering, "replace counts in whole numbers");
    return text_replace(rendering, subject->text, arguments[0].text, arguments[1].text, limit,
                        result);
}

/* Words between white space. */
static status split_words(struct rendering *rendering, struct datum_text text, int64_t limit,
                          struct datum *result)
{
    text = text_strip(text, NULL, STRIP_LEFT);
    for (int64_t count = 0; text.length; count++) {
        size_t end = 0, space = 0;
        while (end < text.length && !text_space_at(text.bytes + end, text.length - end, &space))
            end += space;
        if (count == limit) end = text_strip(text, NULL, STRIP_RIGHT).length;
        if (count == limit) end = text.length; /* what is left keeps its white space */
        TRY(datum_append(rendering, result, datum_text(text.bytes, end)));
        text = (struct datum_text){text.bytes + end, text.length - end};
        text = text_strip(text, NULL, STRIP_LEFT);
    }
    return STATUS_OK;
}

static status split_at(struct rendering *rendering, struct datum_text text,
                       struct datum_text separator, int64_t limit, struct datum *result)
{
    for (int64_t count = 0; count != limit; count++) {
        size_t found = text_find(text, separator);
        TRY(render_charge(rendering, found == SIZE_MAX ? text.length : found));
        if (found == SIZE_MAX) break;
        TRY(datum_append(rendering, result, datum_text(text.bytes, found)));
        text.bytes += found + separator.length;
        text.length -= found + separator.length;
    }
    return datum_append(rendering, result, datum_text(text.bytes, text.length));
}

/* The arguments of split and rsplit; *separator stays without bytes for white space. */
static status split_arguments(struct rendering *rendering, const struct datum *arguments,
                              struct datum_text *separator, int64_t *limit)
{
    bool given = arguments[0].kind != DATUM_ABSENT && arguments[0].kind != DATUM_NONE;
    *separator = (struct datum_text){NULL, 0};
    *limit = -1;
    if (given) TRY(need_text(rendering, &arguments[0]));
    if (given) *separator = arguments[0].text;
    if (given && !separator->length) return RENDER_REFUSE(rendering, "the separator is empty");
    if (arguments[1].kind != DATUM_ABSENT && !datum_whole(&arguments[1], limit))
        return RENDER_REFUSE(rendering, "split counts in whole numbers");
    return STATUS_OK;
}

METHOD(split)
{
    struct datum_text separator;
    int64_t limit;
    TRY(split_arguments(rendering, arguments, &separator, &limit));
    TRY(datum_new_list(rendering, LIST_PLAIN, 0, result));
    TRY(render_charge(rendering, subject->text.length));
    if (!separator.length) return split_words(rendering, subject->text, limit, result);
    return split_at(rendering, subject->text, separator, limit, result);
}

/* From the right: what is cut first is appended first, then the order is turned. */
METHOD(rsplit)
{
    struct datum_text separator, text = subject->text;
    int64_t limit;
    TRY(split_arguments(rendering, arguments, &separator, &limit));
    if (limit < 0 || !separator.length) {
        if (limit >= 0)
            return RENDER_REFUSE(rendering, "rsplit with a limit needs a separator here");
        return method_split(rendering, subject, arguments, result);
    }
    TRY(datum_new_list(rendering, LIST_PLAIN, 0, result));
    for (size_t end = text.length; limit > 0 && end >= separator.length;) {
        size_t at = end - separator.length;
        TRY(render_charge(rendering, 1));
        if (memcmp(text.bytes + at, separator.bytes, separator.length) != 0) {
            end--;
            continue;
        }
        size_t begin = at + separator.length;
        TRY(datum_append(rendering, result, datum_text(text.bytes + begin, text.length - begin)));
        text.length = end = at;
        limit--;
    }
    TRY(datum_append(rendering, result, datum_text(text.bytes, text.length)));
    struct datum *items = result->list->items;
    for (size_t i = 0, j = result->list->count - 1; i < j; i++, j--) {
        struct datum item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
    return STATUS_OK;
}

/* Where a line ends, and how many bytes its end has, for Python's line ends. */
static size_t line_end(struct datum_text text, size_t at, size_t *bytes)
{
    for (size_t length; at < text.length; at += length) {
        length = utf8_character(text.bytes + at, text.length - at);
        if (!length) length = 1;
        uint32_t character =
            length == 1 ? (uint8_t)text.bytes[at] : utf8_decode(text.bytes + at, length);
        *bytes = length;
        if (character == '\r' && at + 1 < text.length && text.bytes[at + 1] == '\n') *bytes = 2;
        if ((character >= 10 && character <= 13) || (character >= 28 && character <= 30) ||
            character == 0x85 || character == 0x2028 || character == 0x2029)
            return at;
    }
    *bytes = 0;
    return text.length;
}

METHOD(splitlines)
{
    bool keep = datum_is_truthy(&arguments[0]);
    struct datum_text text = subject->text;
    TRY(datum_new_list(rendering, LIST_PLAIN, 0, result));
    TRY(render_charge(rendering, text.length));
    for (size_t at = 0, bytes; at < text.length;) {
        size_t end = line_end(text, at, &bytes);
        TRY(datum_append(rendering, result,
                         datum_text(text.bytes + at, end - at + (keep ? bytes : 0))));
        at = end + bytes;
    }
    return STATUS_OK;
}

static status partition(struct rendering *rendering, struct datum_text text, size_t at,
                        size_t length, struct datum *result)
{
    TRY(datum_new_list(rendering, LIST_TUPLE, 3, result));
    TRY(datum_append(rendering, result, datum_text(text.bytes, at)));
    TRY(datum_append(rendering, result, datum_text(text.bytes + at, length)));
    return datum_append(rendering, result,
                        datum_text(text.bytes + at + length, text.length - at - length));
}

METHOD(partition)
{
    TRY(need_text(rendering, &arguments[0]));
    if (!arguments[0].text.length) return RENDER_REFUSE(rendering, "the separator is empty");
    size_t found = text_find(subject->text, arguments[0].text);
    TRY(render_charge(rendering, subject->text.length));
    if (found == SIZE_MAX)
        return partition(rendering, subject->text, subject->text.length, 0, result);
    return partition(rendering, subject->text, found, arguments[0].text.length, result);
}

static status find_in(struct rendering *rendering, const struct datum *subject,
                      const struct datum *part, struct datum *result)
{
    TRY(need_text(rendering, part));
    TRY(render_charge(rendering, subject->text.length));
    size_t found = text_find(subject->text, part->text);
    struct datum_text before = {subject->text.bytes, found};
    *result = datum_integer(found == SIZE_MAX ? -1 : (int64_t)text_characters(before));
    return STATUS_OK;
}

METHOD(position)
{
    return find_in(rendering, subject, arguments, result);
}

METHOD(index)
{
    if (subject->kind == DATUM_TEXT) {
        TRY(find_in(rendering, subject, arguments, result));
        return result->integer >= 0 ? STATUS_OK : RENDER_REFUSE(rendering, "the text is not in it");
    }
    for (size_t i = 0; i < subject->list->count; i++) {
        TRY(render_charge(rendering, 0));
        if (!datum_equal(&subject->list->items[i], &arguments[0])) continue;
        *result = datum_integer((int64_t)i);
        return STATUS_OK;
    }
    return RENDER_REFUSE(rendering, "the value is not in the list");
}

METHOD(count)
{
    int64_t count = 0;
    TRY(render_charge(rendering,
                      subject->kind == DATUM_TEXT ? subject->text.length : subject->list->count));
    if (subject->kind == DATUM_LIST) {
        for (size_t i = 0; i < subject->list->count; i++)
            count += datum_equal(&subject->list->items[i], &arguments[0]);
        *result = datum_integer(count);
        return STATUS_OK;
    }
    TRY(need_text(rendering, &arguments[0]));
    struct datum_text rest = subject->text, part = arguments[0].text;
    if (!part.length) count = (int64_t)text_characters(rest) + 1;
    for (size_t found; part.length && (found = text_find(rest, part)) != SIZE_MAX; count++) {
        rest.bytes += found + part.length;
        rest.length -= found + part.length;
    }
    *result = datum_integer(count);
    return STATUS_OK;
}

METHOD(join)
{
    const struct datum *items;
    struct text text;
    size_t count;
    TRY(datum_items(rendering, &arguments[0], &items, &count));
    TRY(render_start_text(rendering, &text));
    for (size_t i = 0; i < count; i++) {
        TRY(need_text(rendering, &items[i]));
        if (i) TRY(render_append(rendering, &text, subject->text.bytes, subject->text.length));
        TRY(render_append(rendering, &text, items[i].text.bytes, items[i].text.length));
    }
    return render_finish_text(rendering, &text, result);
}

/* Whether the text has characters, and all of them are of these general categories or white space. */
static bool all_of(struct datum_text text, bool letters, bool digits, bool spaces)
{
    for (size_t at = 0, length; at < text.length; at += length) {
        length = utf8_character(text.bytes + at, text.length - at);
        if (!length) return false;
        size_t space;
        int category = utf8proc_category((int32_t)utf8_decode(text.bytes + at, length));
        bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
        bool digit = category == UTF8PROC_CATEGORY_ND;
        if (!((letters && letter) || (digits && digit) ||
              (spaces && text_space_at(text.bytes + at, length, &space))))
            return false;
    }
    return text.length > 0;
}

#define KIND_METHOD(name, letters, digits, spaces)                                                 \
    METHOD(name)                                                                                   \
    {                                                                                              \
        (void)arguments;                                                                           \
        *result = datum_boolean(all_of(subject->text, letters, digits, spaces));                   \
        return render_charge(rendering, subject->text.length);                                     \
    }
KIND_METHOD(isalpha, true, false, false)
KIND_METHOD(isdigit, false, true, false)
KIND_METHOD(isalnum, true, true, false)
KIND_METHOD(isspace, false, false, true)

static status case_method(struct rendering *rendering, const struct datum *subject,
                          const char *test, struct datum *result)
{
    struct template_call call = {0};
    return render_builtin(rendering, test_row(test_find(test, 5)), subject, &call, result);
}
METHOD(isupper)
{
    (void)arguments;
    return case_method(rendering, subject, "upper", result);
}
METHOD(islower)
{
    (void)arguments;
    return case_method(rendering, subject, "lower", result);
}

const struct template_builtin_row text_methods[] = {
    {"strip", method_strip, "chars", 0, NULL},
    {"lstrip", method_lstrip, "chars", 0, NULL},
    {"rstrip", method_rstrip, "chars", 0, NULL},
    {"upper", method_upper, "", 0, NULL},
    {"lower", method_lower, "", 0, NULL},
    {"capitalize", method_capitalize, "", 0, NULL},
    {"title", method_title, "", 0, NULL},
    {"startswith", method_startswith, "prefix", 1, NULL},
    {"endswith", method_endswith, "suffix", 1, NULL},
    {"removeprefix", method_removeprefix, "prefix", 1, NULL},
    {"removesuffix", method_removesuffix, "suffix", 1, NULL},
    {"replace", method_replace, "old,new,count", 2, NULL},
    {"split", method_split, "sep,maxsplit", 0, NULL},
    {"rsplit", method_rsplit, "sep,maxsplit", 0, NULL},
    {"splitlines", method_splitlines, "keepends", 0, NULL},
    {"partition", method_partition, "sep", 1, NULL},
    {"find", method_position, "sub", 1, NULL},
    {"join", method_join, "iterable", 1, NULL},
    {"isalpha", method_isalpha, "", 0, NULL},
    {"isdigit", method_isdigit, "", 0, NULL},
    {"isalnum", method_isalnum, "", 0, NULL},
    {"isspace", method_isspace, "", 0, NULL},
    {"isupper", method_isupper, "", 0, NULL},
    {"islower", method_islower, "", 0, NULL},
    {"index", method_index, "value", 1, NULL},
    {"count", method_count, "value", 1, NULL},
    {NULL, NULL, NULL, 0, NULL},
};
