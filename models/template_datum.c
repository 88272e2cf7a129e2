/* The values of chat templates: making, comparing and walking them. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <math.h>
#include <string.h>

const char *datum_kind_name(const struct datum *datum)
{
    static const char *const names[DATUM_KIND_COUNT] = {
        "nothing",       "undefined", "none",    "a boolean", "an integer",
        "a real number", "a text",    "a list",  "a mapping", "a namespace",
        "a function",    "a method",  "a macro", "a loop"};
    if (datum->kind == DATUM_LIST && datum->list->flavour == LIST_TUPLE) return "a tuple";
    if (datum->kind == DATUM_LIST && datum->list->flavour == LIST_ITERATOR) return "an iterator";
    return names[datum->kind];
}

bool datum_is_truthy(const struct datum *datum)
{
    switch (datum->kind) {
    case DATUM_ABSENT:
    case DATUM_UNDEFINED:
    case DATUM_NONE: return false;
    case DATUM_BOOLEAN: return datum->boolean;
    case DATUM_INTEGER: return datum->integer != 0;
    case DATUM_REAL: return datum->real != 0;
    case DATUM_TEXT: return datum->text.length != 0;
    case DATUM_LIST: return datum->list->flavour == LIST_ITERATOR || datum->list->count != 0;
    case DATUM_MAP: return datum->map->count != 0;
    default: return true;
    }
}

bool datum_is_number(const struct datum *datum)
{
    return datum->kind == DATUM_BOOLEAN || datum->kind == DATUM_INTEGER ||
           datum->kind == DATUM_REAL;
}

bool datum_whole(const struct datum *datum, int64_t *integer)
{
    if (datum->kind == DATUM_INTEGER) *integer = datum->integer;
    if (datum->kind == DATUM_BOOLEAN) *integer = datum->boolean;
    return datum->kind == DATUM_INTEGER || datum->kind == DATUM_BOOLEAN;
}

double datum_to_real(const struct datum *datum)
{
    if (datum->kind == DATUM_REAL) return datum->real;
    return datum->kind == DATUM_BOOLEAN ? datum->boolean : (double)datum->integer;
}

static int compare_texts(struct datum_text a, struct datum_text b)
{
    size_t shared = a.length < b.length ? a.length : b.length;
    int order = shared ? memcmp(a.bytes, b.bytes, shared) : 0;
    if (order == 0) return (a.length > b.length) - (a.length < b.length);
    return order < 0 ? -1 : 1;
}

bool datum_is_text(const struct datum *datum, const char *text)
{
    return datum->kind == DATUM_TEXT &&
           compare_texts(datum->text, (struct datum_text){text, strlen(text)}) == 0;
}

static bool numbers_equal(const struct datum *a, const struct datum *b)
{
    int64_t left = 0, right = 0;
    if (datum_whole(a, &left) && datum_whole(b, &right)) return left == right;
    return datum_to_real(a) == datum_to_real(b);
}

static bool equal(const struct datum *a, const struct datum *b, int depth);

static bool lists_equal(const struct datum_list *a, const struct datum_list *b, int depth)
{
    if (a == b) return true;
    if (a->flavour != b->flavour || a->flavour == LIST_ITERATOR || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!equal(&a->items[i], &b->items[i], depth)) return false;
    return true;
}

static const struct datum *get(const struct datum_map *map, const struct datum *key, int depth)
{
    for (size_t i = 0; i < map->count; i++)
        if (equal(&map->pairs[i].key, key, depth)) return &map->pairs[i].value;
    return NULL;
}

static bool maps_equal(const struct datum_map *a, const struct datum_map *b, int depth)
{
    if (a == b) return true;
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct datum *other = get(b, &a->pairs[i].key, depth);
        if (!other || !equal(&a->pairs[i].value, other, depth)) return false;
    }
    return true;
}

static bool equal(const struct datum *a, const struct datum *b, int depth)
{
    if (depth > RENDER_VALUE_DEPTH_MAX) return false;
    if (datum_is_number(a) && datum_is_number(b)) return numbers_equal(a, b);
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case DATUM_TEXT: return compare_texts(a->text, b->text) == 0;
    case DATUM_LIST: return lists_equal(a->list, b->list, depth + 1);
    case DATUM_MAP: return maps_equal(a->map, b->map, depth + 1);
    case DATUM_NAMESPACE: return a->map == b->map;
    case DATUM_MACRO: return a->macro == b->macro;
    case DATUM_FUNCTION:
    case DATUM_METHOD: return a->detail == b->detail;
    case DATUM_LOOP: return a->loop == b->loop;
    default: return true;
    }
}

bool datum_equal(const struct datum *a, const struct datum *b)
{
    return equal(a, b, 0);
}

static bool compare(const struct datum *a, const struct datum *b, int depth, int *order)
{
    if (depth > RENDER_VALUE_DEPTH_MAX) return false;
    if (datum_is_number(a) && datum_is_number(b)) {
        int64_t left = 0, right = 0;
        double real_left = datum_to_real(a), real_right = datum_to_real(b);
        bool whole = datum_whole(a, &left) && datum_whole(b, &right);
        *order = whole ? (left > right) - (left < right)
                       : (real_left > real_right) - (real_left < real_right);
        return true;
    }
    if (a->kind == DATUM_TEXT && b->kind == DATUM_TEXT) {
        *order = compare_texts(a->text, b->text);
        return true;
    }
    if (a->kind != DATUM_LIST || b->kind != DATUM_LIST || a->list->flavour != b->list->flavour ||
        a->list->flavour > LIST_TUPLE)
        return false;
    const struct datum_list *left = a->list, *right = b->list;
    for (size_t i = 0; i < left->count && i < right->count; i++)
        if (!equal(&left->items[i], &right->items[i], depth + 1))
            return compare(&left->items[i], &right->items[i], depth + 1, order);
    *order = (left->count > right->count) - (left->count < right->count);
    return true;
}

bool datum_compare(const struct datum *a, const struct datum *b, int *order)
{
    return compare(a, b, 0, order);
}

status datum_new_list(struct rendering *rendering, enum list_flavour flavour, size_t capacity,
                      struct datum *list)
{
    void *room, *items;
    TRY(render_allocate(rendering, 1, sizeof(struct datum_list), &room));
    TRY(render_allocate(rendering, capacity, sizeof(struct datum), &items));
    list->kind = DATUM_LIST;
    list->list = room;
    list->list->flavour = flavour;
    list->list->items = items;
    list->list->capacity = capacity;
    return STATUS_OK;
}

status datum_append(struct rendering *rendering, struct datum *list, struct datum item)
{
    struct datum_list *items = list->list;
    if (items->count == items->capacity) {
        void *room;
        items->capacity = items->capacity ? 2 * items->capacity : 8;
        TRY(render_allocate(rendering, items->capacity, sizeof item, &room));
        if (items->count) memcpy(room, items->items, items->count * sizeof item);
        items->items = room;
    }
    items->items[items->count++] = item;
    return STATUS_OK;
}

status datum_new_map(struct rendering *rendering, struct datum *map)
{
    void *room;
    TRY(render_allocate(rendering, 1, sizeof(struct datum_map), &room));
    map->kind = DATUM_MAP;
    map->map = room;
    return STATUS_OK;
}

status datum_put(struct rendering *rendering, struct datum_map *map, struct datum key,
                 struct datum value)
{
    TRY(render_charge(rendering, map->count * sizeof key));
    for (size_t i = 0; i < map->count; i++) {
        if (!datum_equal(&map->pairs[i].key, &key)) continue;
        map->pairs[i].value = value;
        return STATUS_OK;
    }
    if (map->count == map->capacity) {
        void *room;
        map->capacity = map->capacity ? 2 * map->capacity : 8;
        TRY(render_allocate(rendering, map->capacity, sizeof *map->pairs, &room));
        if (map->count) memcpy(room, map->pairs, map->count * sizeof *map->pairs);
        map->pairs = room;
    }
    map->pairs[map->count++] = (struct datum_pair){key, value};
    return STATUS_OK;
}

status datum_new_pair(struct rendering *rendering, struct datum first, struct datum second,
                      struct datum *tuple)
{
    TRY(datum_new_list(rendering, LIST_TUPLE, 2, tuple));
    TRY(datum_append(rendering, tuple, first));
    return datum_append(rendering, tuple, second);
}

const struct datum *datum_get(const struct datum_map *map, const struct datum *key)
{
    return get(map, key, 0);
}

const struct datum *datum_member(const struct datum_map *map, const char *name, size_t length)
{
    struct datum key = datum_text(name, length);
    return get(map, &key, 0);
}

static status text_items(struct rendering *rendering, struct datum_text text, struct datum *list)
{
    TRY(datum_new_list(rendering, LIST_PLAIN, text_characters(text), list));
    for (size_t at = 0, length; at < text.length; at += length) {
        length = utf8_character(text.bytes + at, text.length - at);
        if (!length) length = 1;
        TRY(datum_append(rendering, list, datum_text(text.bytes + at, length)));
    }
    return STATUS_OK;
}

static status map_items(struct rendering *rendering, const struct datum_map *map,
                        struct datum *list)
{
    TRY(datum_new_list(rendering, LIST_PLAIN, map->count, list));
    for (size_t i = 0; i < map->count; i++) TRY(datum_append(rendering, list, map->pairs[i].key));
    return STATUS_OK;
}

status datum_items(struct rendering *rendering, const struct datum *datum,
                   const struct datum **items, size_t *count)
{
    struct datum list = *datum;
    *items = NULL;
    *count = 0;
    if (datum->kind == DATUM_UNDEFINED) return STATUS_OK;
    if (datum->kind == DATUM_TEXT) TRY(text_items(rendering, datum->text, &list));
    if (datum->kind == DATUM_MAP) TRY(map_items(rendering, datum->map, &list));
    if (list.kind != DATUM_LIST)
        return RENDER_REFUSE(rendering, "%s has no items to walk over", datum_kind_name(datum));
    size_t from = list.list->flavour == LIST_ITERATOR ? list.list->used : 0;
    *items = list.list->items + from;
    *count = list.list->count - from;
    if (list.list->flavour == LIST_ITERATOR) list.list->used = list.list->count;
    return render_charge(rendering, *count * sizeof **items);
}

status datum_length(struct rendering *rendering, const struct datum *datum, int64_t *length)
{
    *length = 0;
    switch (datum->kind) {
    case DATUM_UNDEFINED: return STATUS_OK;
    case DATUM_TEXT: *length = (int64_t)text_characters(datum->text); return STATUS_OK;
    case DATUM_MAP: *length = (int64_t)datum->map->count; return STATUS_OK;
    case DATUM_LIST:
        *length = (int64_t)datum->list->count;
        if (datum->list->flavour != LIST_ITERATOR) return STATUS_OK;
        break;
    default: break;
    }
    return RENDER_REFUSE(rendering, "%s has no length", datum_kind_name(datum));
}

status datum_contains(struct rendering *rendering, const struct datum *haystack,
                      const struct datum *needle, bool *contains)
{
    const struct datum *items;
    size_t count;
    *contains = false;
    if (haystack->kind == DATUM_TEXT && needle->kind != DATUM_TEXT)
        return RENDER_REFUSE(rendering, "'in' looks for a text in a text, not for %s",
                             datum_kind_name(needle));
    if (haystack->kind == DATUM_TEXT) {
        *contains = text_find(haystack->text, needle->text) != SIZE_MAX;
        return render_charge(rendering, haystack->text.length);
    }
    if (haystack->kind == DATUM_MAP) {
        *contains = datum_get(haystack->map, needle) != NULL;
        return render_charge(rendering, haystack->map->count * sizeof *needle);
    }
    TRY(datum_items(rendering, haystack, &items, &count));
    for (size_t i = 0; i < count && !*contains; i++) *contains = datum_equal(&items[i], needle);
    return STATUS_OK;
}
