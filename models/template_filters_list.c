/* The filters of chat templates that work on lists and mappings. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

#define FILTER(name)                                                                               \
    static status filter_##name(struct rendering *rendering, const struct datum *subject,          \
                                const struct datum *arguments, struct datum *result)

/* A part of an attribute's path: a name, or a number for an index. */
static struct datum path_part(struct datum_text part)
{
    int64_t index = 0;
    for (size_t i = 0; i < part.length; i++) {
        if (part.bytes[i] < '0' || part.bytes[i] > '9' || i > 9)
            return datum_text(part.bytes, part.length);
        index = index * 10 + (part.bytes[i] - '0');
    }
    return part.length ? datum_integer(index) : datum_text("", 0);
}

status render_path(struct rendering *rendering, const struct datum *subject,
                   const struct datum *path, const struct datum *fallback, struct datum *result)
{
    *result = *subject;
    if (path->kind == DATUM_ABSENT || path->kind == DATUM_NONE) return STATUS_OK;
    struct datum_text rest = path->text;
    for (bool more = true; more;) {
        bool text = path->kind == DATUM_TEXT;
        const char *dot = text ? memchr(rest.bytes, '.', rest.length) : NULL;
        size_t length = dot ? (size_t)(dot - rest.bytes) : rest.length;
        struct datum from = *result, part = *path;
        if (text) part = path_part((struct datum_text){rest.bytes, length});
        TRY(render_item(rendering, &from, &part, result));
        bool missing = result->kind == DATUM_UNDEFINED && fallback &&
                       fallback->kind != DATUM_ABSENT && fallback->kind != DATUM_NONE;
        if (missing) *result = *fallback;
        more = dot != NULL;
        if (more) rest = (struct datum_text){dot + 1, rest.length - length - 1};
    }
    return STATUS_OK;
}

FILTER(length)
{
    int64_t length;
    (void)arguments;
    TRY(datum_length(rendering, subject, &length));
    *result = datum_integer(length);
    return STATUS_OK;
}

static status copy_items(struct rendering *rendering, const struct datum *subject,
                         enum list_flavour flavour, struct datum *result)
{
    const struct datum *items;
    size_t count;
    TRY(datum_items(rendering, subject, &items, &count));
    TRY(datum_new_list(rendering, flavour, count, result));
    for (size_t i = 0; i < count; i++) TRY(datum_append(rendering, result, items[i]));
    return STATUS_OK;
}

FILTER(list)
{
    (void)arguments;
    return copy_items(rendering, subject, LIST_PLAIN, result);
}

FILTER(items)
{
    struct template_call call = {0};
    struct datum view;
    (void)arguments;
    if (subject->kind == DATUM_UNDEFINED)
        return datum_new_list(rendering, LIST_ITERATOR, 0, result);
    if (subject->kind != DATUM_MAP)
        return RENDER_REFUSE(rendering, "items needs a mapping, not %s", datum_kind_name(subject));
    int method = method_find(subject, "items", strlen("items"));
    TRY(render_builtin(rendering, method_row(method), subject, &call, &view));
    return copy_items(rendering, &view, LIST_ITERATOR, result);
}

FILTER(first)
{
    const struct datum *items;
    size_t count;
    (void)arguments;
    bool iterator = subject->kind == DATUM_LIST && subject->list->flavour == LIST_ITERATOR;
    size_t used = iterator ? subject->list->used : 0;
    TRY(datum_items(rendering, subject, &items, &count));
    *result = count ? items[0] : datum_undefined("the first item", strlen("the first item"));
    if (iterator && count) subject->list->used = used + 1;
    return STATUS_OK;
}

FILTER(last)
{
    const struct datum *items;
    size_t count;
    (void)arguments;
    if (subject->kind == DATUM_LIST && subject->list->flavour == LIST_ITERATOR)
        return RENDER_REFUSE(rendering, "an iterator has no last item; use |list before");
    TRY(datum_items(rendering, subject, &items, &count));
    *result = count ? items[count - 1] : datum_undefined("the last item", strlen("the last item"));
    return STATUS_OK;
}

/* join(d="", attribute=none) */
FILTER(join)
{
    const struct datum *items;
    struct datum_text separator = {"", 0};
    struct text text;
    size_t count;
    TRY(datum_items(rendering, subject, &items, &count));
    if (arguments[0].kind != DATUM_ABSENT) TRY(datum_to_text(rendering, &arguments[0], &separator));
    TRY(render_start_text(rendering, &text));
    for (size_t i = 0; i < count; i++) {
        struct datum item;
        TRY(render_path(rendering, &items[i], &arguments[1], NULL, &item));
        if (i) TRY(render_append(rendering, &text, separator.bytes, separator.length));
        TRY(datum_print(rendering, &item, &text));
    }
    return render_finish_text(rendering, &text, result);
}

FILTER(reverse)
{
    const struct datum *items;
    size_t count;
    (void)arguments;
    TRY(datum_items(rendering, subject, &items, &count));
    if (subject->kind == DATUM_TEXT) {
        struct text text;
        TRY(render_start_text(rendering, &text));
        while (count--)
            TRY(render_append(rendering, &text, items[count].text.bytes, items[count].text.length));
        return render_finish_text(rendering, &text, result);
    }
    TRY(datum_new_list(rendering, LIST_ITERATOR, count, result));
    while (count--) TRY(datum_append(rendering, result, items[count]));
    return STATUS_OK;
}

/* Items beside what they are sorted by. */
static status keyed_items(struct rendering *rendering, const struct datum *subject,
                          const struct datum *path, bool case_sensitive, struct datum_pair **pairs,
                          size_t *count)
{
    const struct datum *items;
    void *room;
    TRY(datum_items(rendering, subject, &items, count));
    TRY(render_allocate(rendering, *count, sizeof **pairs, &room));
    *pairs = room;
    for (size_t i = 0; i < *count; i++) {
        struct datum key;
        TRY(render_path(rendering, &items[i], path, NULL, &key));
        TRY(render_fold(rendering, &key, case_sensitive, &(*pairs)[i].key));
        (*pairs)[i].value = items[i];
    }
    return STATUS_OK;
}

static status list_of_values(struct rendering *rendering, const struct datum_pair *pairs,
                             size_t count, struct datum *result)
{
    TRY(datum_new_list(rendering, LIST_PLAIN, count, result));
    for (size_t i = 0; i < count; i++) TRY(datum_append(rendering, result, pairs[i].value));
    return STATUS_OK;
}

/* sort(reverse=false, case_sensitive=false, attribute=none) */
FILTER(sort)
{
    struct datum_pair *pairs;
    size_t count;
    const struct datum *path = &arguments[2];
    if (path->kind == DATUM_TEXT && memchr(path->text.bytes, ',', path->text.length))
        return RENDER_REFUSE(rendering, "sort by several attributes is not supported");
    TRY(keyed_items(rendering, subject, path, datum_is_truthy(&arguments[1]), &pairs, &count));
    TRY(render_sort(rendering, pairs, count, datum_is_truthy(&arguments[0])));
    return list_of_values(rendering, pairs, count, result);
}

/* dictsort(case_sensitive=false, by="key", reverse=false) */
FILTER(dictsort)
{
    struct datum items;
    struct datum_pair *pairs;
    size_t count;
    bool values = datum_is_text(&arguments[1], "value");
    if (arguments[1].kind != DATUM_ABSENT && !values && !datum_is_text(&arguments[1], "key"))
        return RENDER_REFUSE(rendering, "dictsort goes by \"key\" or by \"value\"");
    if (subject->kind != DATUM_MAP)
        return RENDER_REFUSE(rendering, "dictsort needs a mapping, not %s",
                             datum_kind_name(subject));
    TRY(filter_items(rendering, subject, NULL, &items));
    struct datum path = datum_integer(values);
    TRY(keyed_items(rendering, &items, &path, datum_is_truthy(&arguments[0]), &pairs, &count));
    TRY(render_sort(rendering, pairs, count, datum_is_truthy(&arguments[2])));
    return list_of_values(rendering, pairs, count, result);
}

/* unique(case_sensitive=false, attribute=none) */
FILTER(unique)
{
    struct datum_pair *pairs;
    size_t count;
    TRY(keyed_items(rendering, subject, &arguments[1], datum_is_truthy(&arguments[0]), &pairs,
                    &count));
    TRY(datum_new_list(rendering, LIST_ITERATOR, 0, result));
    for (size_t i = 0; i < count; i++) {
        const struct datum *key = &pairs[i].key;
        bool seen = false, plain = key->kind == DATUM_LIST && key->list->flavour == LIST_PLAIN;
        if (plain || key->kind == DATUM_MAP)
            return RENDER_REFUSE(rendering, "unique does not compare lists and mappings");
        TRY(render_charge(rendering, i * sizeof *pairs));
        for (size_t j = 0; j < i && !seen; j++) seen = datum_equal(&pairs[j].key, key);
        if (!seen) TRY(datum_append(rendering, result, pairs[i].value));
    }
    return STATUS_OK;
}

/* max and min(case_sensitive=false, attribute=none): the first of the largest or least. */
static status extreme(struct rendering *rendering, const struct datum *subject,
                      const struct datum *arguments, int wanted, struct datum *result)
{
    struct datum_pair *pairs;
    size_t count, best = 0;
    TRY(keyed_items(rendering, subject, &arguments[1], datum_is_truthy(&arguments[0]), &pairs,
                    &count));
    for (size_t i = 1; i < count; i++) {
        int order;
        if (!datum_compare(&pairs[i].key, &pairs[best].key, &order))
            return RENDER_REFUSE(rendering, "the items have no order");
        if (order == wanted) best = i;
    }
    *result = count ? pairs[best].value : datum_undefined("an item", strlen("an item"));
    return STATUS_OK;
}
FILTER(max)
{
    return extreme(rendering, subject, arguments, 1, result);
}
FILTER(min)
{
    return extreme(rendering, subject, arguments, -1, result);
}

/* sum(attribute=none, start=0) */
FILTER(sum)
{
    const struct datum *items;
    size_t count;
    TRY(datum_items(rendering, subject, &items, &count));
    *result = arguments[1].kind == DATUM_ABSENT ? datum_integer(0) : arguments[1];
    for (size_t i = 0; i < count; i++) {
        struct datum item, sum = *result;
        TRY(render_path(rendering, &items[i], &arguments[0], NULL, &item));
        TRY(render_binary(rendering, '+', &sum, &item, result));
    }
    return STATUS_OK;
}

/* attr(name) */
FILTER(attr)
{
    if (arguments[0].kind != DATUM_TEXT) return RENDER_REFUSE(rendering, "attr takes a name");
    if (subject->kind == DATUM_MAP) {
        *result = datum_undefined(arguments[0].text.bytes, arguments[0].text.length);
        return STATUS_OK;
    }
    return render_attribute(rendering, subject, arguments[0].text, result);
}

/* map(attribute="a.b", default=...) */
static status map_attributes(struct rendering *rendering, const struct template_call *call,
                             const struct datum *items, size_t count, struct datum *result)
{
    struct datum path = {0}, fallback = {0};
    for (size_t k = 0; k < call->keyword_count; k++) {
        struct datum name = datum_text(call->keywords[k].name.bytes, call->keywords[k].name.length);
        if (datum_is_text(&name, "attribute"))
            path = call->keyword_values[k];
        else if (datum_is_text(&name, "default"))
            fallback = call->keyword_values[k];
        else
            return RENDER_REFUSE(rendering, "map takes a filter's name, or attribute and default");
    }
    if (path.kind == DATUM_ABSENT)
        return RENDER_REFUSE(rendering, "map needs a filter's name or an attribute");
    for (size_t i = 0; i < count; i++) {
        struct datum item;
        TRY(render_path(rendering, &items[i], &path, &fallback, &item));
        TRY(datum_append(rendering, result, item));
    }
    return STATUS_OK;
}

/* The call without its first `skipped` arguments. */
static struct template_call rest_of(const struct template_call *call, size_t skipped)
{
    struct template_call rest = *call;
    rest.positional += skipped;
    rest.count -= skipped;
    return rest;
}

static status filter_map(struct rendering *rendering, const struct datum *subject,
                         const struct template_call *call, struct datum *result)
{
    const struct datum *items;
    size_t count;
    char excerpt[EXCERPT_BYTES];
    TRY(datum_items(rendering, subject, &items, &count));
    TRY(datum_new_list(rendering, LIST_ITERATOR, count, result));
    if (!call->count) return map_attributes(rendering, call, items, count, result);
    const struct datum *name = &call->positional[0];
    if (name->kind != DATUM_TEXT) return RENDER_REFUSE(rendering, "map needs a filter's name");
    int filter = filter_find(name->text.bytes, name->text.length);
    if (filter < 0)
        return RENDER_REFUSE(rendering, "the filter '%s' is not known to chat templates",
                             utf8_excerpt(name->text.bytes, name->text.length, excerpt));
    struct template_call rest = rest_of(call, 1);
    for (size_t i = 0; i < count; i++) {
        struct datum item;
        TRY(render_charge(rendering, 0));
        TRY(render_filter(rendering, filter, &items[i], &rest, &item));
        TRY(datum_append(rendering, result, item));
    }
    return STATUS_OK;
}

/* select and reject: by a test and its arguments, of the item or of an attribute. */
static status choose(struct rendering *rendering, const struct datum *subject,
                     const struct template_call *call, bool by_attribute, bool wanted,
                     struct datum *result)
{
    const struct datum *items;
    size_t count, named = by_attribute ? 1 : 0;
    char excerpt[EXCERPT_BYTES];
    struct datum path = {0}, truth = datum_text("truth", 5);
    if (call->count < named) return RENDER_REFUSE(rendering, "an attribute's name is missing");
    if (by_attribute) path = call->positional[0];
    const struct datum *name = call->count > named ? &call->positional[named] : &truth;
    int test = name->kind == DATUM_TEXT ? test_find(name->text.bytes, name->text.length) : -1;
    if (test < 0)
        return RENDER_REFUSE(rendering, "the test '%s' is not known to chat templates",
                             name->kind == DATUM_TEXT
                                 ? utf8_excerpt(name->text.bytes, name->text.length, excerpt)
                                 : "?");
    struct template_call rest = rest_of(call, call->count > named ? named + 1 : named);
    TRY(datum_items(rendering, subject, &items, &count));
    TRY(datum_new_list(rendering, LIST_ITERATOR, 0, result));
    for (size_t i = 0; i < count; i++) {
        struct datum item;
        bool holds;
        TRY(render_charge(rendering, 0));
        TRY(render_path(rendering, &items[i], &path, NULL, &item));
        TRY(render_test(rendering, test, &item, &rest, &holds));
        if (holds == wanted) TRY(datum_append(rendering, result, items[i]));
    }
    return STATUS_OK;
}

#define CHOICE(name, by_attribute, wanted)                                                         \
    static status filter_##name(struct rendering *rendering, const struct datum *subject,          \
                                const struct template_call *call, struct datum *result)            \
    {                                                                                              \
        return choose(rendering, subject, call, by_attribute, wanted, result);                     \
    }
CHOICE(select, false, true)
CHOICE(reject, false, false)
CHOICE(selectattr, true, true)
CHOICE(rejectattr, true, false)

const struct template_builtin_row list_filters[] = {
    {"attr", filter_attr, "name", 1, NULL},
    {"count", filter_length, "", 0, NULL},
    {"dictsort", filter_dictsort, "case_sensitive,by,reverse", 0, NULL},
    {"first", filter_first, "", 0, NULL},
    {"items", filter_items, "", 0, NULL},
    {"join", filter_join, "d,attribute", 0, NULL},
    {"last", filter_last, "", 0, NULL},
    {"length", filter_length, "", 0, NULL},
    {"list", filter_list, "", 0, NULL},
    {"map", NULL, NULL, 0, filter_map},
    {"max", filter_max, "case_sensitive,attribute", 0, NULL},
    {"min", filter_min, "case_sensitive,attribute", 0, NULL},
    {"reject", NULL, NULL, 0, filter_reject},
    {"rejectattr", NULL, NULL, 0, filter_rejectattr},
    {"reverse", filter_reverse, "", 0, NULL},
    {"select", NULL, NULL, 0, filter_select},
    {"selectattr", NULL, NULL, 0, filter_selectattr},
    {"sort", filter_sort, "reverse,case_sensitive,attribute", 0, NULL},
    {"sum", filter_sum, "attribute,start", 0, NULL},
    {"unique", filter_unique, "case_sensitive,attribute", 0, NULL},
    {NULL, NULL, NULL, 0, NULL},
};

/* One number names a filter of either table. */
enum { LIST_FILTERS_FROM = 1000 };

int filter_find(const char *name, size_t length)
{
    int filter = builtin_find(text_filters, name, length);
    if (filter >= 0) return filter;
    filter = builtin_find(list_filters, name, length);
    return filter < 0 ? -1 : filter + LIST_FILTERS_FROM;
}

const struct template_builtin_row *filter_row(int filter)
{
    return filter < LIST_FILTERS_FROM ? &text_filters[filter]
                                      : &list_filters[filter - LIST_FILTERS_FROM];
}
